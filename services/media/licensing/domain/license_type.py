"""The license type aggregate: what can be bought, and for how much."""

from dataclasses import dataclass

from treaty.domain import Aggregate, NotFound

from services.media.licensing.domain.events import LicenseTypeDefined
from services.media.licensing.domain.terms import Terms, check_terms


@dataclass(slots=True, kw_only=True)
class LicenseType(Aggregate[LicenseTypeDefined]):
    """One license type. Licenses keep the terms with which they were sold, so a type may be defined again."""

    name: str = ""
    terms: Terms | None = None

    def define(self, name: str, terms: Terms) -> None:
        check_terms(terms)
        if (name, terms) != (self.name, self.terms):
            self.record(LicenseTypeDefined(name=name, terms=terms))

    def known_terms(self) -> Terms:
        """Returns the terms. Raises NotFound if the type is not defined."""
        if self.terms is None:
            raise NotFound(f"there is no license type {self.id}")
        return self.terms

    def evolve(self, event: LicenseTypeDefined) -> None:
        self.name, self.terms = event.name, event.terms
