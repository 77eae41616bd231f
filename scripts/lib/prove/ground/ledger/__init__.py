"""The ledger: a page for each account, which notices what comes twice or out of order."""
