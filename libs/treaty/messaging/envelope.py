"""The envelope of an integration event: CloudEvents 1.0, binary mode, as AMQP headers.

Sources: the CloudEvents core specification 1.0.2; its RabbitMQ binding (header prefix `ce-`); the extensions
correlation, partitioning, sequence and distributed tracing. Headers named `cloudEvents_` or `cloudEvents:`, as the
AMQP 1.0 binding has them, are read too.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from treaty.commits.codec import NeedsDeploy
from treaty.commits.commit import CauseEntry, Commit

CONTENT_TYPE = "application/protobuf"
PARTITION_HEADER = "ce-partitionkey"
_PREFIXES = ("ce-", "cloudevents_", "cloudevents:")
_SCHEMA = "type.googleapis.com/"


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
        Malformed: if a required attribute is missing or the time cannot be read.
    """
    attributes = dict(_attributes(headers))
    missing = [name for name in ("id", "type", "source", "partitionkey") if not attributes.get(name)]
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
        partition_key=attributes["partitionkey"],
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


def _attributes(headers: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for name, value in headers.items():
        lower = name.lower()
        for prefix in _PREFIXES:
            if lower.startswith(prefix):
                yield lower.removeprefix(prefix), _text(lower, value)


def _text(name: str, value: object) -> str:
    """Returns an attribute as text; what AMQP can say and CloudEvents cannot is malformed."""
    match value:
        case None:
            return ""
        case bytes():
            try:
                return value.decode()
            except UnicodeDecodeError:
                raise Malformed(f"{name} is not text in UTF-8") from None
        case datetime():
            return value.isoformat()
        case str() | bool() | int() | float():
            return str(value)
        case _:
            raise Malformed(f"{name} is a {type(value).__name__}, not text")


def _time(text: str) -> datetime:
    """Reads a time; CloudEvents lets it be left out."""
    if not text:
        return datetime.fromtimestamp(0, UTC)
    try:
        time = datetime.fromisoformat(text)
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise Malformed(f"{text!r} is not a time") from None


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
