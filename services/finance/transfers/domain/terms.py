"""The rules for the terms of transfers and standing orders."""

from dataclasses import fields

from treaty.domain import Invalid

from services.finance.transfers.domain.events import Terms


def check_terms(terms: Terms) -> None:
    """Raises Invalid if no transfer may have these terms."""
    if terms.payer == terms.payee:
        raise Invalid("the payer and the payee must be two accounts", field="payee")
    if terms.amount.minor_units <= 0:
        raise Invalid(f"an amount must be positive, not {terms.amount}", field="amount.minor_units")


def check_same_terms(transfer_id: str, known: Terms, terms: Terms) -> None:
    """Raises Invalid if the terms are others than those that the transfer has."""
    for field in fields(Terms):
        if getattr(known, field.name) != getattr(terms, field.name):
            raise Invalid(f"transfer {transfer_id} exists with another {field.name}", field=field.name)
