"""The HTTP port of a process, for webhooks of systems without gRPC. It is opened only if a context has a webhook."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import structlog
from aiohttp import web

from treaty.causes import acting
from treaty.clock import Clock
from treaty.commits.streams import RequestReused
from treaty.domain import DomainError, Invalid
from treaty.probes import Probe
from treaty.settings import SettingsError
from treaty.web.webhooks import NotAuthentic, Webhook

logger = structlog.get_logger()

_LARGEST = 262_144
_AT_ONCE = 200


class WebhookServer:
    """Serves the webhooks. An answer has one of these statuses:

    - 204: the message took effect, or its refusal is recorded; the commit is in the journal of a majority,
    - 400: the message is not valid,
    - 401: the signature is wrong or too old,
    - 409: the id was used before with another body,
    - 422: the message was refused, and the refusal is not recorded,
    - 503: too many calls at once,
    - 500: a fault of this side; the sender repeats.
    """

    def __init__(
        self,
        webhooks: Sequence[tuple[Webhook, Probe]],
        *,
        host: str,
        port: int,
        clock: Clock,
        foreign_traces: bool = True,
    ) -> None:
        self._foreign_traces = foreign_traces
        self._host, self.port, self._clock = host, port, clock
        self._slots = asyncio.Semaphore(_AT_ONCE)
        app = web.Application(client_max_size=_LARGEST)
        app.add_routes([web.post(webhook.path, self._answering(webhook, probe)) for webhook, probe in webhooks])
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=5.0)

    async def start(self) -> None:
        """Binds the port; `port` becomes the bound port.

        Raises:
            SettingsError: if the port cannot be opened.
        """
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self.port).start()
        except OSError as error:
            raise SettingsError(f"HTTP_PORT {self.port} cannot be opened: {error.strerror or error}") from None
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Waits a few seconds for running calls to finish, and closes the port."""
        await self._runner.cleanup()

    def _answering(self, webhook: Webhook, probe: Probe) -> "web.Handler":  # type: ignore[name-defined]
        async def answer(request: web.Request) -> web.Response:
            if self._slots.locked():
                return web.Response(status=503, headers={"retry-after": "1"})
            async with self._slots:
                status, text = await self._take(webhook, probe, request)
            probe.count("treaty.webhooks", path=webhook.path, status=str(status))
            return web.Response(status=status, text=text)

        return answer

    async def _take(self, webhook: Webhook, probe: Probe, request: web.Request) -> tuple[int, str | None]:
        body = await request.read()
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
            await webhook.take(body)
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
