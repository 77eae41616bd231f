"""Seals: what they cover, and what a verification finds."""

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta, timezone
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from treaty.memory.stores import MemoryStores
from treaty.seals import sealer as sealers
from treaty.seals.anchors import Anchor, Anchors, read_anchors
from treaty.seals.seal import Leaf, Position, Seal, SealTaken, root_of
from treaty.seals.sealer import ChainCut, Sealer, Sealing
from treaty.seals.signatures import signer, verifier
from treaty.seals.verification import Fault, Verdict, verify
from treaty.settings import ProcessSettings, SettingsError, read_settings
from treaty.surroundings import Surroundings
from treaty.testing import eventually
from treaty.testing.recorder import Recorder
from treaty.testing.samples import plain_commit
from treaty.testing.suites.seals import seal_of
from treaty.testing.world import SeededChance

NAME = "media.notes"


def key() -> tuple[str, str]:
    """Returns a private and a public key in PEM."""
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return pem.decode(), public.decode()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def stores(recorder: Recorder) -> MemoryStores:
    return MemoryStores(Surroundings(chance=SeededChance(), probe=recorder))


def sealer(stores: MemoryStores, recorder: Recorder, sealing: Sealing | None = None) -> Sealer:
    return (sealing or Sealing()).sealer(NAME, stores.seals, Surroundings(chance=SeededChance(), probe=recorder))


@pytest.fixture
async def sealed(stores: MemoryStores, recorder: Recorder) -> MemoryStores:
    """Stores with three seals over two streams, and a commit that is not sealed yet."""
    for turn in range(1, 4):
        for stream in ("note-a", "note-b"):
            await stores.log.append(plain_commit(stream, turn))
        assert await sealer(stores, recorder).seal() == 2
    await stores.log.append(plain_commit("note-a", 4))
    return stores


def faults(verdict: Verdict) -> Sequence[tuple[Fault, str, int]]:
    return [(finding.fault, finding.what, finding.seal) for finding in verdict.findings]


async def test_an_untouched_log_is_as_it_was_sealed(sealed: MemoryStores) -> None:
    verdict = await verify(NAME, sealed.seals)
    assert (verdict.valid, verdict.seals, verdict.sealed, verdict.open) == (True, 3, 6, 1)


async def test_each_seal_follows_the_one_before(sealed: MemoryStores) -> None:
    seals = [seal async for seal in sealed.seals.all()]
    assert [seal.before for seal in seals[1:]] == [seal.hash for seal in seals[:-1]]
    assert [seal.after for seal in seals[1:]] == [seal.until for seal in seals[:-1]]


async def test_nothing_new_is_no_seal(sealed: MemoryStores, recorder: Recorder) -> None:
    assert await sealer(sealed, recorder).seal() == 1
    assert await sealer(sealed, recorder).seal() == 0
    assert (await verify(NAME, sealed.seals)).seals == 4


async def test_an_edit_is_found(sealed: MemoryStores) -> None:
    order = sealed.commits._order
    order[2] = replace(order[2], token="forged")
    assert faults(await verify(NAME, sealed.seals)) == [(Fault.CHANGED, order[2].id, 2)]


async def test_a_removed_commit_is_found_and_so_is_the_hole_in_its_stream(sealed: MemoryStores) -> None:
    gone = sealed.commits._order.pop(2)
    assert faults(await verify(NAME, sealed.seals)) == [
        (Fault.MISSING, gone.id, 2),
        (Fault.HOLE, "note-a: 1 of 4 versions", 0),
    ]


async def test_a_removed_stream_is_found(sealed: MemoryStores) -> None:
    sealed.commits._order = [commit for commit in sealed.commits._order if commit.stream != "note-b"]
    found = faults(await verify(NAME, sealed.seals))
    assert found == [(Fault.MISSING, plain_commit("note-b", n).id, n) for n in (1, 2, 3)]


async def test_a_commit_that_was_added_in_the_past_is_found(sealed: MemoryStores) -> None:
    before = sealed.commits._order[3].position
    late = replace(plain_commit("note-c"), position=before)
    sealed.commits._order.append(late)
    assert faults(await verify(NAME, sealed.seals)) == [(Fault.LATE, late.id, 2)]


async def test_a_hole_is_found_before_anything_is_sealed(stores: MemoryStores) -> None:
    for version in (1, 2, 3):
        await stores.log.append(plain_commit("note-a", version))
    del stores.commits._order[1]
    assert faults(await verify(NAME, stores.seals)) == [(Fault.HOLE, "note-a: 1 of 3 versions", 0)]


