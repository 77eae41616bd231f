"""The adapters of `Outlet`: mail over SMTP, text messages and webhooks over HTTP, and a mailbox in this process."""

import json
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Self

import aiohttp
import aiosmtplib
from treaty.clock import Clock
from treaty.web import sign

from services.commerce.notifications.application import Away, Letter, Refused

_KEPT = 1000


class Mailbox:
    """Keeps the latest letters in this process instead of sending them, for embedded runs and tests."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Letter]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        pass

    async def send(self, address: str, letter: Letter) -> None:
        self.sent.append((address, letter))
        del self.sent[:-_KEPT]


class SmtpMail:
    """Sends each mail over a connection of its own.

    A refusal of a receiver, a sender or a mail is final if its code is 5xx. Any other failure, such as a wrong
    password, is a fault on our side: the mail is tried again.

    Args:
        sender: the address that mails come from. Its domain is also the domain of their ids.
        patience: seconds for each step of the SMTP conversation.
    """

    def __init__(self, host: str, port: int, *, sender: str, patience: float, clock: Clock) -> None:
        self._host, self._port, self._patience = host, port, patience
        self._sender, self._clock = sender, clock

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        pass

    async def send(self, address: str, letter: Letter) -> None:
        mail = self._mail(address, letter)
        try:
            await aiosmtplib.send(mail, hostname=self._host, port=self._port, timeout=self._patience)
        except aiosmtplib.SMTPRecipientsRefused as refused:
            raise _smtp(refused.recipients[0].code, "the receiver was refused") from refused
        except (aiosmtplib.SMTPDataError, aiosmtplib.SMTPSenderRefused) as refused:
            raise _smtp(refused.code, "the mail was refused") from refused
        except (aiosmtplib.SMTPException, OSError) as error:
            raise Away(f"the mail server did not accept the mail: {type(error).__name__}") from error

    def _mail(self, address: str, letter: Letter) -> EmailMessage:
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = self._sender, address, letter.text.subject
        mail["Message-ID"] = f"<{letter.id}@{self._sender.rpartition('@')[2]}>"
        mail["Date"] = format_datetime(self._clock.now())
        mail.set_content(letter.text.body)
        return mail


class _Http:
    """Posts JSON. 3xx and 4xx are permanent refusals, except 408, 425 and 429: try again later."""

    def __init__(self, patience: float) -> None:
        self._timeout = aiohttp.ClientTimeout(total=patience)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=self._timeout)
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def _post(self, url: str, body: bytes, headers: dict[str, str]) -> None:
        assert self._session is not None, "the client is not open: use it inside `async with`"
        headers = {"content-type": "application/json", **headers}
        try:
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                status = answer.status
        except aiohttp.InvalidURL as error:
            raise Refused("the address is not a URL") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Away(f"there was no answer: {type(error).__name__}") from error
        if 300 <= status < 500 and status not in (408, 425, 429):
            raise Refused(f"the answer was {status}")
        if status >= 300:
            raise Away(f"the answer was {status}")


class SmsGateway(_Http):
    """Sends text messages through a gateway: `POST /messages` with {id, to, text}.

    Args:
        address: the address of the gateway, such as http://sms:7421.
    """

    def __init__(self, address: str, *, patience: float) -> None:
        super().__init__(patience)
        self._url = f"{address.rstrip('/')}/messages"

    async def send(self, address: str, letter: Letter) -> None:
        await self._post(self._url, _json(id=letter.id, to=address, text=letter.text.body), {})


class Webhooks(_Http):
    """Posts {id, topic, subject, text} to the receiver's own address, signed according to Standard Webhooks."""

    def __init__(self, secret: str, *, patience: float, clock: Clock) -> None:
        super().__init__(patience)
        self._secret, self._clock = secret, clock

    async def send(self, address: str, letter: Letter) -> None:
        text = letter.text
        body = _json(id=letter.id, topic=text.topic, subject=text.subject, text=text.body)
        timestamp = int(self._clock.now().timestamp())
        await self._post(address, body, sign(self._secret, letter.id, timestamp, body))


def mail_at(address: str, *, sender: str, patience: float, clock: Clock) -> SmtpMail | Mailbox:
    """Returns the client of the mail server at `host:port`, or a mailbox in this process for "simulated"."""
    if address == "simulated":
        return Mailbox()
    host, _, port = address.rpartition(":")
    return SmtpMail(host, int(port), sender=sender, patience=patience, clock=clock)


def sms_at(address: str, *, patience: float) -> SmsGateway | Mailbox:
    """Returns the client of the SMS gateway at an address, or a mailbox in this process for "simulated"."""
    return Mailbox() if address == "simulated" else SmsGateway(address, patience=patience)


def _smtp(code: int, what: str) -> Exception:
    return Refused(f"{what} with {code}") if code >= 500 else Away(f"{what} for now, with {code}")


def _json(**values: str) -> bytes:
    return json.dumps(values, ensure_ascii=False).encode()
