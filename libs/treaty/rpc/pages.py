"""Page tokens: the place in a list, as text that a client hands back unread."""

import base64
import json
from datetime import UTC, datetime

from treaty.domain import Invalid
from treaty.projections.rows import Key


def to_token(after: Key | None) -> str:
    """Returns the token of a place; none at the end."""
    if after is None:
        return ""
    value, id = after
    plain = ["t", value.isoformat()] if isinstance(value, datetime) else ["v", value]
    return base64.urlsafe_b64encode(json.dumps([*plain, id]).encode()).decode()


def from_token(token: str) -> Key | None:
    """Returns the place of a token.

    Raises:
        Invalid: if it is none of ours.
    """
    if not token:
        return None
    try:
        kind, value, id = json.loads(base64.urlsafe_b64decode(token.encode()))
        if kind == "t":
            return datetime.fromisoformat(value).astimezone(UTC), str(id)
        if isinstance(value, str | int | float):
            return value, str(id)
    except (ValueError, TypeError, OverflowError):
        pass
    raise Invalid("use the next_page_token of the page before, as it is", field="page_token") from None
