"""Calls and timers: made until they are answered, in order for each stream, each taking effect once."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from treaty.causes import Cause, current_cause
from treaty.commits.codec import Names, Shape
from treaty.commits.commit import Commit, PendingCall
from treaty.domain import Rejected
from treaty.followers.calls import _FIRST_ATTEMPTS, Caller
from treaty.followers.pending import Item
from treaty.followers.pending_work import PendingWork
from treaty.testing import eventually
from treaty.testing.recorder import Recorder
from treaty.testing.samples import plain_commit

from tests.toolkit.bank import COMMANDS, Account, Bank, Ring, alarm, deposit, request, withdraw
from tests.toolkit.pieces import Parking, calling, running


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """A command of another type than Ring."""

    text: str


class Panic(BaseException):
    """As a native library raises it."""


@dataclass(slots=True)
class Phone:
    """A caller whose handler notes what it is told; `failing` texts fail, `gates` hold theirs."""

    parking: Parking = field(default_factory=Parking)
    failing: dict[str, BaseException] = field(default_factory=dict)
    gates: dict[str, asyncio.Event] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)
    rung: list[str] = field(default_factory=list)
    causes: list[Cause] = field(default_factory=list)
    pending: PendingWork = field(init=False)
    caller: Caller = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.pending = self.parking.work(lambda item: self.caller.run_item(item))
        self.caller = Caller(COMMANDS, {Ring: self.ring}, self.pending, probe=Recorder(), patience=0.02)

    async def ring(self, command: Ring) -> None:
        self.started.append(command.text)
        if command.text in self.gates:
            await self.gates[command.text].wait()
        if command.text in self.failing:
            raise self.failing[command.text]
        self.causes.append(current_cause())
        self.rung.append(command.text)

    async def take(self, *commits: Commit) -> None:
        work = self.caller.take(commits, 1)
        assert work is not None
        await asyncio.wait_for(asyncio.ensure_future(work), 20)


@pytest.fixture
def phone() -> Phone:
    return Phone()


async def test_calls_are_made_in_the_order_of_their_stream(phone: Phone) -> None:
    await phone.take(calling("thing-1", 1, "a", "b"), calling("thing-1", 2, "c"))
    await phone.take(calling("thing-1", 3, "d"))
    assert phone.rung == ["a", "b", "c", "d"]
    assert await phone.parking.is_empty()


async def test_a_call_acts_under_a_cause_of_its_own_and_for_whom_it_was_asked(phone: Phone) -> None:
    commit = calling("thing-1", 7, "a", "b")
    entry = commit.causes[0]
    await phone.take(commit)
    assert [cause.id for cause in phone.causes] == ["thing-1@000000000007!0000", "thing-1@000000000007!0001"]
    assert all(cause.durable and cause.correlation == entry.id for cause in phone.causes)


async def test_a_call_that_fails_is_made_again_until_it_is_done(phone: Phone) -> None:
    phone.failing["a"] = OSError("away")
    await phone.take(calling("thing-1", 1, "a"))
    async with running(phone.pending.work()):
        for tries in (1, 2, 3):
            await eventually(lambda wanted=tries: phone.parking.probe.counts["treaty.pending.retries"] == wanted)  # type: ignore[misc]
            assert len(phone.started) == tries
            phone.parking.clock.advance(60)
        await eventually(lambda: len(phone.started) == 4)
        phone.failing.clear()
        phone.parking.clock.advance(60)
        await eventually(phone.parking.is_empty)
    assert phone.rung == ["a"]


@pytest.mark.parametrize("error", [Panic("out of bounds"), asyncio.CancelledError()], ids=["panic", "cancelled"])
@pytest.mark.parametrize("slow", [True, False], ids=["parked while it runs", "at once"])
async def test_a_handler_that_panics_or_cancels_itself_holds_up_its_stream_only_until_it_works(
    phone: Phone, error: BaseException, slow: bool
) -> None:
    phone.failing["a"] = error
    if slow:
        phone.gates["a"] = asyncio.Event()
    async with running(phone.pending.work()):
        await phone.take(calling("thing-1", 1, "a"), calling("thing-1", 2, "b"), calling("thing-2", 1, "x"))
        for gate in phone.gates.values():
            gate.set()
        for tries in (1, 2):
            await eventually(lambda wanted=tries: phone.parking.probe.counts["treaty.pending.retries"] >= wanted)  # type: ignore[misc]
            phone.parking.clock.advance(60)
        phone.failing.clear()
        phone.parking.clock.advance(60)
        await eventually(phone.parking.is_empty)
    assert phone.rung == ["x", "a", "b"]


async def test_what_follows_a_failing_call_on_its_stream_waits_and_other_streams_do_not(phone: Phone) -> None:
    phone.failing["a"] = OSError("away")
    await phone.take(calling("thing-1", 1, "a"), calling("thing-1", 2, "b"), calling("thing-2", 1, "x"))
    await phone.take(calling("thing-1", 3, "c"))
    assert phone.rung == ["x"]
    phone.failing.clear()
    async with running(phone.pending.work()):
        phone.parking.clock.advance(60)
        await eventually(phone.parking.is_empty)
    assert phone.rung == ["x", "a", "b", "c"]


async def test_a_slow_call_is_parked_so_that_the_log_moves_on_and_is_made_once(phone: Phone) -> None:
    phone.gates["a"] = asyncio.Event()
    async with running(phone.pending.work()):
        await phone.take(calling("thing-1", 1, "a"), calling("thing-1", 2, "b"), calling("thing-2", 1, "x"))
        assert phone.rung == ["x"]
        phone.gates["a"].set()
        await eventually(phone.parking.is_empty)
    assert phone.rung == ["x", "a", "b"]
    assert phone.started.count("a") == 1


async def test_calls_that_hang_are_bounded_and_hold_up_neither_the_log_nor_calls_of_another_type(phone: Phone) -> None:
    hanging, made = set[str](), []

    async def hang(command: Ring) -> None:
        hanging.add(command.text)
        await asyncio.Event().wait()

    async def wave(command: Wave) -> None:
        made.append(command.text)

    names = Names([Shape("ring", Ring), Shape("wave", Wave)])
    phone.caller = Caller(names, {Ring: hang, Wave: wave}, phone.pending, probe=Recorder(), patience=0.02)
    async with running(phone.pending.work()):
        for round in range(4):
            hung = [calling(f"thing-{n}", 1, str(n)) for n in range(200 * round, 200 * round + 200)]
            call = PendingCall(type="wave", body=names.encode(Wave(text=str(round))), cause=0)
            await phone.take(*hung, replace(plain_commit(f"other-{round}", 1), calls=[call]))
            assert made == [str(n) for n in range(round + 1)]
            assert len(hanging) <= _FIRST_ATTEMPTS
            assert phone.pending._running["ring"] <= _FIRST_ATTEMPTS
        assert len(await phone.parking.store.find(1000)) == 800


async def test_a_call_that_hangs_is_cut_off_and_made_again(phone: Phone) -> None:
    phone.caller = Caller(COMMANDS, {Ring: phone.ring}, phone.pending, probe=Recorder(), patience=0.02, seconds=0.1)
    phone.gates["hangs"] = asyncio.Event()
    async with running(phone.pending.work()):
        await phone.take(calling("thing-1", 1, "hangs"))
        [item] = await eventually(lambda: _failed(phone))
        assert item.error == "TookTooLong: it did not end within 0.1 s"
        phone.gates["hangs"].set()
        phone.parking.clock.advance(60)
        await eventually(phone.parking.is_empty)
    assert phone.rung == ["hangs"]


async def _failed(phone: Phone) -> Sequence[Item]:
    return [item for item in await phone.parking.store.find(1) if item.error]


async def test_calls_that_answer_wait_for_a_place_and_are_not_parked(phone: Phone) -> None:
    phone.caller = Caller(COMMANDS, {Ring: phone.ring}, phone.pending, probe=Recorder(), patience=10.0)
    gates = [str(n) for n in range(2 * _FIRST_ATTEMPTS)]
    phone.gates.update({text: asyncio.Event() for text in gates})
    work = asyncio.create_task(phone.take(*(calling(f"thing-{n}", 1, str(n)) for n in range(2 * _FIRST_ATTEMPTS))))
    await eventually(lambda: len(phone.started) == _FIRST_ATTEMPTS)
    for gate in phone.gates.values():
        gate.set()
    await work
    assert len(phone.rung) == 2 * _FIRST_ATTEMPTS
    assert not phone.parking.probe.reached["pending.adding"]


async def test_a_parked_call_survives_a_restart(phone: Phone) -> None:
    phone.gates["a"] = asyncio.Event()
    async with running(phone.pending.work()):
        await phone.take(calling("thing-1", 1, "a"), calling("thing-1", 2, "b"))
    del phone.gates["a"]
    phone.restart()
    await phone.pending.load()
    await phone.take(calling("thing-1", 3, "c"))
    assert not phone.rung
    async with running(phone.pending.work()):
        await eventually(phone.parking.is_empty)
    assert phone.rung == ["a", "b", "c"]


async def test_a_recorded_refusal_is_an_answer(phone: Phone) -> None:
    refusal = Rejected("no")
    refusal.recorded = True
    phone.failing["a"] = refusal
    await phone.take(calling("thing-1", 1, "a", "b"))
    assert phone.rung == ["b"]
    assert await phone.parking.is_empty()


async def test_a_refusal_that_is_not_recorded_is_no_answer(phone: Phone) -> None:
    phone.failing["a"] = Rejected("no")
    await phone.take(calling("thing-1", 1, "a"))
    assert not await phone.parking.is_empty()


async def test_a_timer_fires_at_its_time_and_once(phone: Phone) -> None:
    due = phone.parking.clock.now() + timedelta(seconds=30)
    await phone.take(calling("thing-1", 1, "late", due=due), calling("thing-1", 2, "now"))
    assert phone.rung == ["now"]
    phone.restart()
    await phone.pending.load()
    async with running(phone.pending.work()):
        phone.parking.clock.advance(29)
        await phone.take(calling("thing-2", 1, "other", due=phone.parking.clock.now()))
        await eventually(lambda: "other" in phone.rung)
        assert "late" not in phone.rung
        phone.parking.clock.advance(1)
        await eventually(phone.parking.is_empty)
    assert phone.rung == ["now", "other", "late"]


async def test_a_deadline_counts_from_the_commit_by_the_servers_clock(phone: Phone) -> None:
    server = phone.parking.clock.now()
    by_a_wrong_clock = server - timedelta(minutes=5)
    commit = calling("thing-1", 1, "late", due=by_a_wrong_clock, after=30.0)
    await phone.take(replace(commit, position=(int(server.timestamp()), 1)))
    await phone.pending.load()
    async with running(phone.pending.work()):
        phone.parking.clock.advance(29)
        await phone.parking.looked(3)
        assert not phone.rung
        phone.parking.clock.advance(1)
        await eventually(phone.parking.is_empty)
    assert phone.rung == ["late"]


async def test_a_call_that_is_made_twice_takes_effect_once() -> None:
    bank, phone = Bank(), Phone()
    accounts = bank.accounts(policies=[alarm])
    await accounts.add("ann", deposit(10), cause=request("1"))
    await accounts.change("ann", withdraw(4), cause=request("2"))

    async def tip(command: Ring) -> None:
        await accounts.add("tips", lambda account: account.deposit(int(command.text)))

    phone.caller = Caller(COMMANDS, {Ring: tip}, phone.pending, probe=Recorder())
    for _ in range(3):
        await phone.take(bank.commits[1])
    assert (await accounts.get("tips")).state == Account(id="tips", balance=4)


async def test_an_item_whose_first_attempt_still_runs_is_not_run_beside_it() -> None:
    parking, ran = Parking(), []

    async def run(item: Item) -> None:
        ran.append(item.id)

    pending = parking.work(run)
    released = asyncio.Event()
    item = Item(id="thing-1@1", lane="calls of thing-1", kind="call", body={})
    behind = Item(id="thing-1@2", lane="calls of thing-1", kind="call", body={})

    async def first_attempt() -> None:
        await released.wait()
        ran.append(item.id)

    await pending.park(item, started=asyncio.create_task(first_attempt()))
    await pending.park(behind)
    await pending.load()
    async with running(pending.work()):
        await parking.looked(3)
        assert not ran
        released.set()
        await eventually(parking.is_empty)
    assert ran == [item.id, behind.id]


async def test_what_is_done_leaves_nothing_in_memory(phone: Phone) -> None:
    due = phone.parking.clock.now()
    async with running(phone.pending.work()):
        for n in range(50):
            await phone.take(calling(f"thing-{n}", 1, "t", due=due))
        await eventually(phone.parking.is_empty)
        await eventually(lambda: not phone.pending._busy)
    assert not phone.pending._last


async def test_a_call_whose_parking_was_given_up_is_found_in_the_store_and_made() -> None:
    parking, ran = Parking(), []
    kept, answer = asyncio.Event(), asyncio.Event()
    add = parking.store.add

    async def slowly(items: Sequence[Item]) -> None:
        await add(items)
        kept.set()
        await answer.wait()

    parking.store.add = slowly  # type: ignore[method-assign]

    async def run(item: Item) -> None:
        ran.append(item.id)

    pending = parking.work(run)
    item = Item(id="thing-1@1", lane="calls of thing-1", kind="call", body={})
    attempt = asyncio.create_task(asyncio.sleep(3600))
    parked = asyncio.create_task(pending.park(item, started=attempt))
    await kept.wait()
    for task in (parked, attempt):
        task.cancel()
    await asyncio.gather(parked, attempt, return_exceptions=True)
    async with running(pending.work()):
        await eventually(parking.is_empty)
    assert ran == [item.id]
