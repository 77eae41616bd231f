"""The envelope of an integration event: CloudEvents 1.0, binary mode, as AMQP headers.

Sources: the CloudEvents core specification 1.0.2; its RabbitMQ binding (header prefix `ce-`); the extensions
correlation, partitioning, sequence and distributed tracing. Headers named `cloudEvents_` or `cloudEvents:`, as the
AMQP 1.0 binding has them, or `ce_`, as the Kafka binding has them, are read too, and so is the JSON format (structured
mode).
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from treaty.commits.codec import NeedsDeploy
from treaty.commits.commit import CauseEntry, Commit

CONTENT_TYPE = "application/protobuf"
PARTITION_HEADER = "ce-partitionkey"
_PREFIXES = ("ce-", "ce_", "cloudevents_", "cloudevents:")
_SCHEMA = "type.googleapis.com/"
_LONGEST_TEXT = 1 << 16
_NO_TIME = datetime.fromtimestamp(0, UTC)
_RFC_3339 = re.compile(r"(\d{4}-\d\d-\d\d)[T _](\d\d:\d\d):(\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)?", re.ASCII)


class Malformed(NeedsDeploy):
    """A message that is no event of ours: an attribute is missing or makes no sense."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """One integration event on its way. All text; `time` is UTC; `sequence` orders the events of one `source`."""

    id: str
    type: str
    source: str
    subject: str
    time: datetime
    partition_key: str
    sequence: str
    body: bytes
    correlation: str = ""
    causation: str = ""
    trace: str = ""
    tracestate: str = ""
    baggage: str = ""
    tenant: str = ""
    environment: str = ""

    @property
    def producer(self) -> str:
        """The context that published it, such as commerce.ordering."""
        return self.source.split("/")[1] if self.source.startswith("/") else self.source

    @property
    def key(self) -> str:
        """A name that no other event has: by CloudEvents, the source and the id of an event are unique together.

        The source of a context is `/<context>/<stream>`, and its ids begin with the stream. For a source with more
        parts, which another producer may have, there is a digest of it.
        """
        rest = self.source.removeprefix(f"/{self.producer}").removeprefix("/")
        if "/" not in rest or not self.source.startswith("/") or self.id.startswith(f"{rest}@"):
            return f"{self.producer}/{self.id}"
        digest = hashlib.blake2b(self.source.encode(errors="surrogatepass"), digest_size=8).hexdigest()
        return f"{self.producer}/{digest}/{self.id}"

    def headers(self) -> dict[str, str]:
        """Returns the AMQP headers; empty attributes are left out."""
        attributes = {
            "specversion": "1.0",
            "id": self.id,
            "type": self.type,
            "source": self.source,
            "subject": self.subject,
            "time": self.time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "dataschema": _SCHEMA + self.type,
            "partitionkey": self.partition_key,
            "sequence": self.sequence,
            "correlationid": self.correlation,
            "causationid": self.causation,
            "traceparent": self.trace,
            "tracestate": self.tracestate,
            "baggage": self.baggage,
            "tenant": self.tenant,
            "environment": self.environment,
        }
        return {f"ce-{name}": value for name, value in attributes.items() if value}


def parse(headers: Mapping[str, object], body: bytes) -> Envelope:
    """Reads the envelope of a delivery.

    Raises:
        Malformed: if a required attribute is missing or no text, or the version is not 1.0. No other attribute makes a
            message malformed.
    """
    attributes = dict(_attributes(headers))
    if not attributes.get("id"):
        structured, data = _structured(body)
        attributes, body = {**structured, **attributes}, data if structured else body
    missing = [name for name in ("id", "type", "source") if not attributes.get(name)]
    if missing:
        raise Malformed(f"the message lacks the CloudEvents attributes {', '.join(missing)}")
    if attributes.get("specversion", "1.0") != "1.0":
        raise Malformed(f"CloudEvents {attributes['specversion']} is not 1.0")
    return Envelope(
        id=attributes["id"],
        type=attributes["type"],
        source=attributes["source"],
        subject=attributes.get("subject", ""),
        time=_time(attributes.get("time", "")),
        partition_key=attributes.get("partitionkey") or attributes.get("subject") or attributes["source"],
        sequence=attributes.get("sequence", ""),
        body=body,
        correlation=attributes.get("correlationid", ""),
        causation=attributes.get("causationid", ""),
        trace=attributes.get("traceparent", ""),
        tracestate=attributes.get("tracestate", ""),
        baggage=attributes.get("baggage", ""),
        tenant=attributes.get("tenant", ""),
        environment=attributes.get("environment", ""),
    )


def plain(headers: Mapping[str, object]) -> Sequence[tuple[str, str | bytes]]:
    """Returns the headers of a message that cannot be read, so that a later version of the code can try again."""
    return [(name, value if isinstance(value, str | bytes) else str(value)) for name, value in headers.items()]


def _structured(body: bytes) -> tuple[dict[str, str], bytes]:
    """Returns the attributes and the data of an event in CloudEvents' JSON format; no attributes if it is none."""
    try:
        event = json.loads(body) if body[:1] == b"{" else {}
        if not isinstance(event, dict) or "specversion" not in event:
            return {}, body
        data = base64.b64decode(event.pop("data_base64", ""), validate=True)
        if "data" in event:
            data = json.dumps(event.pop("data"), separators=(",", ":")).encode()
        return {name: _text(value) for name, value in event.items()}, data
    except (ValueError, TypeError, RecursionError):
        return {}, body


