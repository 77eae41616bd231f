"""Seals on MongoDB: a service that seals, and what the command finds after somebody changed the database by hand."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from bson.timestamp import Timestamp
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from treaty.mongo.driver import database
from treaty.testing import while_moving

from tests.real.houses import House, house
from tests.services.finance.accounts.teller import CONTEXT, Teller

pytestmark = pytest.mark.slow


@dataclass(slots=True)
class Bank:
    """A sealed context, and the files that are outside its database."""

    house: House
    teller: Teller
    anchors: Path
    public_key: Path

    @property
    def database(self) -> Any:
        return database(self.house.client, CONTEXT)

    async def verify(self, *options: str, context: str = CONTEXT) -> tuple[int, Mapping[str, Any], str]:
        """Runs the command as a person does; returns its code, its verdict and what it said on standard error."""
        command = [sys.executable, "-m", "treaty.cli", "audit", "verify", context, "--json", *options]
        told: Any = {"env": dict(self.house.environ), "capture_output": True, "text": True, "check": False}
        run = partial(subprocess.run, command, **told)
        done = await asyncio.to_thread(run)
        return done.returncode, json.loads(done.stdout).get(context, {}) if done.stdout else {}, done.stderr

    async def everything_is_sealed(self) -> None:
        """Waits until the process has sealed all commits; it waits for ten seconds after each of them."""
        commits = await self.house.count(CONTEXT)
        await while_moving(partial(self._are_sealed, commits), self._sealed, still=60.0)

    async def _are_sealed(self, commits: int) -> bool:
        return await self._sealed() == commits

    async def _sealed(self) -> int:
        return sum([len(seal["ids"]) async for seal in self.database.seals.find()])

    async def findings(self) -> Sequence[tuple[str, str]]:
        code, verdict, error = await self.verify("--anchors", str(self.anchors), "--public-key", str(self.public_key))
        assert not error
        assert code == (0 if verdict["valid"] else 1)
        return sorted((one["what"], one["fault"]) for one in verdict["findings"])


@pytest.fixture
async def bank(servers: Mapping[str, str], tmp_path: Path) -> AsyncIterator[Bank]:
    key = Ed25519PrivateKey.generate()
    (tmp_path / "seal.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    public = tmp_path / "seal-public.pem"
    public.write_bytes(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    settings = {
        "TREATY_SEAL_KEY_FILE": str(tmp_path / "seal.pem"),
        "TREATY_SEAL_ANCHORS": str(tmp_path / "anchors.jsonl"),
        "TREATY_SEAL_SECONDS": "0.5",
    }
    async with house(servers, tmp_path, {"bank": CONTEXT}, settings) as running:
        yield Bank(running, Teller(running.channel("bank")), tmp_path / "anchors.jsonl", public)


async def test_what_is_changed_by_hand_is_found_and_erasing_a_person_is_no_change(bank: Bank) -> None:
    teller, commits = bank.teller, bank.database.commits
    for name in ("ann", "bob", "cid"):
        await teller.open(name, 1_000, name=f"{name.title()} Poe", email=f"{name}@example.com")
        await teller.deposit(name, 2_000)
    await bank.everything_is_sealed()
    assert await bank.findings() == []

    await teller.ask("EraseHolder", account_id="cid")
    await teller.deposit("cid", 1)
    await bank.everything_is_sealed()
    assert await bank.findings() == []
    _, verdict, _ = await bank.verify("--anchors", str(bank.anchors))
    assert verdict["anchored"] == verdict["seals"] > 0

    edited = await commits.find_one({"stream": "account-ann", "version": 3})
    await commits.update_one({"_id": edited["_id"]}, {"$set": {"events.0.data.amount": 9_999}})
    assert await bank.findings() == [(edited["_id"], "changed since it was sealed")]
    await commits.replace_one({"_id": edited["_id"]}, edited)
    assert await bank.findings() == [], "it is as it was, to the byte"

    gone = await commits.find_one({"stream": "account-bob", "version": 2})
    await commits.delete_one({"_id": gone["_id"]})
    assert (gone["_id"], "missing since it was sealed") in await bank.findings()
    await commits.insert_one(gone)
    assert await bank.findings() == []

    late = {**gone, "_id": "account-eve@000000000001", "stream": "account-eve", "version": 1}
    await commits.insert_one(late)
    assert await bank.findings() == [(late["_id"], "added to a part of the log that was sealed")]
    await commits.update_one({"_id": late["_id"]}, {"$set": {"position": "never"}})
    assert await bank.findings() == [(late["_id"], "not in any part of the log")]
    await commits.delete_one({"_id": late["_id"]})

    moved = {**gone, "position": Timestamp(gone["position"].time + 10**6, 1)}
    await commits.replace_one({"_id": gone["_id"]}, moved)
    assert (gone["_id"], "changed since it was sealed") in await bank.findings()
    await commits.replace_one({"_id": gone["_id"]}, gone)

    await commits.insert_one({**late, "position": [Timestamp(5, 5)]})
    await bank.database.seals.insert_many([{"_id": "zzz"}, {"_id": 10**6, "root": 5}])
    found = await bank.findings()
    assert {(late["_id"], "not in any part of the log"), ("seal zzz", "not in any part of the log")} <= set(found)
    assert ("seal 1000000", "the seal does not cover what it lists") in found
    await commits.delete_one({"_id": late["_id"]})
    await bank.database.seals.delete_many({"_id": {"$in": ["zzz", 10**6]}})
    assert await bank.findings() == []

    last = await bank.database.seals.find_one(sort=[("_id", -1)])
    await bank.database.seals.delete_one({"_id": last["_id"]})
    await commits.delete_many({"_id": {"$in": last["ids"]}})
    assert (f"seal {last['_id']}", "the seal is missing") in await bank.findings(), "the anchor tells"


async def test_wrong_input_gets_a_sentence(bank: Bank, tmp_path: Path) -> None:
    code, _, error = await bank.verify(context="commerce.catalog")
    assert (code, "is not sealed" in error) == (2, True)
    code, _, error = await bank.verify("--anchors", str(tmp_path / "none"))
    assert (code, "cannot be read" in error) == (2, True)
    (tmp_path / "empty").write_text("nothing\n")
    code, _, error = await bank.verify("--anchors", str(tmp_path / "empty"))
    assert (code, "has no anchor" in error) == (2, True)
    code, _, error = await bank.verify("--public-key", str(tmp_path / "empty"))
    assert (code, "not an Ed25519 key" in error) == (2, True)
