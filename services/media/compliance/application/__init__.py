"""The use cases of Compliance, with their commands and queries."""