def _attributes(headers: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for name, value in headers.items():
        lower = name.lower()
        for prefix in _PREFIXES:
            if lower.startswith(prefix):
                yield lower.removeprefix(prefix), _text(value)


def _text(value: object) -> str:
    """Returns an attribute as text; empty for a value that is no text, such as a list, or that nobody could keep."""
    match value:
        case None:
            return ""
        case bytes():
            try:
                return value.decode()
            except UnicodeDecodeError:
                return ""
        case datetime():
            return value.isoformat()
        case str():
            return value if len(value) <= _LONGEST_TEXT and _is_utf8(value) else ""
        case bool() | int() | float():
            return str(value)
        case _:
            return ""


def _is_utf8(text: str) -> bool:
    """Returns whether a text can be stored and sent: JSON may have half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _time(text: str) -> datetime:
    """Reads a time of RFC 3339; the beginning of 1970 if it is left out or unreadable, since CloudEvents needs none.

    RFC 3339 allows small letters, a blank instead of the T, any number of digits of a second, and leap seconds.
    """
    match = _RFC_3339.fullmatch(text.upper())
    if match is None:
        return _NO_TIME
    date, time, second, digits, zone = match.groups()
    leap = second == "60"
    try:
        read = datetime.fromisoformat(f"{date}T{time}:{'59' if leap else second}.{(digits or '')[:6]:0<6}{zone or 'Z'}")
        return read.astimezone(UTC) + timedelta(seconds=leap)
    except (ValueError, OverflowError):
        return _NO_TIME


def envelopes(commit: Commit, *, context: str, environment: str = "") -> Iterator[Envelope]:
    """Yields the integration events of a commit, in order.

    The trace is that of the command or message that caused the event: relaying it never changes it.
    """
    first = commit.sequence - len(commit.outbox) + 1
    subject = commit.stream.partition("-")[2]
    for index, outgoing in enumerate(commit.outbox):
        cause: CauseEntry = commit.causes[outgoing.cause]
        yield Envelope(
            id=f"{commit.stream}@{commit.version}#{index + 1}",
            type=outgoing.type,
            source=f"/{context}/{commit.stream}",
            subject=subject,
            time=outgoing.time,
            partition_key=subject,
            sequence=f"{first + index:012d}",
            body=outgoing.body,
            correlation=cause.correlation or cause.id,
            causation=cause.id,
            trace=cause.trace,
            tracestate=cause.tracestate,
            baggage=cause.baggage,
            tenant=cause.tenant,
            environment=environment,
        )


def messaging_attributes(
    envelope: Envelope, *, operation: str, kind: str, destination: str
) -> dict[str, str | int | float | bool]:
    """Returns the span attributes of an event on its way, by OpenTelemetry's messaging conventions.

    Args:
        operation: publish or process.
        kind: the convention's type of the operation: send or process.
        destination: exchange, routing key and queue, as far as they matter, joined by colons.
    """
    return {
        "messaging.system": "rabbitmq",
        "messaging.operation.type": kind,
        "messaging.operation.name": operation,
        "messaging.destination.name": destination,
        "messaging.rabbitmq.destination.routing_key": envelope.type,
        "messaging.message.id": envelope.id,
        "messaging.message.conversation_id": envelope.correlation,
        "cloudevents.event_id": envelope.id,
        "cloudevents.event_type": envelope.type,
        "cloudevents.event_source": envelope.source,
    }
