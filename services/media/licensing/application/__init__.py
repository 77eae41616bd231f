"""The use cases of Licensing, with their commands and queries."""
