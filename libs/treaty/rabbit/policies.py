"""Reads the policies in force on the queues of a context, and names those that can drop messages.

AMQP does not show policies; the management API of RabbitMQ does (the plugin rabbitmq_management). A policy with a key
that a queue does not know is not applied at all, so only `effective_policy_definition` counts.
"""

import asyncio
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import structlog

from treaty.messaging.broker import MayDrop
from treaty.rabbit.topology import MAX_DELIVERIES

logger = structlog.get_logger()

_AT_ONCE = 8

_REFUSING = {"reject-publish", "reject-publish-dlx"}


class Policies:
    """The policies of a virtual host, read over HTTP.

    Args:
        url: returns http(s)://user:password@host:15672; it is called before each check. The user needs the tag
            `monitoring` or `management`, and no more.
        virtual_host: the one of the context's queues.
        timeout: seconds for a check of all queues of a context, so that a slow management API keeps nobody waiting.
    """

    def __init__(self, url: Callable[[], str], virtual_host: str, *, timeout: float = 15.0) -> None:
        self._url, self._virtual_host, self._timeout = url, virtual_host, timeout
        self._faults: dict[str, Sequence[str]] = {}

    async def check(self, context: str, queues: Sequence[str]) -> None:
        """Checks the queues of a context.

        While the policies cannot be read, the result of the last check counts: the management API may be away without
        the broker.

        Raises:
            MayDrop: if a policy can drop messages.
        """
        try:
            async with asyncio.timeout(self._timeout):
                found = await self._read(queues)
            self._faults[context] = [fault for queue in found for fault in faults(queue)]
        except Exception as error:
            logger.warning("the policies cannot be read", context=context, error=f"{type(error).__name__}: {error}")
        if self._faults.get(context):
            raise MayDrop("; ".join(self._faults[context]))

    async def _read(self, names: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        from aiohttp import ClientSession, TCPConnector  # only with a management URL
        from yarl import URL

        parts = urlsplit(self._url())
        user = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        headers = {"Authorization": f"Basic {b64encode(user.encode()).decode()}"}
        path = f"/api/queues/{quote(self._virtual_host, safe='')}"
        queues = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], path=path))
        connector = TCPConnector(limit=_AT_ONCE)
        async with ClientSession(headers=headers, connector=connector, raise_for_status=True) as client:

            async def one(name: str) -> Mapping[str, Any]:
                async with client.get(URL(f"{queues}/{quote(name, safe='')}", encoded=True)) as answer:
                    found: Mapping[str, Any] = await answer.json()
                    return found

            return await asyncio.gather(*map(one, names))


def faults(queue: Mapping[str, Any]) -> list[str]:
    """Returns a sentence for each part of a queue's policy that can drop messages."""
    definition = queue.get("effective_policy_definition") or {}
    policies = [queue[kind] for kind in ("policy", "operator_policy") if queue.get(kind)]
    named = " and ".join(policies) or "without a name"
    overflow = definition.get("overflow") or (queue.get("arguments") or {}).get("x-overflow", "")
    return [
        f"the policy {named} sets {key} = {definition[key]} on {queue['name']}, which can drop messages; remove it: "
        f"rabbitmqctl clear_policy -p <virtual host> {named}"
        for key in definition
        if _drops(key, definition, overflow)
    ]


def _drops(key: str, definition: Mapping[str, Any], overflow: str) -> bool:
    """Returns whether a key of a policy can drop messages of a queue, given what the queue does when it is full."""
    match key:
        case "message-ttl" | "expires":
            return True
        case "max-length" | "max-length-bytes":
            return overflow not in _REFUSING
        case "delivery-limit":
            return 0 <= int(definition[key]) < MAX_DELIVERIES
        case _:
            return False
