"""Commits as MongoDB documents and back, and the expressions that several collections share."""

from collections.abc import Mapping
from typing import Any

from bson.timestamp import Timestamp

from treaty.commits.commit import CauseEntry, Commit, Outgoing, PendingCall
from treaty.mongo.driver import reaching
from treaty.probes import Waiting


def to_document(commit: Commit) -> dict[str, Any]:
    """Returns the document; the server fills its empty timestamp in."""
    return {
        "_id": commit.id,
        "stream": commit.stream,
        "version": commit.version,
        "position": Timestamp(0, 0),
        "causes": [_cause(entry) for entry in commit.causes],
        "events": list(commit.events),
        "state": commit.state,
        "outbox": [{"type": o.type, "body": o.body, "time": o.time, "cause": o.cause} for o in commit.outbox],
        "sequence": commit.sequence,
        "calls": [_call(c) for c in commit.calls],
        "token": commit.token,
    }


def _call(call: PendingCall) -> dict[str, Any]:
    document = {"type": call.type, "body": call.body, "cause": call.cause, "due": call.due}
    return document if call.after is None else {**document, "after": call.after}


def _cause(entry: CauseEntry) -> dict[str, Any]:
    document: dict[str, Any] = {
        "id": entry.id,
        "digest": entry.digest,
        "actor": entry.actor,
        "tenant": entry.tenant,
        "trace": entry.trace,
        "correlation": entry.correlation,
        "events": entry.events,
    }
    if entry.refusal is not None:
        document["refusal"] = dict(entry.refusal)
    if entry.tracestate:
        document["tracestate"] = entry.tracestate
    if entry.baggage:
        document["baggage"] = entry.baggage
    return document


def _entry(cause: Mapping[str, Any]) -> CauseEntry:
    return CauseEntry(
        id=cause["id"],
        digest=cause["digest"],
        actor=cause["actor"],
        tenant=cause["tenant"],
        trace=cause["trace"],
        correlation=cause["correlation"],
        events=cause["events"],
        refusal=cause.get("refusal"),
        tracestate=cause.get("tracestate", ""),
        baggage=cause.get("baggage", ""),
    )


def from_document(document: Mapping[str, Any]) -> Commit:
    """Returns the commit; without a state if that was projected away.

    Unknown fields are read over: the next version of the code may write them while this one still runs.
    """
    position: Timestamp = document["position"]
    return Commit(
        stream=document["stream"],
        version=document["version"],
        causes=[_entry(cause) for cause in document["causes"]],
        events=document["events"],
        state=document.get("state", {}),
        outbox=[Outgoing(type=o["type"], body=o["body"], time=o["time"], cause=o["cause"]) for o in document["outbox"]],
        sequence=document["sequence"],
        calls=[
            PendingCall(type=c["type"], body=c["body"], cause=c["cause"], due=c.get("due"), after=c.get("after"))
            for c in document["calls"]
        ],
        token=document["token"],
        position=(position.time, position.inc),
    )


def later(seconds: float) -> dict[str, Any]:
    """Returns the expression for a moment so many seconds from now, by the server's clock."""
    return {"$add": ["$$NOW", int(seconds * 1000)]}


async def count_waiting(items: Any, condition: Mapping[str, Any]) -> Waiting:
    """Returns how many documents of a collection meet the condition, and the earliest `since` of them."""
    group = {"_id": None, "count": {"$sum": 1}, "oldest": {"$min": "$since"}}
    pipeline = [{"$match": dict(condition)}, {"$group": group}]
    with reaching():
        asked = {"aggregate": items.name, "pipeline": pipeline, "cursor": {}}
        answer = await items.database.command(asked, codec_options=items.codec_options)
    return next((Waiting(found["count"], found["oldest"]) for found in answer["cursor"]["firstBatch"]), Waiting(0))
