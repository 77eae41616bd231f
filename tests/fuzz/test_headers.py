"""Whatever stands in a header: a label is printable and short, and a message without the secret is not authentic."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from treaty.causes import begun_by, carried_by
from treaty.web.webhooks import NotAuthentic, Webhook, sign

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
LABELS = ("traceparent", "tracestate", "baggage", "treaty-correlation")
SIGNED = ("webhook-id", "webhook-timestamp", "webhook-signature")


@given(st.dictionaries(st.sampled_from(LABELS) | st.text(), st.text() | st.binary() | st.integers() | st.none()))
def test_labels_are_printable_and_short_or_dropped(headers: Mapping[str, object]) -> None:
    for text in (*carried_by(headers).values(), begun_by(headers)):
        assert isinstance(text, str)
        assert text.isascii()
        assert text.isprintable()
        assert len(text) <= 8192


async def _ignore(body: bytes) -> None:
    pass


HOOK = Webhook("/hook", "a secret", _ignore, "the secret before")
_HEADER = st.text() | st.sampled_from(["v1,", "v1,AAAA", "0", "9" * 12, "9" * 13, "-1", "1e3", "١٢٣", " ", "m.1"])


@given(
    st.dictionaries(st.sampled_from(SIGNED), _HEADER),
    st.binary(max_size=50),
)
def test_headers_without_the_secret_are_not_authentic(headers: dict[str, str], body: bytes) -> None:
    with pytest.raises(NotAuthentic):
        HOOK.verified(headers, body, NOW)


@given(
    st.binary(max_size=50), st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]), st.integers(0)
)
def test_a_signed_message_with_one_changed_header_is_not_authentic(body: bytes, name: str, at: int) -> None:
    headers = sign("a secret", "m-1", int(NOW.timestamp()), body)
    assert HOOK.verified(headers, body, NOW).id == "webhook/hook/m-1"
    text = headers[name]
    at %= len(text)
    changed = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
    with pytest.raises(NotAuthentic):
        HOOK.verified({**headers, name: changed}, body, NOW)
