"""The adapters of `Outlet`: mail over SMTP, text messages and webhooks over HTTP, and a mailbox in this process."""

import base64
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Self

import aiohttp
import aiosmtplib
from treaty.clock import Clock
from treaty.domain import Invalid
from treaty.web import Forbidden, ForeignUrls, sign

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
        self._patience = patience
        self._session: aiohttp.ClientSession | None = None

    def _opened(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self._patience))

    async def __aenter__(self) -> Self:
        self._session = self._opened()
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


@dataclass(frozen=True, slots=True)
class Secrets:
    """The secrets of receivers: each is derived from a key, the customer and the address, so none is stored.

    Attributes:
        key: the key that new receivers get their secret from.
        key_before: the key before it; messages are signed with its secrets too. Empty without one.
        shared: a secret that receivers have in common, from before each had its own. Empty without one.
    """

    key: str
    key_before: str = ""
    shared: str = ""

    def of(self, customer_id: str, address: str) -> Sequence[str]:
        """Returns the secrets of one receiver, the current one first, as `whsec_` and base64."""
        about = json.dumps([customer_id, address]).encode()
        keys = [key.encode() for key in (self.key, self.key_before) if key]
        return [f"whsec_{base64.b64encode(hmac.digest(key, about, 'sha256')).decode()}" for key in keys]

    def all(self, customer_id: str, address: str) -> Sequence[str]:
        """Returns the secrets that messages to a receiver are signed with."""
        return [*self.of(customer_id, address), *filter(None, [self.shared])]


class Webhooks(_Http):
    """Posts {id, topic, subject, text} to the receiver's own address, signed according to Standard Webhooks.

    Args:
        secrets: sign the messages.
        urls: the rules for the addresses. They came from outside, so they are checked at each call.
    """

    def __init__(self, secrets: Secrets, urls: ForeignUrls, *, patience: float, clock: Clock) -> None:
        super().__init__(patience)
        self._secrets, self._urls, self._clock = secrets, urls, clock

    def _opened(self) -> aiohttp.ClientSession:
        return self._urls.session(seconds=self._patience)

    def secret(self, customer_id: str, address: str) -> str:
        try:
            self._urls.check(address)
        except Forbidden as refusal:
            raise Invalid(str(refusal), field="url") from refusal
        return self._secrets.of(customer_id, address)[0]

    async def send(self, address: str, letter: Letter) -> None:
        text = letter.text
        body = _json(id=letter.id, topic=text.topic, subject=text.subject, text=text.body)
        timestamp = int(self._clock.now().timestamp())
        signed = [sign(secret, letter.id, timestamp, body) for secret in self._secrets.all(letter.to, address)]
        signatures = " ".join(one["webhook-signature"] for one in signed)
        try:
            self._urls.check(address)
            await self._post(address, body, {**signed[0], "webhook-signature": signatures})
        except Forbidden as refusal:
            raise Refused(str(refusal)) from refusal


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
