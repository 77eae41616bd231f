"""The payment gateway: its foreign format, its simulator, and our client on either side of a socket."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from treaty.domain import Invalid
from treaty.testing import eventually
from treaty.web.webhooks import Webhook

from services.commerce.money import Money
from services.commerce.payments.application import (
    Answer,
    GatewayAway,
    GatewayRefused,
    GatewayTimeout,
    NoteVerdict,
    Verdict,
)
from services.commerce.payments.external.gateway.client import Books, GatewayClient, InProcessGateway, SocketGateway
from services.commerce.payments.external.gateway.messages import (
    AUTHORISE,
    REVERSE,
    TRY_AGAIN,
    ForeignMessage,
    Line,
    answer,
    decode,
    request,
    to_answer,
    verdict_from,
)
from services.commerce.payments.external.gateway.simulator import Behaviour, Simulator, SimulatorServer

_fields = st.text(st.characters(blacklist_characters="|\r\n", blacklist_categories=["Cs"]), max_size=9)


@given(st.integers(0, 9999), _fields.filter(bool), _fields, _fields, _fields)
def test_a_line_comes_back_as_it_was_written(kind: int, reference: str, amount: str, currency: str, token: str) -> None:
    line = Line(type=f"{kind:04d}", reference=reference, amount=amount, currency=currency, token=token)
    assert decode(line.encode()) == line


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello\n",
        b"0110|ref|00\n",
        b"0110|ref|00|x|tok_1|\n",
        b"abcd|ref|00|x\n",
        b"0110||00|x\n",
        "²110|ref|00|x\n".encode(),
        b"110|ref|00|x\n",
    ],
)
def test_what_is_not_of_the_format_is_refused(data: bytes) -> None:
    with pytest.raises(ForeignMessage):
        decode(data)


def test_an_answer_belongs_to_its_request() -> None:
    asked = request(AUTHORISE, "o-1", Money(500, "GBP"))
    assert asked.encode() == b"0100|o-1|500|GBP\n"
    assert request(AUTHORISE, "o-1", Money(500, "GBP"), "tok_1").encode() == b"0100|o-1|500|GBP|tok_1\n"
    assert (answer(asked, "00").type, answer(asked, "00").answers) == ("0110", AUTHORISE)


@pytest.mark.parametrize(
    ("code", "verdict", "reason"),
    [
        ("00", Verdict.APPROVED, ""),
        ("09", Verdict.IN_PROGRESS, ""),
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
        await gateway.refund("o", "cancellation", Money(500, "GBP"))
    assert (account.captured, account.refunded) == (500, 500)


@pytest.mark.parametrize("token", ["", "tok_1"])
async def test_the_gateway_charges_the_method_that_it_is_told_or_none_in_particular(token: str) -> None:
    gateway = in_process()
    assert (await gateway.authorise("o", Money(500, "GBP"), token)).verdict is Verdict.APPROVED
    account = gateway.simulator.accounts["o"]
    assert (account.held, account.token) == (500, token)


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("tok_declined", "declined by the bank"),
        ("tok_unknown", "unknown payment method"),
        ("tok_expired", "the card has expired"),
    ],
)
async def test_a_method_that_the_gateway_does_not_accept_is_declined_and_holds_nothing(token: str, reason: str) -> None:
    gateway = in_process()
    for _ in range(2):
        told = await gateway.authorise("o", Money(529, "GBP"), token)
        assert told == Answer(verdict=Verdict.DECLINED, reason=reason)
    assert await gateway.books() == Books(held=0, captured=0, refunded=0)


async def captured(gateway: GatewayClient, reference: str = "o") -> None:
    await gateway.authorise(reference, Money(500, "GBP"))
    await gateway.capture(reference, Money(500, "GBP"))


async def test_each_refund_of_a_payment_is_made_once() -> None:
    gateway = in_process()
    await captured(gateway)
    for refund_id, amount in [("r-1", 200), ("r-1", 200), ("r-2", 100), ("r-1", 200)]:
        await gateway.refund("o", refund_id, Money(amount, "GBP"))
    assert await gateway.books("o") == Books(held=0, captured=500, refunded=300)


async def test_the_gateway_gives_back_no_more_than_it_took() -> None:
    gateway = in_process()
    await captured(gateway)
    for refund_id in ("r-1", "r-2"):
        await gateway.refund("o", refund_id, Money(400, "GBP"))
    assert await gateway.books("o") == Books(held=0, captured=500, refunded=500)


async def test_the_books_can_be_read_for_one_payment_and_for_all() -> None:
    gateway = in_process()
    await captured(gateway)
    await gateway.authorise("other", Money(100, "GBP"))
    assert await gateway.books("other") == Books(held=100, captured=0, refunded=0)
    assert await gateway.books() == Books(held=100, captured=500, refunded=0)
    assert await gateway.books("nobody") == Books(held=0, captured=0, refunded=0)


@pytest.mark.parametrize(("amount", "code", "held"), [(529, "00", 529), (531, "05", 0)])
async def test_a_gateway_that_has_to_think_calls_back(amount: int, code: str, held: int) -> None:
    gateway, bodies = in_process(late=0.0), list[bytes]()

    async def take(body: bytes) -> None:
        bodies.append(body)

    gateway.call_back(Webhook(path="/webhooks/gateway", secret="s", take=take))
    for _ in range(2):
        assert (await gateway.authorise("o", Money(amount, "GBP"))).verdict is Verdict.IN_PROGRESS
    await eventually(lambda: bodies)
    said = await gateway.authorise("o", Money(amount, "GBP"))
    assert said.verdict is Verdict.IN_PROGRESS
    assert verdict_from(bodies[0]).answer == to_answer(Line(type="0110", reference="o", amount=code))
    assert (len(bodies), (await gateway.books("o")).held) == (1, held)


def test_a_verdict_is_read_from_what_the_gateway_calls_back_with() -> None:
    approved = verdict_from(b'{"reference": "o", "type": "authorisation", "code": "00"}')
    assert approved == NoteVerdict(order_id="o", answer=Answer(verdict=Verdict.APPROVED))
    declined = verdict_from(b'{"reference": "o", "type": "authorisation", "code": "51", "more": 1}')
    assert declined.answer == Answer(verdict=Verdict.DECLINED, reason="insufficient funds")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"\xff",
        b"[]",
        b"1",
        b"{}",
        b'{"reference": "caf\\ud83d", "type": "authorisation", "code": "00"}',
        b'{"reference": "o", "type": "authorisation"}',
        b'{"reference": "o", "type": "capture", "code": "00"}',
        b'{"reference": 1, "type": "authorisation", "code": "00"}',
        b'{"reference": "o", "type": "authorisation", "code": 0}',
        b'{"reference": "o", "type": "authorisation", "code": "09"}',
    ],
)
def test_what_is_no_verdict_is_refused(body: bytes) -> None:
    with pytest.raises(Invalid):
        verdict_from(body)


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


@pytest.mark.parametrize(("rule", "method"), [("refuse-capture", "capture"), ("refuse-void", "void")])
async def test_a_refusal_of_the_gateway_is_no_outage(rule: Behaviour, method: str) -> None:
    gateway = in_process(patience=1.0, late=0.03)
    gateway.simulator.rules = {37: rule}
    await gateway.authorise("o", Money(537, "GBP"))
    arguments = (Money(537, "GBP"),) if method == "capture" else ()
    with pytest.raises(GatewayRefused, match="declined by the bank"):
        await getattr(gateway, method)("o", *arguments)
    assert gateway.simulator.accounts["o"].held == 537


@pytest.mark.parametrize("code", sorted(TRY_AGAIN))
async def test_a_gateway_that_did_not_decide_is_asked_again(code: str) -> None:
    gateway = Deaf(5.0)
    asking = asyncio.create_task(gateway.void("o"))
    await eventually(lambda: gateway._waiting)
    gateway.receive(answer(request(REVERSE, "o"), code))
    with pytest.raises(GatewayAway):
        await asking


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


@pytest.mark.parametrize(
    "said", [b"", b"x" * 70_000 + b"\n", "²110|o|00|\n".encode()], ids=["nothing", "no end of a line", "no line"]
)
async def test_a_connection_that_gives_no_answers_is_replaced(said: bytes) -> None:
    connections = 0

    async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        is_first = connections == 1
        async for line in reader:
            writer.write(said if is_first else answer(decode(line), "00").encode())
        writer.close()

    server = await asyncio.start_server(answers, "127.0.0.1", 0)
    async with server, SocketGateway("127.0.0.1", server.sockets[0].getsockname()[1], 0.5) as gateway:
        with pytest.raises(GatewayTimeout):
            await gateway.authorise("first", Money(1, "GBP"))
        for number in range(3):
            assert (await gateway.authorise(f"o-{number}", Money(1, "GBP"))).verdict is Verdict.APPROVED
        assert connections == 2


async def test_a_gateway_that_answers_others_keeps_its_connection() -> None:
    connections = 0

    async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        async for line in reader:
            asked = decode(line)
            if asked.reference != "slow":
                writer.write(answer(asked, "00").encode())
        writer.close()

    server = await asyncio.start_server(answers, "127.0.0.1", 0)
    async with server, SocketGateway("127.0.0.1", server.sockets[0].getsockname()[1], 0.5) as gateway:
        slow = asyncio.create_task(gateway.authorise("slow", Money(1, "GBP")))
        while not slow.done():
            assert (await gateway.authorise("quick", Money(1, "GBP"))).verdict is Verdict.APPROVED
            await asyncio.sleep(0.05)
        with pytest.raises(GatewayTimeout):
            await slow
        assert connections == 1


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
        assert (await gateway.authorise("card", Money(1, "GBP"), "tok_unknown")).verdict is Verdict.DECLINED
        assert gateway._writer is not None
        gateway._writer.close()
        assert (await gateway.authorise("again", Money(100, "GBP"))).verdict is Verdict.APPROVED
    await eventually(lambda: len(asyncio.all_tasks()) == 1)
