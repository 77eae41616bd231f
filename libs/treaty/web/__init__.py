"""HTTP at the edge: webhooks of other systems.

These names are for authors of contexts; the modules inside are the toolkit's own.
"""

from treaty.web.webhooks import Webhook, sign

__all__ = ["Webhook", "sign"]
