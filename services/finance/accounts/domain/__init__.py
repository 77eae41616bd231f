"""The aggregates of Accounts: accounts with their holds and postings, and corrections of postings."""
