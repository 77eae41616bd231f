"""Accounts: movements of money, and transfers between two accounts."""
