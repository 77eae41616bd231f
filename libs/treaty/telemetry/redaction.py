"""Redaction: passwords in addresses and values of secret fields must not reach a log line or a span."""

import re

_CREDENTIALS = re.compile(r"(?<=://)[^\s/]*(?=@)")
_SECRET = re.compile(r"password|passwd|secret|token|authorization|api_?key|digest_?key|credential", re.IGNORECASE)

HIDDEN = "***"


def without_credentials(text: str) -> str:
    """Returns the text with the user and the password of every address in it hidden."""
    return _CREDENTIALS.sub(HIDDEN, text) if "://" in text else text


def is_secret(name: str) -> bool:
    """Returns whether the name of a field marks its value as a secret."""
    return _SECRET.search(name) is not None
