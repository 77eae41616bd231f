"""The dispatcher: what a foreign message may pass on, and the causes under which messages take effect."""

from dataclasses import replace
from typing import Any

import pytest
from treaty.causes import Cause, current_cause
from treaty.messaging.dispatcher import Dispatcher
from treaty.messaging.envelope import Envelope
from treaty.messaging.subscriptions import Subscription
from treaty.probes import NoProbe
from treaty.testing.samples import envelope

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def cause_of(event: Envelope) -> Cause:
    """Returns the cause under which an event takes effect."""
    causes: list[Cause] = []

    async def then(body: bytes) -> None:
        causes.append(current_cause())

    subscription = Subscription("Happened", event.type, bytes, lambda body: body, then)
    await Dispatcher([subscription], "queue", NoProbe())(event)
    [cause] = causes
    return cause


async def test_labels_of_a_message_go_on() -> None:
    labels = {"trace": TRACE, "tracestate": "a=1", "baggage": "b=2", "tenant": "t", "correlation": "bestellung-ü"}
    cause = await cause_of(replace(envelope("test.bank", "e1"), **labels))  # type: ignore[arg-type]
    assert {name: getattr(cause, name) for name in labels} == labels


async def test_a_label_that_cannot_be_a_header_of_a_call_is_dropped() -> None:
    cause = await cause_of(replace(envelope("test.bank", "e1"), tracestate="a=ü", baggage="b=1\r\nx: y"))
    assert (cause.tracestate, cause.baggage) == ("", "")


@pytest.mark.parametrize(
    ("label", "longest"), [("tracestate", 512), ("baggage", 8192), ("tenant", 256), ("correlation", 256)]
)
async def test_labels_of_a_message_that_are_too_long_to_be_passed_on_are_dropped(label: str, longest: int) -> None:
    for size, kept in ((longest, True), (longest + 1, False)):
        known: dict[str, Any] = {"trace": TRACE, label: "x" * size}
        assert bool(getattr(await cause_of(replace(envelope("test.bank", "e1"), **known)), label)) is kept


async def test_events_with_one_id_and_different_sources_are_different_events() -> None:
    tills = [replace(envelope("shop.web", "1"), source=f"/shop.web/tills/{n}") for n in (1, 2)]
    causes = [(await cause_of(event)).id for event in (*tills, tills[0])]
    assert causes[0] != causes[1]
    assert causes[0] == causes[2]


@pytest.mark.parametrize("stream", ["account-ann", "account-a/b", "account-//"])
async def test_the_cause_of_an_event_of_a_context_is_its_context_and_id(stream: str) -> None:
    event = replace(envelope("test.bank", f"{stream}@7#1"), source=f"/test.bank/{stream}")
    assert (await cause_of(event)).id == f"test.bank/{stream}@7#1/Happened"


@pytest.mark.parametrize("source", ["/shop.web", "shop.web", "https://shop.web/tills/1", "/shop.web/order-1"])
async def test_a_source_that_is_short_or_no_path_stands_in_the_cause(source: str) -> None:
    event = replace(envelope("shop.web", "1"), source=source)
    assert (await cause_of(event)).id == f"{event.producer}/1/Happened"
