"""The ledger: a page for each account. A page records movements that come twice or out of order."""
