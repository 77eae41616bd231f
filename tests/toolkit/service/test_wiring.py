"""Wiring mistakes are found when a context starts: one sentence, with the line to add."""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic, TypeVar

import pytest
from google.protobuf.wrappers_pb2 import BoolValue, Int64Value
from treaty.causes import Cause, acting
from treaty.commits.codec import Names, Shape
from treaty.commits.policies import effects_of, events_of
from treaty.commits.stored import Stored
from treaty.domain import Aggregate, Call, Message, Policy
from treaty.memory.stores import MemoryStores
from treaty.messaging.subscriptions import on
from treaty.sagas import StoredSaga
from treaty.service.contexts import checked
from treaty.service.ports import Ports
from treaty.service.service import Service
from treaty.surroundings import Surroundings
from treaty.testing.samples import NOTES, bare_api
from treaty.wiring import WiringError

from tests.toolkit.bank import ACCOUNTS, COMMANDS, Account, Deposited, Ring, Withdrawn, deposit

API = bare_api("test.bank.v1.Bank")


@pytest.fixture
def ports() -> Ports:
    return Ports(stores=MemoryStores(Surroundings()), surroundings=Surroundings())


def announce(account: Account, event: Deposited | Withdrawn) -> Iterator[Int64Value | Call]:
    yield Int64Value(value=account.balance)


def calls_only(account: Account, event: Deposited | Withdrawn) -> Sequence[Call]:
    return [Call(Ring(text="ring"))]


def undeclared(account: Account, event: Deposited | Withdrawn) -> Iterator[Int64Value]:
    yield BoolValue(value=True)  # type: ignore[misc]


def vague(account: Account, event: Deposited | Withdrawn) -> Iterator[Message]:
    yield Int64Value(value=1)


def bare(account, event):  # type: ignore[no-untyped-def]
    return []


def build(*policies: Policy, **known: Any) -> Any:
    def building(ports: Ports) -> Service:
        ports.repository(ACCOUNTS, policies=policies)
        return Service(**{"name": "test.bank", "api": API, "publishes": [Int64Value], **known})

    return checked("test.bank", building)


def test_a_context_whose_policies_are_published_is_built(ports: Ports) -> None:
    assert build(announce, calls_only)(ports).name == "test.bank"


def test_each_context_answers_for_its_own_policies(ports: Ports) -> None:
    build(announce)(ports)
    build(publishes=[])(ports)


def test_a_name_that_is_not_the_folders_is_named(ports: Ports) -> None:
    with pytest.raises(WiringError, match=r'test/bank/service\.py .* called test\.banc: write name="test\.bank"'):
        build(name="test.banc")(ports)


def test_an_event_that_is_not_published_is_named(ports: Ports) -> None:
    with pytest.raises(
        WiringError, match=r"announce may yield google\.protobuf\.Int64Value.*add Int64Value to .*`publishes`"
    ):
        build(announce, publishes=[])(ports)


@pytest.mark.parametrize("policy", [vague, bare, lambda account, event: ()])
def test_a_policy_that_does_not_list_its_events_is_named(ports: Ports, policy: Policy) -> None:
    with pytest.raises(WiringError, match="must name the events that it may yield: annotate its result"):
        build(policy)(ports)


def test_an_annotation_lists_events_without_calls() -> None:
    assert events_of(announce) == {Int64Value}
    assert events_of(calls_only) == frozenset()


async def test_an_event_that_the_annotation_does_not_list_is_refused_at_the_commit(ports: Ports) -> None:
    accounts = ports.repository(ACCOUNTS, policies=[undeclared])
    with pytest.raises(WiringError, match=r"undeclared yields google\.protobuf\.BoolValue.*add BoolValue"):
        await accounts.add("ann", deposit(1), cause=Cause(id="1"))
    assert not await ports.stores.log.read(ACCOUNTS.stream_of("ann"))


