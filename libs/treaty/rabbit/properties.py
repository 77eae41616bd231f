"""The bounds of AMQP properties."""

import hashlib

LONGEST_PROPERTY = 255
"""Bytes of an AMQP property or routing key."""


def bounded(text: str) -> str:
    """Returns a text for an AMQP property, which holds 255 bytes: a longer one as its digest. Headers have it whole."""
    data = text.encode(errors="surrogatepass")
    if len(data) <= LONGEST_PROPERTY:
        return text
    return f"blake2b:{hashlib.blake2b(data, digest_size=32).hexdigest()}"
