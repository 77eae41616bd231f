"""The use cases of Asset Processing."""
