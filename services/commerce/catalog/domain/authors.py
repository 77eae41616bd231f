"""The author aggregate: what Catalog knows of a customer who writes reviews."""

from dataclasses import dataclass

from treaty.domain import Aggregate, Rejected

from services.commerce.catalog.domain.events import AuthorEvent, AuthorForgotten


@dataclass(slots=True, kw_only=True)
class Author(Aggregate[AuthorEvent]):
    """One author of reviews. Its id is the customer's."""

    forgotten: bool = False

    def forget(self) -> None:
        """Records that Customers erased what is known of the person. Does nothing if that is recorded already."""
        if not self.forgotten:
            self.record(AuthorForgotten())

    def must_be_known(self) -> None:
        """Refuses reviews in the name of a customer who is forgotten: nobody would erase them."""
        if self.forgotten:
            raise Rejected(f"customer {self.id} was forgotten", reason="CUSTOMER_FORGOTTEN")

    def evolve(self, event: AuthorEvent) -> None:
        match event:
            case AuthorForgotten():
                self.forgotten = True
