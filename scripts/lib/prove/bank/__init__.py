"""The bank test: accounts and random transfers on real processes under faults, and an audit of the whole log."""

ACCOUNTS, FRAUD, TRANSFERS = BANK = ("finance.accounts", "finance.fraud", "finance.transfers")
"""The contexts of the bank."""