async def test_a_commit_that_changed_and_was_sealed_again_breaks_the_chain(sealed: MemoryStores) -> None:
    """Who can write the database can make a new seal; the next seal, an anchor or the key tells."""
    order, seals = sealed.commits._order, sealed.seals._seals
    order[2] = replace(order[2], token="forged")
    leaves = [leaf async for leaf in sealed.seals.leaves(seals[2].after, seals[2].until)]
    honest = seals[2]
    seals[2] = replace(
        honest,
        leaves=b"".join(leaf.hash for leaf in leaves),
        root=root_of([leaf.hash for leaf in leaves]).hex(),
    )
    assert faults(await verify(NAME, sealed.seals)) == [(Fault.CHAIN, "seal 3", 3)]
    anchor = Anchor(context=NAME, number=2, hash=honest.hash)
    assert (Fault.ANCHOR, "seal 2", 2) in faults(await verify(NAME, sealed.seals, anchors=[anchor]))


@pytest.mark.parametrize(
    "change",
    [
        {"root": "0" * 64},
        {"leaves": b"\0" * 64},
        {"ids": ["note-a@000000000002"]},
        {"context": "media.other"},
    ],
)
async def test_a_seal_that_does_not_cover_what_it_lists_is_found(
    sealed: MemoryStores, change: dict[str, object]
) -> None:
    sealed.seals._seals[2] = replace(sealed.seals._seals[2], **change)  # type: ignore[arg-type]
    assert (Fault.SEAL_CHANGED, "seal 2", 2) in faults(await verify(NAME, sealed.seals))


async def test_a_seal_that_is_missing_is_found(sealed: MemoryStores) -> None:
    del sealed.seals._seals[2]
    verdict = await verify(NAME, sealed.seals)
    assert faults(verdict) == [(Fault.SEAL_MISSING, "seal 2", 2)]
    assert (verdict.sealed, verdict.open) == (4, 3)


async def test_a_tail_that_was_cut_off_is_found_by_an_anchor_alone(sealed: MemoryStores) -> None:
    anchors = [Anchor(context=NAME, number=seal.number, hash=seal.hash) async for seal in sealed.seals.all()]
    foreign = Anchor(context="media.other", number=9, hash="")
    verdict = await verify(NAME, sealed.seals, anchors=[*anchors, foreign])
    assert (verdict.valid, verdict.anchored) == (True, 3)
    del sealed.seals._seals[3]
    del sealed.commits._order[4:]
    assert (await verify(NAME, sealed.seals)).valid, "nothing inside the database shows it"
    assert faults(await verify(NAME, sealed.seals, anchors=anchors)) == [(Fault.SEAL_MISSING, "seal 3", 3)]


async def test_a_chain_that_was_cut_is_not_sealed_again_and_two_anchors_of_one_number_are_told(
    sealed: MemoryStores, recorder: Recorder, tmp_path: Path
) -> None:
    """Who can write the database may remove the last seal, and let the service seal the changed commits anew."""
    sealing = Sealing(anchors=Anchors(tmp_path / "anchors"))
    running = sealer(sealed, recorder, sealing)
    assert await running.seal() == 1
    sealed.commits._order[-1] = replace(sealed.commits._order[-1], token="forged")
    del sealed.seals._seals[4]
    with pytest.raises(ChainCut, match="seal 4"):
        await running.seal()
    assert recorder.gauges["treaty.seals.changed"] == 1
    assert await sealer(sealed, recorder, sealing).seal() == 1, "a process that starts does not know"
    anchors = list(read_anchors((tmp_path / "anchors").read_text().splitlines()))
    assert faults(await verify(NAME, sealed.seals, anchors=anchors)) == [(Fault.ANCHORED_TWICE, "seal 4", 4)]


async def test_a_position_in_the_future_is_found(sealed: MemoryStores) -> None:
    late = sealed.commits._order[-1]
    sealed.commits._order.append(replace(plain_commit("note-c"), position=(late.position[0] + 10**6, 1)))
    settled = late.position

    async def of_the_server() -> Position:
        return settled

    sealed.seals.settled = of_the_server  # type: ignore[method-assign]
    assert faults(await verify(NAME, sealed.seals)) == [(Fault.FUTURE, plain_commit("note-c").id, 0)]


async def test_many_seals_that_are_missing_are_one_finding(sealed: MemoryStores) -> None:
    last = sealed.seals._seals[3]
    sealed.seals._seals[10**9] = replace(last, number=10**9)
    found = faults(await verify(NAME, sealed.seals))
    assert (Fault.SEAL_MISSING, "seals 4 to 999999999", 4) in found


async def test_signatures_are_those_of_the_key(stores: MemoryStores, recorder: Recorder) -> None:
    private, public = key()
    _, another = key()
    await stores.log.append(plain_commit("note-a"))
    await sealer(stores, recorder, Sealing(sign=signer(private))).seal()
    await stores.log.append(plain_commit("note-a", 2))
    await sealer(stores, recorder).seal()
    found = faults(await verify(NAME, stores.seals, verifies=verifier(public)))
    assert found == [(Fault.SIGNATURE, "seal 2", 2)], "it was made without the key"
    assert len(faults(await verify(NAME, stores.seals, verifies=verifier(another)))) == 2


