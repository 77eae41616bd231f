"""The envelope, pinned: other teams read these headers. See tests/golden/envelope.json."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from treaty.commits.commit import CauseEntry, Outgoing
from treaty.messaging.envelope import Envelope, Malformed, envelopes, parse
from treaty.testing.samples import NOON, envelope, plain_commit

from scripts.lib.paths import ROOT
from tests.golden_files import matches_golden

NO_TIME = datetime.fromtimestamp(0, UTC)

GOLDEN = ROOT / "tests/golden/envelope.json"

CAUSE = CauseEntry(
    id="PlaceOrder/6f1c", digest="d", actor="ann", tenant="acme", trace="00-aa-bb-01", correlation="6f1c", events=2
)
COMMIT = replace(
    plain_commit("order-6f1c", 3),
    causes=[CAUSE],
    sequence=8,
    outbox=[
        Outgoing(type="commerce.ordering.v1.OrderPlaced", body=b"\x0a\x046f1c", time=NOON, cause=0),
        Outgoing(type="commerce.ordering.v1.OrderConfirmed", body=b"", time=NOON, cause=0),
    ],
)


def test_the_envelopes_of_a_commit_are_these_bytes() -> None:
    made = [
        {"headers": event.headers(), "body": event.body.hex()}
        for event in envelopes(COMMIT, context="commerce.ordering", environment="prod")
    ]
    matches_golden(GOLDEN, made)


def test_what_was_written_last_year_is_read_today() -> None:
    for stored in json.loads(GOLDEN.read_text()):
        event = parse(stored["headers"], bytes.fromhex(stored["body"]))
        assert event.headers() == stored["headers"]
        assert (event.producer, event.partition_key, event.time) == ("commerce.ordering", "6f1c", NOON)


_texts = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=12)


_times = st.datetimes(timezones=st.just(UTC)).map(lambda time: time.replace(year=2024, day=1, microsecond=0))


@given(
    st.builds(
        Envelope,
        id=_texts,
        type=_texts,
        source=_texts,
        subject=_texts,
        time=_times,
        partition_key=_texts,
        sequence=_texts,
        body=st.binary(max_size=20),
        correlation=_texts | st.just(""),
        causation=_texts | st.just(""),
        trace=_texts | st.just(""),
        tracestate=_texts | st.just(""),
        tenant=_texts | st.just(""),
        environment=_texts | st.just(""),
    )
)
def test_what_was_sent_is_received(event: Envelope) -> None:
    assert parse(event.headers(), event.body) == event


@pytest.mark.parametrize("prefix", ["cloudEvents_", "cloudEvents:", "CE-"])
def test_the_prefixes_of_other_bindings_are_read_too(prefix: str) -> None:
    event = envelope("made.up", "e1")
    headers = {name.replace("ce-", prefix, 1): value for name, value in event.headers().items()}
    assert parse(headers, event.body) == event


def test_headers_of_others_and_values_in_bytes_do_no_harm() -> None:
    event = envelope("made.up", "e1")
    headers = {**{n: v.encode() for n, v in event.headers().items()}, "x-death": [1], "content-type": "x"}
    assert parse(headers, event.body) == event


@pytest.mark.parametrize("name", ["id", "type", "source"])
def test_a_message_without_a_required_attribute_is_malformed(name: str) -> None:
    headers = envelope("made.up", "e1").headers()
    del headers[f"ce-{name}"]
    with pytest.raises(Malformed, match=name):
        parse(headers, b"")


def test_another_version_of_cloudevents_is_malformed() -> None:
    with pytest.raises(Malformed, match=r"0\.3"):
        parse({**envelope("made.up", "e1").headers(), "ce-specversion": "0.3"}, b"")


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("2024-02-29T12:00:00Z", datetime(2024, 2, 29, 12, tzinfo=UTC)),
        ("2024-02-29t12:00:00z", datetime(2024, 2, 29, 12, tzinfo=UTC)),
        ("2024-02-29 12:00:00+00:00", datetime(2024, 2, 29, 12, tzinfo=UTC)),
        ("2024-02-29T12:00:00.5-00:30", datetime(2024, 2, 29, 12, 30, 0, 500_000, tzinfo=UTC)),
        ("2024-02-29T12:00:00.123456789Z", datetime(2024, 2, 29, 12, 0, 0, 123_456, tzinfo=UTC)),
        ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC)),
        ("2024-02-29T12:00:00", datetime(2024, 2, 29, 12, tzinfo=UTC)),
        *((text, NO_TIME) for text in ("", "yesterday", "2024-02-30T12:00:00Z", "0001-01-01T00:00:00+23:59")),
        *((text, NO_TIME) for text in ("9999-12-31T23:59:59-23:59", "2024-02-29T12:00:00.Z", "２０24-02-29T12:00:00Z")),
    ],
)
def test_every_form_of_a_time_is_read_and_no_time_makes_a_message_malformed(text: str, read: datetime) -> None:
    headers: dict[str, object] = {**envelope("made.up", "e1").headers(), "ce-time": text}
    assert parse(headers, b"").time == read


def test_an_event_without_a_partition_key_is_ordered_by_its_subject_or_source() -> None:
    headers = envelope("made.up", "e1", key="a").headers()
    del headers["ce-partitionkey"]
    assert parse(headers, b"").partition_key == headers["ce-subject"]
    del headers["ce-subject"]
    assert parse(headers, b"").partition_key == headers["ce-source"]


def test_an_event_in_the_json_format_is_read() -> None:
    event = envelope("made.up", "e1", body=b"\x00data")
    attributes = {name.removeprefix("ce-"): value for name, value in event.headers().items()}
    coded = base64.b64encode(event.body).decode()
    assert parse({}, json.dumps({**attributes, "data_base64": coded}).encode()) == event
    assert parse({}, json.dumps({**attributes, "data": {"a": 1}}).encode()).body == b'{"a":1}'
    for body in (b"{", b"{}", b"[1]", b'{"specversion": "1.0"}', b"", json.dumps({**attributes, "id": [1]}).encode()):
        with pytest.raises(Malformed):
            parse({}, body)


@pytest.mark.parametrize("odd", ["half \ud800 of a pair", "x" * 100_000])
def test_an_attribute_that_nobody_could_keep_counts_as_missing(odd: str) -> None:
    attributes = {name.removeprefix("ce-"): value for name, value in envelope("made.up", "e1").headers().items()}
    for name in ("id", "type", "source"):
        with pytest.raises(Malformed, match=name):
            parse({}, json.dumps({**attributes, name: odd}).encode())
    parsed = parse({}, json.dumps({**attributes, "partitionkey": odd, "baggage": odd}).encode())
    assert (parsed.partition_key, parsed.baggage) == (attributes["subject"], "")


def test_events_are_numbered_within_their_commit_and_within_their_stream() -> None:
    one, two = envelopes(COMMIT, context="commerce.ordering")
    assert (one.id, two.id) == ("order-6f1c@3#1", "order-6f1c@3#2")
    assert (one.sequence, two.sequence) == ("000000000007", "000000000008")


def test_relaying_keeps_the_trace_and_the_correlation_of_the_cause() -> None:
    one, _ = envelopes(COMMIT, context="commerce.ordering")
    assert (one.trace, one.correlation, one.causation) == ("00-aa-bb-01", "6f1c", "PlaceOrder/6f1c")
    [first] = envelopes(
        replace(COMMIT, causes=[replace(CAUSE, correlation="")], outbox=COMMIT.outbox[:1]), context="commerce.ordering"
    )
    assert first.correlation == "PlaceOrder/6f1c"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ce-id", b"\xff\xfe"),
        ("ce-type", ["a list"]),
        ("ce-source", {"a": "table"}),
        ("ce-id", None),
    ],
)
def test_what_amqp_can_say_and_an_envelope_cannot_is_malformed(name: str, value: object) -> None:
    headers: dict[str, object] = dict(envelope("test.bank", "1").headers())
    with pytest.raises(Malformed):
        parse({**headers, name: value}, b"")


@pytest.mark.parametrize("value", [b"\xff\xfe", ["a list"], {"a": "table"}, None])
def test_an_optional_attribute_that_is_no_text_is_left_out(value: object) -> None:
    headers: dict[str, object] = dict(envelope("test.bank", "1").headers())
    assert parse({**headers, "ce-tenant": value, "ce-made-up": value, "ce-time": value}, b"").tenant == ""
