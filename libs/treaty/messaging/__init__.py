"""Integration events between contexts: their envelope, the broker, consumers and the quarantine.

`on` is for authors of contexts; the modules inside are the toolkit's own.
"""

from treaty.messaging.subscriptions import on

__all__ = ["on"]
