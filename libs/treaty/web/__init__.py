"""HTTP: webhooks that other systems call.

Authors of contexts use the names below. The modules inside are internal to the toolkit.
"""

from treaty.web.webhooks import Webhook, sign

__all__ = ["Webhook", "sign"]
