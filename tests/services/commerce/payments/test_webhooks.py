"""The gateway calls back over HTTP: signed, verified, and each verdict once. Refunds in parts, over gRPC."""

import json
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import aiohttp
import grpc
import pytest
from commerce.customers.v1 import customers_events_pb2 as customers
from commerce.ordering.v1 import ordering_events_pb2 as ordering
from commerce.payments.v1 import payments_events_pb2 as events
from commerce.payments.v1 import payments_service_pb2 as pb
from commerce.payments.v2 import payments_events_pb2 as events2
from google.protobuf.timestamp_pb2 import Timestamp
from treaty.clock import SystemClock
from treaty.settings import SettingsError
from treaty.testing import eventually
from treaty.testing.clients import TIMEOUT, refusal
from treaty.testing.world import embedded
from treaty.web.server import WebhookServer
from treaty.web.webhooks import TOLERANCE_SECONDS, sign

from services.commerce.payments.external.gateway.client import Books
from tests.services.clients import Shop, money, told

ORDER = "aaaaaaaa-2222-4333-8444-555555555555"
REFUND = "cccccccc-2222-4333-8444-555555555555"
SECRET = "a secret of the gateway"
THINKING = 529
"""The simulated gateway has to think about this amount."""


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    environ = {"HTTP_HOST": "127.0.0.1", "HTTP_PORT": "0", "PAYMENTS_WEBHOOK_SECRET": SECRET}
    async with embedded("commerce.payments", environ=environ) as world:
        yield Shop(world)


def placed(shop: Shop, minor_units: int = 500, customer_id: str = "") -> None:
    event = ordering.OrderPlaced(order_id=ORDER, total=money(minor_units), customer_id=customer_id)
    shop.hear("commerce.payments", ORDER, event)


def confirmed(shop: Shop) -> None:
    shop.hear("commerce.payments", ORDER, ordering.OrderConfirmed(order_id=ORDER))


def cancelled(shop: Shop) -> None:
    shop.hear("commerce.payments", ORDER, ordering.OrderCancelled(order_id=ORDER))


def announced(shop: Shop, kind: Any) -> list[Any]:
    """Returns what was announced of one kind, as its consumers read it."""
    name = kind.DESCRIPTOR.full_name
    return [kind.FromString(one.body) for one in shop.world.broker.published if one.type == name]


async def thinking(shop: Shop) -> None:
    """Brings a payment to where the gateway thinks about it."""
    placed(shop, THINKING)
    await shop.paid(ORDER, pb.PAYMENT_STATUS_REQUESTED)
    await shop.settled()


def verdict(code: str = "00", reference: str = ORDER) -> bytes:
    return json.dumps({"reference": reference, "type": "authorisation", "code": code}).encode()


async def post(
    shop: Shop, body: bytes, id: str = "v-1", *, secret: str = SECRET, age: int = 0, more: Any = None
) -> int:
    """Calls back as the gateway does; returns how it was answered."""
    assert shop.world.host.webhooks is not None
    url = f"http://127.0.0.1:{shop.world.host.webhooks.port}/webhooks/gateway"
    headers = sign(secret, id, int(SystemClock().now().timestamp()) - age, body) | (more or {})
    async with aiohttp.ClientSession() as session, session.post(url, data=body, headers=headers) as answer:
        return answer.status


async def test_a_verdict_takes_effect_once(shop: Shop) -> None:
    await thinking(shop)
    confirmed(shop)
    assert [await post(shop, verdict()) for _ in range(2)] == [204, 204]
    assert await post(shop, verdict(), "v-2") == 204
    paid = await shop.paid(ORDER, pb.PAYMENT_STATUS_CAPTURED)
    await shop.settled()
    assert [one.kind for one in paid.transactions] == [
        pb.TRANSACTION_KIND_AUTHORISATION,
        pb.TRANSACTION_KIND_CAPTURE,
    ]
    assert len(announced(shop, events.PaymentAuthorised)) == 1


