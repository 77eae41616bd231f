"""Sample commits, envelopes and rows for the contract suites."""

from collections.abc import Sequence
from dataclasses import dataclass, is_dataclass, replace
from datetime import UTC, datetime
from typing import Any

from grpc import method_handlers_generic_handler

from treaty.commits.codec import Shape
from treaty.commits.commit import CauseEntry, Commit, Outgoing, PendingCall, commit_id
from treaty.commits.stored import Stored
from treaty.domain import Aggregate
from treaty.messaging.envelope import Envelope
from treaty.projections.projection import Projection
from treaty.rpc.api import Api

NOON = datetime(2024, 2, 29, 12, 0, 0, 123_000, tzinfo=UTC)


def bare_api(name: str) -> Api:
    """Returns a gRPC service of this full name that has no methods."""
    return Api(lambda _, server: server.add_generic_rpc_handlers([method_handlers_generic_handler(name, {})]), None)


def cause(id: str, *, events: int = 0) -> CauseEntry:
    return CauseEntry(id=id, digest="", actor="", tenant="", trace="", correlation="", events=events)


def plain_commit(stream: str, version: int = 1, *, causes: Sequence[str] = (), token: str = "") -> Commit:
    """Returns a commit with one event and the given causes, or with a cause of its own."""
    ids = causes or [f"cause of {commit_id(stream, version)}"]
    return Commit(
        stream=stream,
        version=version,
        causes=[cause(id, events=int(index == 0)) for index, id in enumerate(ids)],
        events=[{"type": "noted", "v": 1, "data": {"version": version}}],
        state={"shape": "test", "data": {"version": version}},
        outbox=[],
        sequence=0,
        calls=[],
        token=token or f"token of {commit_id(stream, version)}",
    )


def full_commit(stream: str) -> Commit:
    """Returns a commit with every field and every kind of value."""
    values = {"text": "ä€😀", "whole": 2**53 + 1, "yes": True, "part": 0.1, "raw": b"\x00\xff", "at": NOON}
    nested = {**values, "none": None, "list": [1, "two", {"three": b"3"}], "map": {"inner": {"deep": -1}}, "empty": []}
    first = CauseEntry(
        id="Deposit/1",
        digest="d1",
        actor="ann",
        tenant="t",
        trace="00-aa-bb-01",
        correlation="c-1",
        events=2,
        tracestate="v=1",
        baggage="a=b",
    )
    refusal = {"error": "Rejected", "message": "no", "reason": "NO", "field": ""}
    second = CauseEntry(
        id="message-2", digest="", actor="", tenant="", trace="", correlation="", events=0, refusal=refusal
    )
    return Commit(
        stream=stream,
        version=1,
        causes=[first, second],
        events=[{"type": "a", "v": 1, "data": nested}, {"type": "b", "v": 3, "data": {}}],
        state={"shape": "f00", "data": nested},
        outbox=[Outgoing(type="x.y.v1.Done", body=b"\x08\x01\x00", time=NOON, cause=0)],
        sequence=41,
        calls=[
            PendingCall(type="ring", body={"type": "ring", "v": 1, "data": values}, cause=0),
            PendingCall(type="ring", body={"type": "ring", "v": 1, "data": {}}, cause=1, due=NOON, after=0.5),
        ],
        token="a-token",
    )


def canonical(value: Any) -> Any:
    """Returns a value with all sequences as lists and all mappings as dicts, to compare the values of two stores."""
    if is_dataclass(value) and not isinstance(value, type):
        names = [name for name in value.__dataclass_fields__ if name != "position"]
        return {name: canonical(getattr(value, name)) for name in names}
    if isinstance(value, dict):
        return {key: canonical(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [canonical(inner) for inner in value]
    return value


def envelope(context: str, id: str, *, key: str = "k", type: str = "", body: bytes = b"body") -> Envelope:
    """Returns an event of a context, of the type `<context>.v1.Happened` by default."""
    return Envelope(
        id=id,
        type=type or f"{context}.v1.Happened",
        source=f"/{context}/thing-{key}",
        subject=key,
        time=NOON,
        partition_key=key,
        sequence="000000000001",
        body=body,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """The only event of the sample aggregate."""

    owner: str
    rank: int


@dataclass(slots=True, kw_only=True)
class Note(Aggregate[Noted]):
    owner: str = ""
    rank: int = 0

    def evolve(self, event: Noted) -> None:
        self.owner, self.rank = event.owner, event.rank


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteRow:
    owner: str
    rank: int


def project_note(id: str, row: NoteRow | None, event: Noted) -> NoteRow | None:
    return NoteRow(owner=event.owner, rank=event.rank) if event.rank >= 0 else None


NOTES = Projection(
    name="notes",
    source=Stored("note", Note, [Shape("noted", Noted)]),
    row=NoteRow,
    project=project_note,
    order_by="rank",
    filters=("owner",),
)


def noted(id: str, version: int, owner: str, rank: int) -> Commit:
    """Returns a commit of a note, for `NOTES`."""
    event = NOTES.source.events.encode(Noted(owner=owner, rank=rank))
    return replace(plain_commit(f"note-{id}", version), events=[event])
