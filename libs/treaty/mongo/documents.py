"""Commits as MongoDB documents and back, and the expressions that several collections share."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from bson.codec_options import CodecOptions, DatetimeConversion
from bson.timestamp import Timestamp

from treaty.commits.commit import CauseEntry, Commit, Outgoing, PendingCall
from treaty.commits.log import Unreadable
from treaty.mongo.driver import reaching
from treaty.probes import Waiting

CODEC: CodecOptions[Any] = CodecOptions(tz_aware=True, datetime_conversion=DatetimeConversion.DATETIME_AUTO)
"""Reads a moment past the year 9999 as another type, so that one document is unreadable, and not its whole batch."""


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
        "calls": [_call_document(c) for c in commit.calls],
        "token": commit.token,
    }


def _call_document(call: PendingCall) -> dict[str, Any]:
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
    beside = {"tracestate": entry.tracestate, "baggage": entry.baggage, "digest_key": entry.digest_key}
    document.update({name: text for name, text in beside.items() if text})
    return document


def within(stream: str, first: int, last: int | None) -> dict[str, Any]:
    """Returns the condition for the commits of a stream, by their ids alone: its other fields may be unreadable.

    Ids of another stream, whose name goes on with `@`, lie in between; they are longer.
    """
    lowest, end = f"{stream}@{first:012d}", f"{stream}@:" if last is None else f"{stream}@{last + 1:012d}"
    length = len(lowest.encode(errors="surrogatepass"))
    return {"_id": {"$gte": lowest, "$lt": end}, "$expr": {"$eq": [{"$strLenBytes": "$_id"}, length]}}


def under(prefix: str) -> dict[str, Any]:
    """Returns the condition for the commits of all streams whose names begin so, by their ids alone.

    So it needs no index that somebody may have dropped.
    """
    return {"_id": {"$gte": prefix, "$lt": f"{prefix}\U0010ffff"}}


def sorted_out(documents: Iterable[Any]) -> tuple[list[Commit], list[Unreadable]]:
    """Returns the commits, and the documents that cannot be read, each in the order of the documents."""
    commits: list[Commit] = []
    unreadable: list[Unreadable] = []
    for document in documents:
        try:
            commits.append(from_document(document))
        except Unreadable as found:
            unreadable.append(found)
    return commits, unreadable


def from_document(document: Mapping[str, Any]) -> Commit:
    """Returns the commit; without a state if that was projected away, or is none: then the events are folded.

    Unknown fields are read over: the next version of the code may write them while this one still runs.

    Raises:
        Unreadable: if a field is missing or of another type, or if the id is not that of the stream and the version.
    """
    try:
        commit = _commit(document)
        if document["_id"] != commit.id:
            raise ValueError(f"its fields are those of {commit.id}")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Unreadable(document.get("_id"), f"{type(error).__name__}: {error}") from None
    return commit


def _commit(document: Mapping[str, Any]) -> Commit:
    position: Timestamp = _of(Timestamp, document["position"])
    state = document.get("state")
    causes = [_entry(cause) for cause in _of(list, document["causes"])]
    return Commit(
        stream=_of(str, document["stream"]),
        version=_of(int, document["version"]),
        causes=causes,
        events=[_named(event) for event in _of(list, document["events"])],
        state=state if isinstance(state, dict) else {},
        outbox=[_outgoing(outgoing, len(causes)) for outgoing in _of(list, document["outbox"])],
        sequence=_of(int, document["sequence"]),
        calls=[_call(call, len(causes)) for call in _of(list, document["calls"])],
        token=_of(str, document["token"]),
        position=(position.time, position.inc),
    )


def _of(kind: type[Any], value: Any) -> Any:
    """Returns the value. Raises TypeError if it is of another type."""
    if not isinstance(value, kind):
        raise TypeError(f"{str(value)[:80]!r} is no {kind.__name__}")
    return value


def _entry(cause: dict[str, Any]) -> CauseEntry:
    id, digest, actor, tenant = cause["id"], cause["digest"], cause["actor"], cause["tenant"]
    trace, correlation, events, refusal = cause["trace"], cause["correlation"], cause["events"], cause.get("refusal")
    tracestate, baggage, key = cause.get("tracestate", ""), cause.get("baggage", ""), cause.get("digest_key", "")
    for text in (id, digest, actor, tenant, trace, correlation, tracestate, baggage, key):
        if not isinstance(text, str):
            raise TypeError(f"{str(text)[:80]!r} is no str")
    return CauseEntry(
        id=id,
        digest=digest,
        actor=actor,
        tenant=tenant,
        trace=trace,
        correlation=correlation,
        events=_of(int, events),
        refusal=None if refusal is None else _of(dict, refusal),
        tracestate=tracestate,
        baggage=baggage,
        digest_key=key,
    )


def _named(event: dict[str, Any]) -> dict[str, Any]:
    """Returns a stored value of the form {type, v, data}."""
    if not (isinstance(event["type"], str) and isinstance(event["v"], int) and isinstance(event["data"], dict)):
        raise TypeError(f"{str(event)[:80]} is no stored event")
    return event


def _outgoing(outgoing: Mapping[str, Any], causes: int) -> Outgoing:
    return Outgoing(
        type=_of(str, outgoing["type"]),
        body=_of(bytes, outgoing["body"]),
        time=_of(datetime, outgoing["time"]),
        cause=_index(outgoing["cause"], causes),
    )


def _call(call: Mapping[str, Any], causes: int) -> PendingCall:
    due, after = _of(dict, call).get("due"), call.get("after")
    return PendingCall(
        type=_of(str, call["type"]),
        body=_of(dict, call["body"]),
        cause=_index(call["cause"], causes),
        due=None if due is None else _of(datetime, due),
        after=None if after is None else _of(float, after),
    )


def _index(cause: Any, causes: int) -> int:
    if not 0 <= _of(int, cause) < causes:
        raise ValueError(f"there is no cause {cause}")
    return int(cause)


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
