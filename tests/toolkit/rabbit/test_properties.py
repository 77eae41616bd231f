"""The properties that are encoded here are those that the client library decodes."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp.commands import Basic
from pamqp.header import ContentHeader
from treaty.rabbit.properties import LONGEST_PROPERTY, bounded, persistent

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
SHORT = TEXTS.map(bounded)
BOUNDS = datetime.fromisoformat("1970-01-02"), datetime.fromisoformat("2105-01-01")
"""The client library takes the seconds of later times for milliseconds."""


def _decoded(properties: Basic.Properties) -> Basic.Properties:
    """Returns what a client that receives the properties sees."""
    header = ContentHeader()
    header.unmarshal(ContentHeader(body_size=7, properties=properties).marshal())
    assert header.body_size == 7
    return header.properties


@given(
    headers=st.dictionaries(TEXTS.filter(lambda name: len(name.encode()) <= LONGEST_PROPERTY), TEXTS, max_size=20),
    texts=st.tuples(SHORT, SHORT, SHORT, SHORT, SHORT),
    time=st.none() | st.datetimes(*BOUNDS, timezones=st.just(UTC)),
)
def test_encoded_properties_are_read_as_they_were_meant(
    headers: dict[str, str], texts: tuple[str, str, str, str, str], time: datetime | None
) -> None:
    message_id, type, content_type, correlation_id, app_id = texts
    found = _decoded(
        persistent(
            headers,
            message_id=message_id,
            type=type,
            content_type=content_type,
            correlation_id=correlation_id,
            time=time,
            app_id=app_id,
        )
    )
    assert found.headers == headers
    assert (found.message_id or "", found.message_type or "") == (message_id, type)
    assert (found.content_type or "", found.correlation_id or "", found.app_id or "") == (
        content_type,
        correlation_id,
        app_id,
    )
    assert found.delivery_mode == 2
    assert found.timestamp == (None if time is None else time.replace(microsecond=0))


@pytest.mark.parametrize("texts", [{"type": "t" * 256}, {"type": "\ud800"}, {"app_id": "ä" * 128}])
def test_a_text_that_fits_in_no_property_is_refused(texts: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        persistent({}, **{"message_id": "m", "type": "t", **texts})  # type: ignore[arg-type]


def test_a_header_that_is_no_text_is_refused() -> None:
    with pytest.raises(ValueError):
        persistent({"ce-id": "\udfff"}, message_id="m", type="t")
