"""The use cases of Transfers: transfers, their steps in other contexts, and standing orders."""
