"""The HTTP port of a process, for webhooks of systems without gRPC. It is opened only if a context has a webhook."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import structlog
from aiohttp import web

from treaty.causes import acting
from treaty.clock import Clock
from treaty.commits.streams import RequestReused
from treaty.concurrency.guarded import guarded
from treaty.concurrency.places import Places
from treaty.domain import DomainError, Invalid
from treaty.probes import Probe
from treaty.settings import SettingsError
from treaty.web.connections import Connection
from treaty.web.webhooks import NotAuthentic, Webhook

logger = structlog.get_logger()

_LARGEST = 262_144
_AT_ONCE = 200

_IDLE_SECONDS = 75.0
"""The longest time between two requests of a connection, and for half of a request's headers behind another request."""


class WebhookServer:
    """Serves the webhooks. An answer has one of these statuses:

    - 204: the message took effect, or its refusal is recorded; the commit is in the journal of a majority,
    - 400: the message is not valid,
    - 401: the signature is wrong or too old,
    - 413: the message is too large,
    - 409: the id was used before with another body,
    - 422: the message was refused, and the refusal is not recorded,
    - 503: too many calls at once,
    - 500: a fault of this side; the sender repeats.

    A connection whose message does not arrive in time is closed.

    Args:
        unread: the most connections whose message has not arrived; one address has at most half of them. A new one
            takes the place of the oldest one of the address that has most of them.
        patience: seconds for a message to arrive.
    """

    def __init__(
        self,
        webhooks: Sequence[tuple[Webhook, Probe]],
        *,
        host: str,
        port: int,
        clock: Clock,
        unread: int,
        patience: float,
        foreign_traces: bool = True,
    ) -> None:
        self._foreign_traces = foreign_traces
        self._host, self.port, self._clock = host, port, clock
        self._unread, self._patience = Places(unread, max(1, unread // 2)), patience
        self._slots = asyncio.Semaphore(_AT_ONCE)
        app = web.Application(client_max_size=_LARGEST)
        app.add_routes([web.post(webhook.path, self._answering(webhook, probe)) for webhook, probe in webhooks])
        self._server: asyncio.Server | None = None
        self._runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            shutdown_timeout=5.0,
            keepalive_timeout=_IDLE_SECONDS,
            auto_decompress=False,  # the bytes that were sent are signed
        )

    async def start(self) -> None:
        """Binds the port; `port` becomes the bound port.

        Raises:
            SettingsError: if the port cannot be opened.
        """
        await self._runner.setup()
        try:
            self._server = await asyncio.get_running_loop().create_server(self._connection, self._host, self.port)
        except OSError as error:
            raise SettingsError(f"HTTP_PORT {self.port} cannot be opened: {error.strerror or error}") from None
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Waits a few seconds for running calls to finish, and closes the port."""
        if self._server is not None:
            self._server.close()
        await self._runner.cleanup()

    def _connection(self) -> Connection:
        assert self._runner.server is not None
        return Connection(self._runner.server(), self._unread, self._patience)

    def _answering(self, webhook: Webhook, probe: Probe) -> "web.Handler":  # type: ignore[name-defined]
        async def answer(request: web.Request) -> web.Response:
            try:
                connection = _connection_of(request)
                connection.reading()
                body = await request.read()
            except ConnectionError:  # the sender gave up, or was too slow; aiohttp would log a traceback
                return web.Response(status=400)
            except web.RequestPayloadError:  # its chunks are none
                probe.count("treaty.webhooks", path=webhook.path, status="400")
                return web.Response(status=400, text="the body cannot be read")
            with connection.answering():
                if self._slots.locked():
                    return web.Response(status=503, headers={"retry-after": "1"})
                async with self._slots:
                    status, text = await self._take(webhook, probe, request, body)
            probe.count("treaty.webhooks", path=webhook.path, status=str(status))
            return web.Response(status=status, text=text)

        return answer

    async def _take(self, webhook: Webhook, probe: Probe, request: web.Request, body: bytes) -> tuple[int, str | None]:
        try:
            cause = webhook.verified(request.headers, body, self._clock.now())
        except NotAuthentic as refusal:
            logger.warning("a webhook message is not authentic", path=webhook.path, why=str(refusal))
            return 401, str(refusal)
        parent = request.headers.get("traceparent", "") if self._foreign_traces else ""
        with (
            probe.span(f"POST {webhook.path}", kind="server", parent=parent) as span,
            acting(replace(cause, trace=span.trace)),
        ):
            return await self._carried_out(webhook, body)

    @staticmethod
    async def _carried_out(webhook: Webhook, body: bytes) -> tuple[int, str | None]:
        try:
            await guarded(webhook.take(body))
        except RequestReused as reused:
            return 409, str(reused)
        except Invalid as invalid:
            return 400, str(invalid)
        except DomainError as refusal:
            if refusal.recorded:
                return 204, None
            logger.warning("a webhook message was refused", path=webhook.path, why=str(refusal))
            return 422, str(refusal)
        except Exception:
            logger.exception("a webhook message failed", path=webhook.path)
            return 500, None
        return 204, None


def _connection_of(request: web.Request) -> Connection:
    """Returns the connection of a request.

    Raises:
        ConnectionResetError: if it is closed.
    """
    protocol = request.transport.get_protocol() if request.transport else None
    if not isinstance(protocol, Connection):
        raise ConnectionResetError("the client is gone")
    return protocol
