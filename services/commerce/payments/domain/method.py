"""The payment method aggregate."""

from dataclasses import dataclass
from datetime import datetime

from treaty.domain import Aggregate, Rejected

from services.commerce.payments.domain.events import MethodEvent, MethodForgotten, MethodRegistered


@dataclass(slots=True, kw_only=True)
class PaymentMethod(Aggregate[MethodEvent]):
    """The payment method of one customer. Its id is the customer's. `token` is the gateway's name, no card number."""

    token: str = ""
    label: str = ""
    expires_at: datetime | None = None
    forgotten: bool = False

    def register(self, *, token: str, label: str, expires_at: datetime | None) -> None:
        """Replaces the payment method. Does nothing if it is the same."""
        if self.forgotten:
            raise Rejected(f"customer {self.id} was forgotten", reason="CUSTOMER_FORGOTTEN")
        registered = MethodRegistered(token=token, label=label, expires_at=expires_at)
        if registered != MethodRegistered(token=self.token, label=self.label, expires_at=self.expires_at):
            self.record(registered)

    def forget(self) -> None:
        """Removes the payment method for good. Does nothing if that was done already."""
        if not self.forgotten:
            self.record(MethodForgotten())

    def has_expired(self, now: datetime) -> bool:
        """Returns whether the payment method can no longer be used. One that was never registered has not expired."""
        return self.expires_at is not None and self.expires_at <= now

    def evolve(self, event: MethodEvent) -> None:
        match event:
            case MethodRegistered():
                self.token, self.label, self.expires_at = event.token, event.label, event.expires_at
            case MethodForgotten():
                self.token, self.label, self.expires_at, self.forgotten = "", "", None, True
