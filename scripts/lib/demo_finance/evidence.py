"""The evidence of the demo: its logs are sealed, one commit is edited by hand, the edit is found, and is taken back."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from treaty.commits.commit import Commit
from treaty.memory.stores import MemoryStores
from treaty.mongo.driver import database
from treaty.operations.audit import history
from treaty.seals.seal import SealTaken
from treaty.seals.sealer import Sealing
from treaty.seals.verification import Fault, Verdict, verify
from treaty.service.stores import Stores
from treaty.surroundings import Surroundings

from scripts.lib.demos.place import Place

ACCOUNTS = "finance.accounts"
_SEALED_WITHIN = 60.0
_RAW: CodecOptions[Any] = CodecOptions(document_class=RawBSONDocument)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The result.

    Attributes:
        sealed: the number of commits in the seals of all contexts.
        chain_valid: whether everything was as it had been sealed, before the edit.
        tampering_found: whether the edit was found, and nothing else.
        restored: whether everything is as it was sealed again.
    """

    sealed: int = 0
    chain_valid: bool = False
    tampering_found: bool = False
    restored: bool = False


async def evidence_of(place: Place, account: str) -> Evidence:
    """Seals all logs, and verifies them before, while and after an account's first posting has a cent too many.

    On MongoDB a commit is sealed when it is ten seconds old, so this may wait for as long.
    """
    commit = await _first_posting(place.stores[ACCOUNTS], account)
    async with asyncio.timeout(_SEALED_WITHIN):
        while not await _is_sealed(place, commit):
            await asyncio.sleep(0.5)
    before = await _verified(place)
    async with _edited(place, commit):
        during = await _verified(place)
    after = await _verified(place)
    findings = [(finding.fault, finding.what) for verdict in during.values() for finding in verdict.findings]
    return Evidence(
        sealed=sum(verdict.sealed for verdict in before.values()),
        chain_valid=all(verdict.valid for verdict in before.values()),
        tampering_found=findings == [(Fault.CHANGED, commit.id)],
        restored=all(verdict.valid for verdict in after.values()),
    )


async def _first_posting(stores: Stores, account: str) -> Commit:
    async for commit in history(stores.log):
        if commit.stream == f"account-{account}" and _place_of_posting(commit) is not None:
            return commit
    raise LookupError(f"account {account} has no posting")


def _place_of_posting(commit: Commit) -> int | None:
    return next((number for number, event in enumerate(commit.events) if event["type"] == "posted"), None)


async def _is_sealed(place: Place, commit: Commit) -> bool:
    """Seals what can be sealed; returns whether the commit is."""
    for name, stores in place.stores.items():
        with suppress(SealTaken):  # by the process of the context
            await Sealing().sealer(name, stores.seals, Surroundings()).seal()
    return any([commit.id in seal.ids async for seal in place.stores[ACCOUNTS].seals.all()])


async def _verified(place: Place) -> Mapping[str, Verdict]:
    return {name: await verify(name, stores.seals) for name, stores in place.stores.items()}


@asynccontextmanager
async def _edited(place: Place, commit: Commit) -> AsyncIterator[None]:
    """Adds a cent to the posting of a commit where it is stored; the commit is put back after the block."""
    stores, number = place.stores[ACCOUNTS], _place_of_posting(commit)
    assert number is not None
    if isinstance(stores, MemoryStores):
        [original] = [one for one in stores.commits.commits if one.id == commit.id]
        await _put(stores, _with_a_cent_more(original, number))
        try:
            yield
        finally:
            await _put(stores, original)
        return
    commits = database(place.client, ACCOUNTS).get_collection("commits", codec_options=_RAW)
    stored = await commits.find_one({"_id": commit.id})
    cents = f"events.{number}.data.posting.amount.minor_units"
    try:
        await commits.update_one({"_id": commit.id}, {"$inc": {cents: 1}})
        yield
    finally:
        await commits.replace_one({"_id": commit.id}, stored)


async def _put(stores: MemoryStores, commit: Commit) -> None:
    stores.commits.spoil(commit.id)
    await stores.commits.replace(commit)


def _with_a_cent_more(commit: Commit, number: int) -> Commit:
    event = commit.events[number]
    posting = event["data"]["posting"]
    more = {**posting, "amount": {**posting["amount"], "minor_units": posting["amount"]["minor_units"] + 1}}
    edited = {**event, "data": {**event["data"], "posting": more}}
    return replace(commit, events=[*commit.events[:number], edited, *commit.events[number + 1 :]])
