"""What must not leave the process in a log line or a span: passwords in addresses, and values named as secrets."""

import re

_CREDENTIALS = re.compile(r"(?<=://)[^\s/]*(?=@)")
_SECRET = re.compile(r"password|passwd|secret|token|authorization|api_?key|digest_?key|credential", re.IGNORECASE)

HIDDEN = "***"


def without_credentials(text: str) -> str:
    """Returns the text with the user and password of every address in it hidden."""
    return _CREDENTIALS.sub(HIDDEN, text) if "://" in text else text


def is_secret(name: str) -> bool:
    """Tells whether a field's name says that its value is nobody's business."""
    return _SECRET.search(name) is not None
