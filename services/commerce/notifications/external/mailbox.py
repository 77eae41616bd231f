"""A mailbox in this process, in place of a mail server or an SMS gateway."""

from typing import Self

from services.commerce.notifications.application.ports import Letter

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