async def test_a_webhook_continues_what_began_the_payment_and_carries_nothing_of_its_sender(shop: Shop) -> None:
    event = ordering.OrderPlaced(order_id=ORDER, total=money(THINKING))
    shop.world.broker.deliver("commerce.payments", replace(told(ORDER, event), correlation="order-7"))
    await shop.paid(ORDER, pb.PAYMENT_STATUS_REQUESTED)
    await shop.settled()
    foreign = {"baggage": "a=b", "tracestate": "a=b", "treaty-correlation": "forged", "actor": "root", "tenant": "all"}
    assert await post(shop, verdict(), more={**foreign, "traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}) == 204
    commits = await shop.world.stores["commerce.payments"].log.under(f"payment-{ORDER}")
    [cause] = [one for commit in commits for one in commit.causes if one.id.startswith("webhook")]
    assert (cause.correlation, cause.baggage, cause.tracestate) == ("order-7", "", "")
    assert (cause.actor, cause.tenant) == ("", "")
    await shop.settled()
    [authorised] = [one for one in shop.world.broker.published if one.type.endswith("PaymentAuthorised")]
    assert authorised.correlation == "order-7"


async def test_a_verdict_may_be_a_no(shop: Shop) -> None:
    await thinking(shop)
    assert await post(shop, verdict("51")) == 204
    assert (await shop.paid(ORDER, pb.PAYMENT_STATUS_FAILED)).reason == "insufficient funds"


async def test_only_the_gateway_itself_is_believed_and_only_in_time(shop: Shop) -> None:
    await thinking(shop)
    assert await post(shop, verdict(), secret="wrong") == 401
    assert await post(shop, verdict(), age=TOLERANCE_SECONDS + 60) == 401
    assert await post(shop, verdict(), age=-TOLERANCE_SECONDS - 60) == 401
    assert (await shop.payment(ORDER)).status == pb.PAYMENT_STATUS_REQUESTED


async def test_an_id_that_is_known_says_the_same_thing_always(shop: Shop) -> None:
    await thinking(shop)
    assert await post(shop, verdict("05")) == 204
    assert await post(shop, verdict("00")) == 409
    assert (await shop.payment(ORDER)).status == pb.PAYMENT_STATUS_FAILED


@pytest.mark.parametrize("body", [b"", b"hello", b"{}", verdict("09")])
async def test_nonsense_is_refused(shop: Shop, body: bytes) -> None:
    assert await post(shop, body) == 400


async def test_a_verdict_on_a_payment_that_there_is_not_changes_nothing(shop: Shop) -> None:
    assert await post(shop, verdict()) == 204
    assert (await refusal(shop.payment(ORDER))).code is grpc.StatusCode.NOT_FOUND


async def test_money_that_is_held_after_the_order_was_cancelled_is_given_up(shop: Shop) -> None:
    gateway = shop.world.resource("commerce.payments")
    gateway.simulator.late = 0.01
    gateway.simulator.rules = {29: "callback"}
    placed(shop, THINKING)
    cancelled(shop)
    await shop.paid(ORDER, pb.PAYMENT_STATUS_FAILED)
    await eventually(lambda: gateway.simulator.accounts[ORDER].verdict)
    assert await post(shop, verdict(), "late") == 204
    await shop.settled()
    assert await gateway.books(ORDER) == Books(held=0, captured=0, refunded=0)
    assert (await shop.payment(ORDER)).status == pb.PAYMENT_STATUS_FAILED


async def captured(shop: Shop, customer_id: str = "ann") -> Any:
    placed(shop, 500, customer_id)
    confirmed(shop)
    return await shop.paid(ORDER, pb.PAYMENT_STATUS_CAPTURED)


async def refund(shop: Shop, amount: int, refund_id: str = REFUND, request_id: str = "") -> Any:
    request = pb.RefundPaymentRequest(
        request_id=request_id or shop.ids.new(), order_id=ORDER, refund_id=refund_id, amount=money(amount)
    )
    return await shop.payments.RefundPayment(request, timeout=TIMEOUT)


async def test_money_is_given_back_in_parts_and_announced_in_both_versions(shop: Shop) -> None:
    await captured(shop)
    request_id = shop.ids.new()
    first = await refund(shop, 200, request_id=request_id)
    assert await refund(shop, 200, request_id=request_id) == first
    await refund(shop, 200)
    await eventually(lambda: announced(shop, events2.PaymentRefunded))
    assert announced(shop, events.PaymentRefunded) == []
    await refund(shop, 300, shop.ids.new())
    assert (await shop.paid(ORDER, pb.PAYMENT_STATUS_REFUNDED)).refunded == money(500)
    (whole,) = await eventually(lambda: announced(shop, events.PaymentRefunded))
    assert whole == events.PaymentRefunded(order_id=ORDER, amount=money(500), customer_id="ann")
    parts = announced(shop, events2.PaymentRefunded)
    assert [(one.amount, one.remaining) for one in parts] == [(money(200), money(300)), (money(300), money(0))]
    gateway = shop.world.resource("commerce.payments")
    assert await gateway.books(ORDER) == Books(held=0, captured=500, refunded=500)


async def test_a_cancellation_gives_back_what_is_left(shop: Shop) -> None:
    await captured(shop)
    await refund(shop, 200)
    cancelled(shop)
    back = await shop.paid(ORDER, pb.PAYMENT_STATUS_REFUNDED)
    done = [(one.refund_id, one.amount) for one in back.transactions if one.kind == pb.TRANSACTION_KIND_REFUND]
    assert done == [(REFUND, money(200)), ("cancellation", money(300))]


async def test_too_much_or_too_early_is_not_given_back(shop: Shop) -> None:
    placed(shop)
    await shop.paid(ORDER, pb.PAYMENT_STATUS_AUTHORISED)
    assert (await refusal(refund(shop, 200))).reason == "NOT_CAPTURED"
    await captured(shop)
    assert (await refusal(refund(shop, 501))).reason == "REFUND_TOO_LARGE"
    await refund(shop, 200)
    differs = await refusal(refund(shop, 201))
    assert (differs.code, differs.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REFUND_DIFFERS")


async def register(shop: Shop, token: str = "tok_1", seconds: int | None = None) -> None:
    expires_at = None if seconds is None else Timestamp(seconds=seconds)
    request = pb.RegisterMethodRequest(
        request_id=shop.ids.new(), customer_id="ann", token=token, label="card", expires_at=expires_at
    )
    await shop.payments.RegisterMethod(request, timeout=TIMEOUT)


@pytest.mark.parametrize("seconds", [None, 4_000_000_000])
async def test_the_gateway_charges_the_method_of_the_customer(shop: Shop, seconds: int | None) -> None:
    await register(shop, seconds=seconds)
    assert (await captured(shop)).method == "card"
    gateway = shop.world.resource("commerce.payments")
    assert gateway.simulator.accounts[ORDER].token == "tok_1"


async def test_an_order_of_a_customer_without_a_method_is_paid_by_none_that_is_shown(shop: Shop) -> None:
    assert (await captured(shop)).method == ""
    gateway = shop.world.resource("commerce.payments")
    assert gateway.simulator.accounts[ORDER].token == ""


async def test_a_method_that_the_gateway_declines_fails_the_payment(shop: Shop) -> None:
    await register(shop, "tok_declined")
    placed(shop, customer_id="ann")
    failed = await shop.paid(ORDER, pb.PAYMENT_STATUS_FAILED)
    assert (failed.method, failed.reason) == ("card", "declined by the bank")


async def test_an_expired_method_is_not_charged_and_no_other_is(shop: Shop) -> None:
    await register(shop, seconds=1)
    placed(shop, customer_id="ann")
    failed = await shop.paid(ORDER, pb.PAYMENT_STATUS_FAILED)
    assert (failed.method, failed.reason) == ("card", "the payment method has expired")
    await shop.settled()
    assert shop.world.resource("commerce.payments").simulator.accounts == {}


async def test_the_orders_of_a_forgotten_customer_have_no_method(shop: Shop) -> None:
    await register(shop)
    shop.hear("commerce.payments", "ann", customers.CustomerForgotten(customer_id="ann"))
    await shop.settled()
    assert (await refusal(register(shop))).reason == "CUSTOMER_FORGOTTEN"
    assert (await captured(shop)).method == ""


async def test_a_port_that_somebody_else_has_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = WebhookServer([], host="127.0.0.1", port=port, clock=SystemClock(), unread=2, patience=1.0)
        with pytest.raises(SettingsError, match=f"HTTP_PORT {port}"):
            await server.start()
        await server.stop()


async def test_a_refund_that_the_gateway_refuses_is_seen_and_asked_for_once_more(shop: Shop) -> None:
    simulator = shop.world.resource("commerce.payments").simulator
    simulator.rules = {37: "refuse-refund"}
    placed(shop, 537)
    confirmed(shop)
    await shop.paid(ORDER, pb.PAYMENT_STATUS_CAPTURED)
    await refund(shop, 200)
    await eventually(lambda: announced(shop, events.RefundRefused))
    (refused,) = (await shop.payment(ORDER)).refused_refunds
    assert (refused.refund_id, refused.reason) == (REFUND, "declined by the bank")
    simulator.rules = {}
    await refund(shop, 200)
    await eventually(lambda: announced(shop, events2.PaymentRefunded))
    assert not (await shop.payment(ORDER)).refused_refunds
