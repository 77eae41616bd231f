"""The dispatcher: translates an event for each subscription to it, and commits under the event's id."""

from collections.abc import Sequence
from typing import Any

import structlog

from treaty.causes import Cause, acting, label
from treaty.commits.codec import NeedsDeploy
from treaty.domain import DomainError
from treaty.messaging.broker import exchange_of
from treaty.messaging.envelope import Envelope, Malformed, messaging_attributes
from treaty.messaging.subscriptions import Subscription
from treaty.probes import Probe

logger = structlog.get_logger()


class UnknownType(NeedsDeploy):
    """An event of a type that this version of the context does not want, though its inbox is bound to it."""


class Dispatcher:
    """Handles the events of one queue as the subscriptions of its context say.

    Handling an event again has no second effect.
    """

    def __init__(self, subscriptions: Sequence[Subscription], queue: str, probe: Probe) -> None:
        self._queue, self._probe = queue, probe
        self._by_type: dict[str, list[Subscription]] = {}
        for subscription in subscriptions:
            self._by_type.setdefault(subscription.type, []).append(subscription)

    async def __call__(self, envelope: Envelope) -> None:
        """Carries out every subscription to the event, one after another.

        Raises:
            NeedsDeploy: this version of the code cannot read the event, or has no subscription to it.
            Exception: as the translation or the use case raises it.
        """
        if envelope.type not in self._by_type:
            raise UnknownType(f"nobody here subscribes to {envelope.type}: deploy a version that does, or unbind it")
        for subscription in self._by_type[envelope.type]:
            with self._probe.span(
                f"process {self._queue}",
                kind="consumer",
                parent=envelope.trace,
                links=(envelope.trace,),
                attributes=messaging_attributes(
                    envelope,
                    operation="process",
                    kind="process",
                    destination=f"{exchange_of(envelope.producer)}:{envelope.type}:{self._queue}",
                ),
            ) as span:
                await self._handle(subscription, envelope, span.trace or envelope.trace)
            self._probe.count("treaty.consumer.processed", type=envelope.type)

    async def _handle(self, subscription: Subscription, envelope: Envelope, trace: str) -> None:
        command = subscription.translate(_parsed(subscription, envelope))
        if command is None:
            return
        cause = Cause(
            id=f"{envelope.key}/{subscription.name}",
            tenant=label("tenant", envelope.tenant),
            trace=label("trace", trace),
            correlation=label("correlation", envelope.correlation),
            durable=True,
            tracestate=label("tracestate", envelope.tracestate),
            baggage=label("baggage", envelope.baggage),
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
