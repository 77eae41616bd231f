"""Outside systems of Accounts: the customers' programs that read ISO 20022 files."""
