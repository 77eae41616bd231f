"""The use cases of Accounts: accounts, movements of money, corrections, and the books."""
