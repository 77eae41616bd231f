"""The payment gateway: its foreign format, its simulator, and our client on either side of a socket."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from treaty.testing import eventually

from services.commerce.money import Money
from services.commerce.payments.application import GatewayAway, GatewayTimeout, Verdict
from services.commerce.payments.clients import GatewayClient, InProcessGateway, SocketGateway
from services.commerce.payments.gateway import (
    AUTHORISE,
    ForeignMessage,
    Line,
    answer,
    decode,
    request,
    to_answer,
)
from services.commerce.payments.simulator import Simulator, SimulatorServer

_fields = st.text(st.characters(blacklist_characters="|\r\n", blacklist_categories=["Cs"]), max_size=9)


@given(st.integers(0, 9999), _fields.filter(bool), _fields, _fields)
def test_a_line_comes_back_as_it_was_written(kind: int, reference: str, amount: str, currency: str) -> None:
    line = Line(type=f"{kind:04d}", reference=reference, amount=amount, currency=currency)
    assert decode(line.encode()) == line


@pytest.mark.parametrize("data", [b"", b"hello\n", b"0110|ref|00\n", b"abcd|ref|00|x\n", b"0110||00|x\n"])
def test_what_is_not_of_the_format_is_refused(data: bytes) -> None:
    with pytest.raises(ForeignMessage):
        decode(data)


def test_an_answer_belongs_to_its_request() -> None:
    asked = request(AUTHORISE, "o-1", Money(500, "GBP"))
    assert asked.encode() == b"0100|o-1|500|GBP\n"
    assert (answer(asked, "00").type, answer(asked, "00").answers) == ("0110", AUTHORISE)


@pytest.mark.parametrize(
    ("code", "verdict", "reason"),
    [
        ("00", Verdict.APPROVED, ""),
        ("05", Verdict.DECLINED, "declined by the bank"),
        ("99", Verdict.DECLINED, "declined with code 99"),
        ("", Verdict.DECLINED, "declined with code "),
    ],
)
def test_only_a_clear_yes_is_a_yes(code: str, verdict: Verdict, reason: str) -> None:
    told = to_answer(Line(type="0110", reference="o", amount=code))
    assert (told.verdict, told.reason) == (verdict, reason)


def in_process(patience: float = 5.0, late: float = 0.05) -> InProcessGateway:
    return InProcessGateway(Simulator(late=late), patience)


async def test_money_is_held_captured_and_given_back() -> None:
    gateway = in_process()
    assert (await gateway.authorise("o", Money(500, "GBP"))).verdict is Verdict.APPROVED
    account = gateway.simulator.accounts["o"]
    assert (account.held, account.captured) == (500, 0)
    for _ in range(2):
        await gateway.capture("o", Money(500, "GBP"))
    assert (account.held, account.captured) == (0, 500)
    for _ in range(2):
        await gateway.refund("o", Money(500, "GBP"))
    assert (account.captured, account.refunded) == (500, 500)


async def test_asking_twice_with_one_reference_holds_the_money_once() -> None:
    gateway = in_process()
    for _ in range(3):
        await gateway.authorise("o", Money(500, "GBP"))
    assert gateway.simulator.accounts["o"].held == 500


async def test_a_declined_request_holds_nothing() -> None:
    gateway = in_process()
    assert (await gateway.authorise("o", Money(513, "GBP"))).verdict is Verdict.DECLINED
    assert gateway.simulator.accounts["o"].held == 0


async def test_a_repeated_answer_is_dropped() -> None:
    gateway = in_process()
    assert (await gateway.authorise("o", Money(523, "GBP"))).verdict is Verdict.APPROVED
    assert gateway.simulator.accounts["o"].held == 523


async def test_silence_and_lateness_are_timeouts() -> None:
    for amount in (517, 519):
        gateway = in_process(patience=0.01)
        with pytest.raises(GatewayTimeout):
            await gateway.authorise("o", Money(amount, "GBP"))
        gateway.simulator.close()


async def test_what_was_reversed_before_it_was_asked_for_is_not_held() -> None:
    gateway = in_process()
    await gateway.void("o")
    await gateway.authorise("o", Money(500, "GBP"))
    assert gateway.simulator.accounts["o"].held == 0


async def test_a_late_answer_does_not_answer_the_next_question() -> None:
    gateway = in_process(patience=0.01, late=0.03)
    with pytest.raises(GatewayTimeout):
        await gateway.authorise("o", Money(519, "GBP"))
    await gateway.void("o")
    assert gateway.simulator.accounts["o"].held == 0


class Deaf(GatewayClient):
    """A gateway that hears nothing, and to which a test gives the answers."""

    async def transmit(self, line: Line) -> None:
        pass


async def test_two_who_ask_the_same_get_the_same_answer() -> None:
    gateway = Deaf(5.0)
    asking = [asyncio.create_task(gateway.authorise("o", Money(1, "GBP"))) for _ in range(2)]
    await eventually(lambda: gateway._waiting)
    gateway.receive(answer(request(AUTHORISE, "other"), "05"))
    gateway.receive(answer(request(AUTHORISE, "o"), "00"))
    gateway.receive(answer(request(AUTHORISE, "o"), "05"))
    assert [told.verdict for told in await asyncio.gather(*asking)] == [Verdict.APPROVED] * 2


async def test_the_gateway_is_reached_over_a_socket_and_again_after_it_broke() -> None:
    simulator = Simulator(late=0.05)
    async with SocketGateway("127.0.0.1", 0, 5.0) as unreachable:
        with pytest.raises(GatewayAway):
            await unreachable.authorise("o", Money(1, "GBP"))
    async with (
        SimulatorServer(simulator).listening("127.0.0.1", 0) as port,
        SocketGateway("127.0.0.1", port, 5.0) as gateway,
    ):
        answers = await asyncio.gather(*(gateway.authorise(f"o-{n}", Money(500 + n, "GBP")) for n in range(14)))
        assert [told.verdict for told in answers] == [Verdict.APPROVED] * 13 + [Verdict.DECLINED]
        assert gateway._writer is not None
        gateway._writer.close()
        assert (await gateway.authorise("again", Money(100, "GBP"))).verdict is Verdict.APPROVED
    await eventually(lambda: len(asyncio.all_tasks()) == 1)
