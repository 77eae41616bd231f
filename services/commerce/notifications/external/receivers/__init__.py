"""The systems of subscribers, which receive webhooks."""
