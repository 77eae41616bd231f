"""Sends mails over SMTP."""

from email.message import EmailMessage
from email.utils import format_datetime
from typing import Self

import aiosmtplib
from treaty.clock import Clock

from services.commerce.notifications.application import Away, Letter, Refused
from services.commerce.notifications.external.mailbox import Mailbox


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


def mail_at(address: str, *, sender: str, patience: float, clock: Clock) -> SmtpMail | Mailbox:
    """Returns the client of the mail server at `host:port`, or a mailbox in this process for "simulated"."""
    if address == "simulated":
        return Mailbox()
    host, _, port = address.rpartition(":")
    return SmtpMail(host, int(port), sender=sender, patience=patience, clock=clock)


def _smtp(code: int, what: str) -> Exception:
    return Refused(f"{what} with {code}") if code >= 500 else Away(f"{what} for now, with {code}")
