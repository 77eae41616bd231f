"""Webhooks: only what is authentic and fresh is taken, and a repetition changes nothing."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from treaty.domain import Invalid
from treaty.web.webhooks import TOLERANCE_SECONDS, NotAuthentic, Webhook, json_object, sign

NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
BODY = b'{"status": "DELIVERED"}'


async def _ignore(body: bytes) -> None:
    pass


HOOK = Webhook("/webhooks/carrier", "hush", _ignore)


def _signed(at: datetime = NOW, *, secret: str = "hush", id: str = "m-1", body: bytes = BODY) -> dict[str, str]:
    return sign(secret, id, int(at.timestamp()), body)


def test_what_is_signed_is_taken_under_its_own_id() -> None:
    cause = HOOK.verified(_signed(), BODY, NOW)
    assert (cause.id, cause.durable, cause.correlation) == ("webhook/webhooks/carrier/m-1", True, "m-1")


def test_the_signature_is_that_of_the_standard() -> None:
    """The example of the specification's reference libraries."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    said = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert said["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {**_signed(), "webhook-signature": ""},
        {**_signed(), "webhook-id": "m-2"},
        {**_signed(), "webhook-id": "m\udcff"},
        {**_signed(), "webhook-timestamp": "soon"},
        {**_signed(), "webhook-timestamp": "1" * 5000},
        {**_signed(), "webhook-timestamp": "١٧٠٤١٦٤٦٤٥"},
        {**_signed(), "webhook-timestamp": "-1"},
        {**_signed(), "webhook-signature": "v1,ü"},
        {**_signed(), "webhook-signature": "v1,\udcff\ud800"},
        {**_signed(), "webhook-signature": "v1,x " * 50_000},
        _signed(secret="other"),
        _signed(body=b"other"),
        {**_signed(), "webhook-signature": "v1," + base64.b64encode(b"x" * 32).decode()},
    ],
)
def test_what_is_not_signed_by_the_secret_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(NotAuthentic):
        HOOK.verified(headers, BODY, NOW)


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff", b"[]", b"1", b'"text"', b'{"a": "caf\\ud83d"}', b'{"caf\\ud83d": 1}', b'{"a":' + b"[" * 100_000],
    ids=["empty", "latin", "list", "number", "text", "half a pair", "half a pair in a name", "deep"],
)
def test_a_body_that_is_no_object_of_json_is_refused(body: bytes) -> None:
    with pytest.raises(Invalid):
        json_object(body)


def test_a_whole_surrogate_pair_is_one_character() -> None:
    assert json_object(b'{"a": "\\ud83d\\ude00"}') == {"a": "\U0001f600"}


@pytest.mark.parametrize("seconds", [-TOLERANCE_SECONDS - 1, TOLERANCE_SECONDS + 1])
def test_what_was_signed_long_ago_or_in_the_future_is_refused(seconds: int) -> None:
    with pytest.raises(NotAuthentic):
        HOOK.verified(_signed(NOW + timedelta(seconds=seconds)), BODY, NOW)


def test_one_fitting_signature_of_several_is_enough() -> None:
    headers = _signed()
    headers["webhook-signature"] = f"v1,bm90aGluZw== {headers['webhook-signature']}"
    assert HOOK.verified(headers, BODY, NOW).id


def test_a_secret_can_be_changed_while_messages_come_in() -> None:
    changing = Webhook("/webhooks/carrier", "new", _ignore, secret_before="hush")
    first, again = HOOK.verified(_signed(), BODY, NOW), changing.verified(_signed(secret="new"), BODY, NOW)
    assert changing.verified(_signed(), BODY, NOW).id == again.id == first.id
    assert first.digest in again.digests_before.values(), "the repeat is recognised"
    with pytest.raises(NotAuthentic):
        Webhook("/webhooks/carrier", "new", _ignore).verified(_signed(), BODY, NOW)
    with pytest.raises(NotAuthentic):
        HOOK.verified(_signed(secret=""), BODY, NOW)


def test_another_body_has_another_digest() -> None:
    assert HOOK.cause("m-1", BODY).digest != HOOK.cause("m-1", b"other").digest
