"""A simulated mail server and SMS gateway: they keep the messages they receive, and fail according to rules.

Both run as one process. The rules:

- Mail to `refused@…` and text messages to numbers that end with 13 are refused for good.
- Mail to `busy@…` and text messages to numbers that end with 29 are refused twice, and then accepted.
"""

import argparse
import asyncio
import contextlib
import email
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from email import policy
from pathlib import Path
from typing import Any

from aiohttp import web
from aiosmtpd.smtp import SMTP

TRIES = 3
"""The number of the attempt that a busy receiver accepts."""


@dataclass(slots=True)
class Simulator:
    """The mail server and the SMS gateway, with the messages they have received.

    Args:
        file: a file to which each mail is appended as a line of JSON: {to, subject, message_id}.
    """

    file: Path | None = None
    mails: list[Mapping[str, str]] = field(default_factory=list)
    texts: list[Mapping[str, str]] = field(default_factory=list)
    attempts: dict[str, int] = field(default_factory=dict)

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        """Returns the SMTP answer to a receiver's address. aiosmtpd calls this method."""
        who = address.partition("@")[0]
        if who == "refused":
            return "550 no such mailbox"
        if who == "busy" and self._is_early(address):
            return "451 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Stores a mail and returns the SMTP answer. aiosmtpd calls this method."""
        mail = email.message_from_bytes(envelope.content, policy=policy.default)
        for to in envelope.rcpt_tos:
            kept = {"to": to, "subject": str(mail["subject"]), "message_id": str(mail["message-id"])}
            self.mails.append(kept)
            if self.file is not None:
                with self.file.open("a") as lines:
                    lines.write(json.dumps(kept) + "\n")
        return "250 OK"

    async def take_text(self, request: web.Request) -> web.Response:
        """Stores a text message, or refuses it by rule."""
        text = await request.json()
        if text["to"].endswith("13"):
            return web.json_response({"error": "no such number"}, status=422)
        if text["to"].endswith("29") and self._is_early(text["to"]):
            return web.json_response({"error": "try again later"}, status=429)
        self.texts.append(text)
        return web.json_response({}, status=202)

    @contextlib.asynccontextmanager
    async def mail_server(self, host: str, port: int) -> AsyncIterator[int]:
        """Serves SMTP inside the block; yields the port."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: SMTP(self, hostname="localhost", loop=loop), host, port)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()

    @contextlib.asynccontextmanager
    async def sms_gateway(self, host: str, port: int) -> AsyncIterator[int]:
        """Serves HTTP inside the block; yields the port."""
        app = web.Application()
        app.add_routes([web.post("/messages", self.take_text), web.get("/health", _healthy)])
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
            yield runner.addresses[0][1]
        finally:
            await runner.cleanup()

    def _is_early(self, address: str) -> bool:
        attempt = self.attempts[address] = self.attempts.get(address, 0) + 1
        return attempt < TRIES


async def _healthy(request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


async def _main(simulator: Simulator, host: str, port: int, sms_port: int) -> None:
    async with simulator.mail_server(host, port) as mail, simulator.sms_gateway(host, sms_port) as sms:
        print(f"mail server listening on {host}:{mail}, SMS gateway on {host}:{sms}", flush=True)  # noqa: T201 - its one line
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A simulated mail server and SMS gateway.")
    parser.add_argument("--host", default="0.0.0.0")
    parser.add_argument("--port", type=int, default=7420, help="of the mail server")
    parser.add_argument("--sms-port", type=int, default=7421, help="of the SMS gateway")
    parser.add_argument("--mails", type=Path, help="a file that gets one line of JSON for each mail")
    given = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main(Simulator(given.mails), given.host, given.port, given.sms_port))
