"""Page tokens: a position in a list, as opaque text that a client sends back unchanged (AIP-158)."""

import base64
import json
from datetime import UTC, datetime

from treaty.domain import Invalid
from treaty.projections.rows import Key

_MOST_NUMBER = 2**63
"""A store keeps no larger number, so no token of ours has one."""


def to_token(after: Key | None) -> str:
    """Returns the token of a position, or an empty text at the end of the list."""
    if after is None:
        return ""
    value, id = after
    plain = ["t", value.isoformat()] if isinstance(value, datetime) else ["v", value]
    return base64.urlsafe_b64encode(json.dumps([*plain, id]).encode()).decode()


def from_token(token: str) -> Key | None:
    """Returns the position of a token, or None for an empty token.

    Raises:
        Invalid: if the toolkit did not make the token.
    """
    if not token:
        return None
    try:
        kind, value, id = json.loads(base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True))
        id.encode()  # a lone surrogate is no text
        if kind == "t":
            return datetime.fromisoformat(value).astimezone(UTC), str(id)
        if isinstance(value, str) and value.encode() is not None:
            return value, str(id)
        if isinstance(value, int | float) and abs(value) < _MOST_NUMBER:
            return value, str(id)
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        pass
    raise Invalid("use the next_page_token of the page before, unchanged", field="page_token") from None
