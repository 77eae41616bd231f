"""The rules of Asset Processing."""
