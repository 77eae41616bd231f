"""HTTP: webhooks that other systems call, and calls to URLs that came from outside.

Authors of contexts use the names below. The modules inside are internal to the toolkit.
"""

from treaty.web.foreign_urls import Forbidden, ForeignUrls
from treaty.web.webhooks import Webhook, json_object, sign, webhook

__all__ = ["Forbidden", "ForeignUrls", "Webhook", "json_object", "sign", "webhook"]
