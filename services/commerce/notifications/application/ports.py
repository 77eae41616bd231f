"""The ports of Notifications: the outlets that send letters, and the secrets of webhooks."""

from dataclasses import dataclass
from typing import Protocol

from treaty.dependencies import DependencyAway

from services.commerce.notifications.domain.values import Text


class Refused(Exception):
    """The receiver refused the letter for good. The message has the reason, without naming the receiver."""


class Away(DependencyAway):
    """The letter could not be delivered now. Whether it arrived is unknown. Try again."""

    dependency = "outlets"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A message to a customer for a channel. A repeated message has the same id, so that receivers can drop it."""

    id: str
    to: str
    text: Text


class Outlet(Protocol):
    """The port that sends letters by one channel."""

    async def send(self, address: str, letter: Letter) -> None:
        """Sends a letter.

        Raises:
            Refused, Away
        """
        ...


class Signatures(Protocol):
    """The port to the secrets that messages to the webhooks of subscribers are signed with."""

    def secret(self, customer_id: str, address: str) -> str:
        """Returns the secret of a receiver. Raises Invalid if the address must not be called."""
        ...
