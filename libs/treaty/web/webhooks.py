"""Webhooks: signed messages of other systems over HTTP, by the Standard Webhooks specification.

Source: https://www.standardwebhooks.com, version 1: the headers `webhook-id`, `webhook-timestamp` (seconds) and
`webhook-signature` (`v1,` and the base64 of an HMAC-SHA256 over `id.timestamp.body`; several are separated by spaces).
"""

import base64
import hmac
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from treaty.causes import Cause
from treaty.digests import DigestKeys
from treaty.domain import Invalid

C = TypeVar("C")

TOLERANCE_SECONDS = 300
"""The largest difference between a signature's time and now; an older message may be a replay, so it is refused."""

_ID, _SECONDS = re.compile(r"[ -~]+"), re.compile(r"[0-9]{1,12}")
_MOST_SIGNATURES = 10
"""Signatures of one message that are looked at: a sender that changes its secret sends two."""


class NotAuthentic(Exception):
    """The signature of the message is missing, wrong or too old."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """An HTTP endpoint that another system calls.

    Attributes:
        path: such as /webhooks/carrier.
        secret: the key of the signatures.
        secret_before: the key before it, which is accepted too while the sender changes over; empty without one.
        take: carries out a message under a cause of its own, so a repetition changes nothing. `Invalid` is answered
            with 400; after any other error the sender is expected to repeat.
    """

    path: str
    secret: str
    take: Callable[[bytes], Awaitable[None]]
    secret_before: str = ""

    def verified(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Cause:
        """Verifies the signature of a message, and returns the cause under which it takes effect.

        Raises:
            NotAuthentic: if the signature is missing, wrong or too old.
        """
        id, timestamp, given = (headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
        if not _ID.fullmatch(id) or not _SECONDS.fullmatch(timestamp):
            raise NotAuthentic("the headers webhook-id (in ASCII) and webhook-timestamp (in seconds) must be set")
        if not self._is_signed(given, id, timestamp, body):
            raise NotAuthentic("the signature does not match the message")
        if abs(now.timestamp() - int(timestamp)) > TOLERANCE_SECONDS:
            raise NotAuthentic(f"it was signed more than {TOLERANCE_SECONDS} s before or after now")
        return self.cause(id, body)

    def _is_signed(self, given: str, id: str, timestamp: str, body: bytes) -> bool:
        keys = [secret for secret in (self.secret, self.secret_before) if secret]
        expected = [signature(secret, id, int(timestamp), body).encode() for secret in keys]
        one_by_one = [one.encode(errors="replace") for one in given.split()[:_MOST_SIGNATURES]]
        return any(hmac.compare_digest(right, one) for right in expected for one in one_by_one)

    def cause(self, id: str, body: bytes) -> Cause:
        """Returns the cause of a message. It takes effect once, and continues what began the stream that it changes."""
        hashed = DigestKeys.of(self.secret, self.secret_before).hashed(body)
        return Cause(id=f"webhook{self.path}/{id}", correlation=id, durable=True, continues=True, **hashed)


def webhook(
    path: str,
    translate: Callable[[bytes], C],
    *,
    then: Callable[[C], Awaitable[object]],
    secret: str,
    secret_before: str = "",
) -> Webhook:
    """Returns a webhook: its messages are translated to commands, and each command is given to a use case.

    Args:
        translate: returns the command of a body, or raises `Invalid`.
        then: the use case.
        secret, secret_before: see `Webhook`.
    """

    async def take(body: bytes) -> None:
        await then(translate(body))

    return Webhook(path, secret, take, secret_before)


def json_object(body: bytes) -> Mapping[str, Any]:
    """Returns the JSON object in a body.

    Raises:
        Invalid: if it is none, or has half a surrogate pair, which JSON can write and no store can keep.
    """
    try:
        told = json.loads(body)
        json.dumps(told, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise Invalid("the body is not JSON in Unicode") from None
    if not isinstance(told, dict):
        raise Invalid("the body is not a JSON object")
    return told


def signature(secret: str, id: str, timestamp: int, body: bytes) -> str:
    """Returns the signature of a message: `v1,` and base64."""
    signed = hmac.digest(_key(secret), f"{id}.{timestamp}.".encode() + body, "sha256")
    return "v1," + base64.b64encode(signed).decode()


def _key(secret: str) -> bytes:
    """Returns the key of a secret: the text's bytes, or the decoded base64 behind `whsec_`."""
    return base64.b64decode(secret.removeprefix("whsec_")) if secret.startswith("whsec_") else secret.encode()


def sign(secret: str, id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Returns the signed headers for a message to another system."""
    return {
        "webhook-id": id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(secret, id, timestamp, body),
    }
