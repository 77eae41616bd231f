"""Digests of requests survive a change of their key: a true repeat gets the first answer, another body is refused."""

from typing import Any

import pytest
from treaty.causes import Cause
from treaty.commits.streams import RequestReused
from treaty.digests import DigestKeys

from tests.toolkit.bank import Bank, deposit, withdraw

BODY, OTHER = b"ten pounds", b"eleven pounds"


def request(keys: DigestKeys, body: bytes, id: str = "Deposit/1") -> Cause:
    return Cause(id=id, **keys.hashed(body))


def stored_by_the_version_before(body: bytes) -> Cause:
    """Returns a request whose digest has no key's id beside it."""
    return Cause(id="Deposit/1", digest=DigestKeys.of("old").hashed(body)["digest"])


OLD, BOTH, NEW = DigestKeys.of("old"), DigestKeys.of("new", "old"), DigestKeys.of("new")


async def _balance(first: Cause, again: Cause) -> Any:
    accounts = Bank().accounts()
    await accounts.add("ann", deposit(10), cause=first)
    return (await accounts.add("ann", deposit(10), cause=again)).state.balance


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (request(OLD, BODY), request(OLD, BODY)),
        (request(OLD, BODY), request(BOTH, BODY)),
        (request(BOTH, BODY), request(OLD, BODY)),
        (request(OLD, BODY), request(NEW, BODY)),
        (stored_by_the_version_before(BODY), request(BOTH, BODY)),
        (request(OLD, BODY), stored_by_the_version_before(BODY)),
    ],
    ids=["no change", "changed", "not changed everywhere yet", "the old key is gone", "no id", "rolled back"],
)
async def test_a_true_repeat_takes_effect_once(first: Cause, again: Cause) -> None:
    assert await _balance(first, again) == 10


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (request(OLD, BODY), request(OLD, OTHER)),
        (request(OLD, BODY), request(BOTH, OTHER)),
        (request(NEW, BODY), request(BOTH, OTHER)),
        (stored_by_the_version_before(BODY), request(BOTH, OTHER)),
        (stored_by_the_version_before(BODY), request(NEW, OTHER)),
        (Cause(id="Deposit/1", durable=True), request(BOTH, OTHER)),
    ],
)
async def test_the_same_id_with_another_body_is_refused(first: Cause, again: Cause) -> None:
    with pytest.raises(RequestReused):
        await _balance(first, again)


async def test_a_withdrawal_that_is_repeated_after_the_key_changed_is_no_refusal() -> None:
    accounts = Bank().accounts()
    await accounts.add("ann", deposit(10), cause=request(OLD, BODY))
    for keys in (OLD, BOTH, NEW):
        taken = await accounts.change("ann", withdraw(10), cause=request(keys, OTHER, "Withdraw/1"))
        assert taken.state.balance == 0


def test_a_key_is_not_told_by_its_id() -> None:
    [id] = DigestKeys.of("old").keys
    assert len(id) == 8
    assert DigestKeys.of("old", "").keys.keys() == {id}
    assert DigestKeys.of("old").hashed(BODY)["digest"] != NEW.hashed(BODY)["digest"]
