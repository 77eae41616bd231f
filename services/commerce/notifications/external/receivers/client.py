"""Posts signed messages to the URLs of subscribers."""

import base64
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp
from treaty.clock import Clock
from treaty.domain import Invalid
from treaty.web import Forbidden, ForeignUrls, sign

from services.commerce.notifications.application.ports import Letter, Refused
from services.commerce.notifications.external.http import HttpClient, to_json


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


class Webhooks(HttpClient):
    """Posts {id, topic, subject, text} to the receiver's own address, signed according to Standard Webhooks.

    Args:
        secrets: sign the messages.
        urls: the rules for the addresses. They came from outside, so they are checked at each call.
    """

    def __init__(self, secrets: Secrets, urls: ForeignUrls, *, patience: float, clock: Clock) -> None:
        super().__init__(patience)
        self._secrets, self._urls, self._clock = secrets, urls, clock

    def opened(self) -> aiohttp.ClientSession:
        return self._urls.session(seconds=self.patience)

    def secret(self, customer_id: str, address: str) -> str:
        try:
            self._urls.check(address)
        except Forbidden as refusal:
            raise Invalid(str(refusal), field="url") from refusal
        return self._secrets.of(customer_id, address)[0]

    async def send(self, address: str, letter: Letter) -> None:
        text = letter.text
        body = to_json(id=letter.id, topic=text.topic, subject=text.subject, text=text.body)
        timestamp = int(self._clock.now().timestamp())
        signed = [sign(secret, letter.id, timestamp, body) for secret in self._secrets.all(letter.to, address)]
        signatures = " ".join(one["webhook-signature"] for one in signed)
        try:
            self._urls.check(address)
            await self.post(address, body, {**signed[0], "webhook-signature": signatures})
        except Forbidden as refusal:
            raise Refused(str(refusal)) from refusal
