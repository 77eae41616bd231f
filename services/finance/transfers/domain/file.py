"""The payment file aggregate: a file that a customer sent, once."""

from dataclasses import dataclass
from datetime import datetime

from treaty.domain import Aggregate, Rejected

from services.finance.transfers.domain.events import FileAccepted, FileEvent
from services.finance.transfers.domain.lines import Line


@dataclass(slots=True, kw_only=True)
class PaymentFile(Aggregate[FileEvent]):
    """One file. Its id follows from the customer and the customer's id of the file."""

    message_id: str = ""
    customer_id: str = ""
    initiated_by: str = ""
    lines: tuple[Line, ...] = ()
    accepted_at: datetime | None = None

    def accept(
        self, *, message_id: str, customer_id: str, initiated_by: str, lines: tuple[Line, ...], now: datetime
    ) -> None:
        """Accepts the file. The same file a second time has no effect, and is refused (AM05)."""
        if self.accepted_at is not None:
            raise Rejected(f"the file {message_id} was sent before", reason="AM05")
        self.record(
            FileAccepted(
                message_id=message_id,
                customer_id=customer_id,
                initiated_by=initiated_by,
                lines=lines,
                accepted_at=now,
            )
        )

    def evolve(self, event: FileEvent) -> None:
        self.message_id, self.customer_id, self.initiated_by = event.message_id, event.customer_id, event.initiated_by
        self.lines, self.accepted_at = event.lines, event.accepted_at