def test_a_policy_without_a_list_is_not_limited() -> None:
    assert len(list(effects_of(vague, Account(id="a"), None))) == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An event without a stored name."""


@dataclass(slots=True, kw_only=True)
class Vault(Aggregate[Deposited | Opened]):
    pass


@dataclass(slots=True, kw_only=True)
class Box(Aggregate["Opened"]):
    pass


@pytest.mark.parametrize("kind", [Vault, Box])
def test_an_event_of_the_union_without_a_stored_name_is_named(kind: type[Any]) -> None:
    with pytest.raises(WiringError) as missing:
        Stored("vault", kind, events=[Shape("deposited", Deposited)])
    assert str(missing.value) == (
        f"{kind.__name__} records Opened, which has no stored name: "
        'add Shape("opened", Opened) to the events of Stored("vault", …) in storage.py'
    )


def test_a_command_without_a_stored_name_is_named() -> None:
    async def ring(command: Ring) -> None: ...

    with pytest.raises(WiringError, match=r'the command Ring has no stored name: add Shape\("ring", Ring\)'):
        Service(name="test.bank", api=API, calls={Ring: ring})


def test_a_command_without_a_handler_is_named() -> None:
    with pytest.raises(WiringError, match="no handler carries out the command Ring: add `Ring: <its use case>`"):
        Service(name="test.bank", api=API, commands=COMMANDS)


def test_two_subscriptions_under_one_name_are_named() -> None:
    async def take(command: Any) -> None: ...

    twice = [on(Int64Value, lambda event: event, then=take)] * 2
    with pytest.raises(
        WiringError, match=r"subscribes to google\.protobuf\.Int64Value twice under the name Int64Value"
    ):
        Service(name="test.bank", api=API, subscriptions=twice)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    ended: bool = False
    stuck: str = ""


def react(state: Rung, fact: Any) -> tuple[Rung, Sequence[object]]:
    return replace(state, ended=True), ()


RINGING = StoredSaga("ringing", Rung(), react, facts=[Shape("ring", Ring)])


async def test_a_fact_of_a_saga_is_routed_to_it(ports: Ports) -> None:
    saga = ports.saga(RINGING, key=lambda fact: fact.text, commands=Names(()))
    service = Service(name="test.bank", api=API, commands=COMMANDS, sagas=[saga])
    with acting(Cause(id="1", durable=True)):
        told = await service.handlers[Ring](Ring(text="bell"))
    assert told.state.state.ended


def test_a_fact_of_a_saga_among_the_calls_is_named(ports: Ports) -> None:
    saga = ports.saga(RINGING, key=lambda fact: fact.text, commands=Names(()))
    with pytest.raises(WiringError, match="Ring is a fact of the saga ringing, which receives it: remove Ring"):
        Service(name="test.bank", api=API, commands=COMMANDS, sagas=[saga], calls={Ring: saga.tell})


async def in_time(account: Account, event: Deposited | Withdrawn) -> AsyncIterator[Int64Value]:
    yield Int64Value()


def of_one(account: Account) -> Iterator[Int64Value]:
    yield Int64Value()


def perhaps(account: Account, event: Deposited | Withdrawn) -> Iterator[Int64Value | None]:
    yield None


def quoting(annotation: str) -> Policy:
    """Returns a policy with an annotation in quotes."""

    def quoted(account: Account, event: Deposited | Withdrawn) -> Any:
        return iter(())

    quoted.__annotations__["return"] = annotation
    return quoted


@dataclass
class Announcing:
    """Not hashable, as a dataclass is by default."""

    def __call__(self, account: Account, event: Deposited | Withdrawn) -> Iterator[Int64Value]:
        yield Int64Value(value=1)


@pytest.mark.parametrize(
    ("policy", "sentence"),
    [
        (in_time, r"in_time is async: a policy is pure"),
        (of_one, r"of_one must take a state and an event"),
        (perhaps, "perhaps must name the events"),
        (quoting("Iterator[Int65Value]"), r"quoted must name the events that it may yield .*Int65Value"),
        (quoting("Iterator["), "quoted must name the events"),
        (partial(announce), "test_wiring.announce must name the events"),
    ],
)
def test_a_policy_that_cannot_be_one_is_named(ports: Ports, policy: Any, sentence: str) -> None:
    with pytest.raises(WiringError, match=sentence):
        build(policy)(ports)


def test_an_object_can_be_a_policy(ports: Ports) -> None:
    assert len(list(effects_of(Announcing(), Account(id="a"), None))) == 1


def test_a_list_of_policies_is_a_list(ports: Ports) -> None:
    with pytest.raises(WiringError, match=r"the repository of account needs a list of policies: write policies=\[…\]"):
        ports.repository(ACCOUNTS, policies=announce)  # type: ignore[arg-type]


def test_a_build_that_returns_nothing_is_named(ports: Ports) -> None:
    with pytest.raises(WiringError, match=r"`build` of test\.bank returns None: return the Service"):
        checked("test.bank", lambda ports: None)(ports)  # type: ignore[arg-type, return-value]


def test_a_command_that_is_stored_and_not_carried_out_is_named(ports: Ports) -> None:
    def building(ports: Ports) -> Service:
        ports.repository(ACCOUNTS, policies=[calls_only], commands=COMMANDS)
        return Service(name="test.bank", api=API)

    with pytest.raises(WiringError, match="stores the command Ring, and nothing carries it out: write `commands=`"):
        checked("test.bank", building)(ports)


def test_what_is_published_is_a_message() -> None:
    with pytest.raises(WiringError, match="<class 'int'> is no protobuf message: remove it from `publishes`"):
        Service(name="test.bank", api=API, publishes=[int])


def test_two_sagas_with_one_fact_are_named(ports: Ports) -> None:
    sagas = [ports.saga(RINGING, key=lambda fact: fact.text, commands=Names(()))] * 2
    with pytest.raises(WiringError, match="several sagas have the fact Ring, and a fact goes to one"):
        Service(name="test.bank", api=API, commands=COMMANDS, sagas=sagas)


def test_two_read_models_of_one_name_are_named() -> None:
    with pytest.raises(WiringError, match="several read models are called notes, and would share their rows"):
        Service(name="test.bank", api=API, projections=[NOTES, replace(NOTES, descending=False)])


def test_a_field_that_rows_do_not_have_is_named() -> None:
    with pytest.raises(WiringError, match="the projection notes has no field rnak in Note"):
        replace(NOTES, order_by="rnak")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tagged:
    rank: int
    tags: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


def test_two_filters_with_several_values_each_are_named() -> None:
    tagged: Any = Tagged
    with pytest.raises(WiringError, match="filters by tags and words, which have several values each"):
        replace(NOTES, row=tagged, filters=("tags", "words"))
    assert replace(NOTES, row=tagged, filters=("tags", "rank"))


E_ = TypeVar("E_")


@dataclass(slots=True, kw_only=True)
class Keeping(Aggregate[E_], Generic[E_]):
    pass


@dataclass(slots=True, kw_only=True)
class Safe(Keeping[Deposited | Opened]):
    pass


@dataclass(slots=True, kw_only=True)
class Lost(Aggregate["Opnened"]):  # type: ignore[name-defined]
    pass


def test_an_event_without_a_stored_name_is_named_behind_a_generic_base() -> None:
    with pytest.raises(WiringError, match="Safe records Opened, which has no stored name"):
        Stored("safe", Safe, events=[Shape("deposited", Deposited)])


def test_events_in_quotes_that_are_not_there_are_named() -> None:
    with pytest.raises(WiringError, match=r"Lost names its events in quotes, and they are not there .*Opnened"):
        Stored("lost", Lost, events=[Shape("deposited", Deposited)])
