"""Integration events between contexts: their envelope, the broker, consumers and the quarantine."""
