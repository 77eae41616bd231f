"""Sends mails over SMTP."""

import asyncio
import contextlib
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Self

import aiosmtplib
from treaty.clock import Clock

from services.commerce.notifications.application.ports import Away, Letter, Refused
from services.commerce.notifications.external.mailbox import Mailbox

_IDLE_SECONDS, _KEPT, _MAILS = 30.0, 8, 50
"""How long and how many connections are kept for further mails, and the most mails of one: servers have limits too."""


@dataclass(slots=True, eq=False)
class _Connection:
    client: aiosmtplib.SMTP
    mails: int = 0
    used_at: float = 0.0

    def is_usable(self, now: float) -> bool:
        return self.client.is_connected and self.mails < _MAILS and now < self.used_at + _IDLE_SECONDS


class SmtpMail:
    """Sends one mail at a time over each connection, and keeps connections for further mails.

    A refusal of a receiver, a sender or a mail is final if its code is 5xx. Any other failure, such as a wrong
    password, is a fault on our side: the mail is tried again.

    Args:
        sender: the address that mails come from. Its domain is also the domain of their ids.
        patience: seconds for each step of the SMTP conversation.
    """

    def __init__(self, host: str, port: int, *, sender: str, patience: float, clock: Clock) -> None:
        self._host, self._port, self._patience = host, port, patience
        self._sender, self._clock = sender, clock
        self._kept: list[_Connection] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        kept, self._kept = self._kept, []
        await asyncio.gather(*(_leave(connection) for connection in kept))

    async def send(self, address: str, letter: Letter) -> None:
        mail = self._mail(address, letter)
        try:
            await self._send(mail)
        except aiosmtplib.SMTPRecipientsRefused as refused:
            raise _smtp(refused.recipients[0].code, "the receiver was refused") from refused
        except (aiosmtplib.SMTPDataError, aiosmtplib.SMTPSenderRefused) as refused:
            raise _smtp(refused.code, "the mail was refused") from refused
        except (aiosmtplib.SMTPException, OSError) as error:
            raise Away(f"the mail server did not accept the mail: {type(error).__name__}") from error

    async def _send(self, mail: EmailMessage) -> None:
        """Sends over a kept connection. If the server has had enough of that one, it sends over another."""
        kept = self._kept_one()
        if kept is not None:
            try:
                await self._send_over(kept, mail)
                return
            except aiosmtplib.SMTPServerDisconnected:
                pass
            except aiosmtplib.SMTPResponseException as answer:
                if answer.code != aiosmtplib.SMTPStatus.domain_unavailable:
                    raise
        client = aiosmtplib.SMTP(hostname=self._host, port=self._port, timeout=self._patience)
        await client.connect()
        await self._send_over(_Connection(client), mail)

    def _kept_one(self) -> _Connection | None:
        """Returns a connection that nobody uses now, and closes those that are not usable any more."""
        now, known = asyncio.get_running_loop().time(), self._kept
        self._kept = [connection for connection in known if connection.is_usable(now)]
        for connection in known:
            if connection not in self._kept:
                connection.client.close()
        return self._kept.pop() if self._kept else None

    async def _send_over(self, connection: _Connection, mail: EmailMessage) -> None:
        """Sends a mail. The connection is kept if the server has answered, be it a refusal."""
        try:
            await connection.client.send_message(mail)
        except (aiosmtplib.SMTPRecipientsRefused, aiosmtplib.SMTPDataError, aiosmtplib.SMTPSenderRefused):
            self._keep(connection)
            raise
        except BaseException:
            connection.client.close()
            raise
        self._keep(connection)

    def _keep(self, connection: _Connection) -> None:
        connection.mails += 1
        connection.used_at = asyncio.get_running_loop().time()
        if len(self._kept) < _KEPT:
            self._kept.append(connection)
        else:
            connection.client.close()

    def _mail(self, address: str, letter: Letter) -> EmailMessage:
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = self._sender, address, letter.text.subject
        mail["Message-ID"] = f"<{letter.id}@{self._sender.rpartition('@')[2]}>"
        mail["Date"] = format_datetime(self._clock.now())
        mail.set_content(letter.text.body)
        return mail


def mail_at(address: str, *, sender: str, patience: float, clock: Clock) -> SmtpMail | Mailbox:
    """Returns the client of the mail server at `host:port`, or a mailbox in this process for "simulated"."""
    if address == "simulated":
        return Mailbox()
    host, _, port = address.rpartition(":")
    return SmtpMail(host, int(port), sender=sender, patience=patience, clock=clock)


async def _leave(connection: _Connection) -> None:
    """Ends a connection as the protocol asks for, if that can be done."""
    with contextlib.suppress(aiosmtplib.SMTPException, OSError):
        await connection.client.quit()
    connection.client.close()


def _smtp(code: int, what: str) -> Exception:
    return Refused(f"{what} with {code}") if code >= 500 else Away(f"{what} for now, with {code}")