@pytest.mark.parametrize("pem", ["none", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "rsa"])
def test_what_is_no_key_is_said(pem: str) -> None:
    if pem == "rsa":
        other = generate_private_key(SECP256R1())
        pem = other.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
    with pytest.raises(SettingsError, match="TREATY_SEAL_KEY is not an Ed25519 key"):
        signer(pem)
    with pytest.raises(SettingsError, match="the public key is not an Ed25519 key"):
        verifier(pem)


async def test_many_commits_make_several_seals(
    stores: MemoryStores, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealers, "MOST", 4)
    for version in range(1, 11):
        await stores.log.append(plain_commit("note-a", version))
    assert await sealer(stores, recorder).seal() == 10
    assert [len(seal.ids) async for seal in stores.seals.all()] == [4, 4, 2]
    assert (await verify(NAME, stores.seals)).valid


async def test_commits_with_one_position_are_in_one_seal(
    stores: MemoryStores, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealers, "MOST", 2)
    for version in range(1, 6):
        await stores.log.append(plain_commit("note-a", version))
    order = stores.commits._order
    order[1:4] = [replace(commit, position=order[1].position) for commit in order[1:4]]
    await sealer(stores, recorder).seal()
    assert [len(seal.ids) async for seal in stores.seals.all()] == [4, 1]
    assert (await verify(NAME, stores.seals)).valid


async def test_two_sealers_cannot_make_two_chains(stores: MemoryStores, recorder: Recorder) -> None:
    await stores.log.append(plain_commit("note-a"))
    outcomes = await asyncio.gather(*(sealer(stores, recorder)._next(None, (2**31, 0)) for _ in range(2)))
    one, other = outcomes
    assert one is not None
    assert other is not None
    await stores.seals.add(one)
    with pytest.raises(SealTaken):
        await stores.seals.add(other)


async def test_a_commit_that_came_late_is_told_and_never_sealed(sealed: MemoryStores, recorder: Recorder) -> None:
    last = await sealed.seals.last()
    assert last is not None
    sealed.commits._order.append(replace(plain_commit("note-c"), position=last.until))
    await sealer(sealed, recorder).seal()
    assert recorder.gauges["treaty.seals.changed"] == 1
    assert (Fault.LATE, plain_commit("note-c").id, 3) in faults(await verify(NAME, sealed.seals))


async def test_a_sealer_goes_on_after_a_failure(stores: MemoryStores, recorder: Recorder) -> None:
    await stores.log.append(plain_commit("note-a"))
    failing, honest = [True, True], stores.seals.last

    async def last() -> Seal | None:
        if failing:
            failing.pop()
            raise RuntimeError("not now")
        return await honest()

    stores.seals.last = last  # type: ignore[method-assign]
    running = asyncio.create_task(replace(sealer(stores, recorder), every=0.01).run())
    await eventually(lambda: bool(stores.seals._seals))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_anchors_are_read_from_a_file_and_from_a_log(
    stores: MemoryStores, recorder: Recorder, tmp_path: Path
) -> None:
    file = tmp_path / "anchors.jsonl"
    await stores.log.append(plain_commit("note-a"))
    await sealer(stores, recorder, Sealing(anchors=Anchors(file))).seal()
    [seal] = stores.seals._seals.values()
    log = ["not json", "{}", '{"event": 1}', "2026-07-01 pod-1 " + file.read_text().strip(), json.dumps([1])]
    assert list(read_anchors(log)) == [Anchor(context=NAME, number=1, hash=seal.hash)]


async def test_a_file_of_anchors_that_cannot_be_written_stops_nothing(
    stores: MemoryStores, recorder: Recorder, tmp_path: Path
) -> None:
    await stores.log.append(plain_commit("note-a"))
    assert await sealer(stores, recorder, Sealing(anchors=Anchors(tmp_path))).seal() == 1


def test_a_hash_does_not_depend_on_the_zone_of_its_time() -> None:
    seal = seal_of(1, [Leaf((1, 1), "note-a@000000000001", b"0" * 32)])
    elsewhere = replace(seal, sealed_at=seal.sealed_at.astimezone(timezone(timedelta(hours=5))))
    assert elsewhere.hash == seal.hash


def test_the_root_is_that_of_the_standard() -> None:
    """Values of RFC 6962 trees, computed by its recursive definition."""
    assert root_of([]) == hashlib.sha256(b"").digest()
    assert root_of([b"a"]) == b"a"


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=40))
def test_the_root_is_that_of_the_recursive_definition(leaves: list[bytes]) -> None:
    assert root_of(leaves) == _recursive(leaves)


def _recursive(leaves: Sequence[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + _recursive(leaves[:split]) + _recursive(leaves[split:])).digest()


def test_a_key_of_the_settings_is_used() -> None:
    private, public = key()
    sealing = Sealing.of(ProcessSettings.model_validate({"TREATY_SEAL_KEY": private, "TREATY_SEAL_SECONDS": 5}))
    assert verifier(public)("sealed", sealing.sign("sealed"))
    assert sealing.every == 5
    assert Sealing.of(read_settings(ProcessSettings, {})).sign("sealed") == ""
