"""Sends text messages through the SMS gateway."""

from services.commerce.notifications.application.ports import Letter
from services.commerce.notifications.external.http import HttpClient, to_json
from services.commerce.notifications.external.mailbox import Mailbox


class SmsGateway(HttpClient):
    """Sends text messages through a gateway: `POST /messages` with {id, to, text}.

    Args:
        address: the address of the gateway, such as http://sms:7421.
    """

    def __init__(self, address: str, *, patience: float) -> None:
        super().__init__(patience)
        self._url = f"{address.rstrip('/')}/messages"

    async def send(self, address: str, letter: Letter) -> None:
        await self.post(self._url, to_json(id=letter.id, to=address, text=letter.text.body), {})


def sms_at(address: str, *, patience: float) -> SmsGateway | Mailbox:
    """Returns the client of the SMS gateway at an address, or a mailbox in this process for "simulated"."""
    return Mailbox() if address == "simulated" else SmsGateway(address, patience=patience)
