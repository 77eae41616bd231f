"""The domain of Asset Processing."""
