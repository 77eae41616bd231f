"""What the subscriptions of a context say with one event: translated, and committed under the event's id."""

from collections.abc import Sequence
from typing import Any

import structlog

from treaty.causes import Cause, acting
from treaty.commits.codec import Newer
from treaty.domain import DomainError
from treaty.messaging.broker import exchange_of
from treaty.messaging.envelope import Envelope, Malformed
from treaty.messaging.subscriptions import Subscription
from treaty.probes import Probe

logger = structlog.get_logger()


class UnknownType(Exception):
    """An event of a type that this version of the context does not want, though its inbox is bound to it."""


SCHEMA_ERRORS = (Malformed, Newer, UnknownType)
"""What only another version of the code can change: it is not tried again before there is one."""


class Dispatcher:
    """Does what the subscriptions of a context say with one event. It may run again; the effects do not."""

    def __init__(self, subscriptions: Sequence[Subscription], probe: Probe) -> None:
        self._probe = probe
        self._by_type: dict[str, list[Subscription]] = {}
        for subscription in subscriptions:
            self._by_type.setdefault(subscription.type, []).append(subscription)

    async def __call__(self, envelope: Envelope, queue: str) -> None:
        if envelope.type not in self._by_type:
            raise UnknownType(f"nobody here subscribes to {envelope.type}: deploy a version that does, or unbind it")
        for subscription in self._by_type[envelope.type]:
            with self._probe.span(
                f"process {queue}",
                kind="consumer",
                parent=envelope.trace,
                links=(envelope.trace,),
                attributes=_attributes(envelope, queue),
            ) as span:
                await self._handle(subscription, envelope, span.trace or envelope.trace)
            self._probe.count("treaty.consumer.processed", type=envelope.type)

    async def _handle(self, subscription: Subscription, envelope: Envelope, trace: str) -> None:
        command = subscription.translate(_parsed(subscription, envelope))
        if command is None:
            return
        cause = Cause(
            id=f"{envelope.producer}/{envelope.id}/{subscription.name}",
            tenant=envelope.tenant,
            trace=trace,
            correlation=envelope.correlation,
            durable=True,
        )
        with acting(cause):
            try:
                await subscription.then(command)
            except DomainError as refusal:
                if not refusal.recorded:
                    raise
                logger.info("a message was refused", event_id=envelope.id, type=envelope.type, reason=refusal.message)


def _parsed(subscription: Subscription, envelope: Envelope) -> Any:
    """Returns the message in an envelope. Raises Malformed: bytes that are none will not be one the next time."""
    try:
        return subscription.parse(envelope.body)
    except Exception as error:
        raise Malformed(f"the body is no {envelope.type}: {type(error).__name__}: {error}") from error


def _attributes(envelope: Envelope, queue: str) -> dict[str, str | int | float | bool]:
    exchange = exchange_of(envelope.producer)
    return {
        "messaging.system": "rabbitmq",
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
        "messaging.destination.name": f"{exchange}:{envelope.type}:{queue}",
        "messaging.rabbitmq.destination.routing_key": envelope.type,
        "messaging.message.id": envelope.id,
        "messaging.message.conversation_id": envelope.correlation,
        "cloudevents.event_id": envelope.id,
        "cloudevents.event_type": envelope.type,
        "cloudevents.event_source": envelope.source,
    }
