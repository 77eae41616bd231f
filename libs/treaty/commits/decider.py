"""The decider (Jérémie Chassaing): decides several commands in turn, and folds them into one commit.

It is pure and synchronous.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from treaty.causes import Cause
from treaty.commits.codec import Names
from treaty.commits.commit import CauseEntry, Commit, Committed, Document, Outgoing, PendingCall
from treaty.commits.log import CommitRefused
from treaty.commits.policies import effects_of
from treaty.commits.stored import Stored, event_documents
from treaty.concurrency.tasks import Broken
from treaty.domain import Aggregate, Call, DomainError, Effect, Invalid, Message, NotFound, Policy

A = TypeVar("A", bound=Aggregate[Any])

MOST_EFFECTS = 9_999
"""The most integration events of a commit, and the most calls: their ids sort by four digits."""

Decide = Callable[[A], Iterable[Call] | None]
"""Decides on an aggregate; may return calls to make. It can run again on newer state, so it awaits nothing."""


@dataclass(frozen=True, slots=True)
class Head(Generic[A]):
    """The latest durable state of a stream that this process has read.

    An aggregate exists once it has an event. A stream with only recorded refusals of messages has none.
    """

    stream: str
    state: A
    version: int = 0
    sequence: int = 0
    exists: bool = False


@dataclass(eq=False, slots=True)
class Request(Generic[A]):
    """A command that waits for its answer."""

    cause: Cause
    decide: Decide[A]
    must_exist: bool


Q = TypeVar("Q", bound=Request[Any])


@dataclass(slots=True)
class Draft(Generic[A, Q]):
    """The result of deciding: a commit to append, if a command took effect, and the answers to the requests.

    The answers in `accepted` may be sent once the commit is durable. Requests in `declined` (refusals and no-ops) wrote
    no event, so they are answered only after a read shows that the head has not moved. `failed` holds faults of the
    code.
    """

    head: Head[A]
    accepted: list[tuple[Q, Committed[A] | DomainError]] = field(default_factory=list)
    declined: list[tuple[Q, Committed[A] | DomainError]] = field(default_factory=list)
    failed: list[tuple[Q, Exception]] = field(default_factory=list)
    commit: Commit | None = None


@dataclass(frozen=True, slots=True)
class Decider(Generic[A]):
    """Decides the commands of one kind of aggregate, and adds the integration events and calls of its policies."""

    stored: Stored[A]
    policies: Sequence[Policy]
    commands: Names
    max_bytes: int = 1_000_000

    def decide(self, head: Head[A], requests: Sequence[Q], *, now: datetime, token: str) -> Draft[A, Q]:
        """Decides all requests in turn, each on the state after the one before it.

        Raises:
            CommitRefused: if they have more effects together than a commit can hold.
        """
        draft: Draft[A, Q] = Draft(head=head)
        writing = _Writing(self, head, now)
        for request in requests:
            self._decide_one(request, writing, draft)
        if writing.causes:
            draft.commit = writing.commit(token)
            draft.head = Head(head.stream, writing.state, head.version + 1, writing.sequence, writing.exists)
        return draft

    def _decide_one(self, request: Q, writing: "_Writing[A]", draft: Draft[A, Q]) -> None:
        work = writing.state.fork()
        try:
            if request.must_exist and not writing.exists:
                raise NotFound(f"{type(work).__name__} {work.id} does not exist")
            calls = list(request.decide(work) or ())
            events = work.take_recorded()
            if not events and not calls and not request.cause.durable:
                version = writing.head.version + bool(writing.causes)
                draft.declined.append((request, Committed(work, writing.stream, version)))
                return
            writing.add(request.cause, work, events, calls)
        except DomainError as refusal:
            self._refuse(request, refusal, writing, draft)
        except (KeyboardInterrupt, SystemExit, CommitRefused):
            raise
        except BaseException as fault:  # a decision awaits nothing, so no cancellation of this task is among them
            draft.failed.append((request, fault if isinstance(fault, Exception) else Broken(repr(fault))))
        else:
            draft.accepted.append((request, Committed(work, writing.stream, writing.head.version + 1, events)))

    @staticmethod
    def _refuse(request: Q, refusal: DomainError, writing: "_Writing[A]", draft: Draft[A, Q]) -> None:
        if request.cause.durable:
            writing.add_refusal(request.cause, refusal)
            refusal.recorded = True
            draft.accepted.append((request, refusal))
        else:
            draft.declined.append((request, refusal))


class _Writing(Generic[A]):
    """A commit under construction."""

    def __init__(self, decider: Decider[A], head: Head[A], now: datetime) -> None:
        self.head = head
        self.stream = head.stream
        self.state = head.state
        self.sequence = head.sequence
        self.exists = head.exists
        self.causes: list[CauseEntry] = []
        self._decider = decider
        self._now = now
        self._events: list[dict[str, Any]] = []
        self._outbox: list[Outgoing] = []
        self._calls: list[PendingCall] = []

    def add(self, cause: Cause, state: A, events: Sequence[Any], calls: Sequence[Call]) -> None:
        """Adds the effects of one command. If a part of it cannot be stored, this adds nothing.

        Raises:
            Invalid: if the command has too many effects, or an event that is too large.
            CommitRefused: if its effects do not fit beside those of the commands before it.
        """
        documents = event_documents(self._decider.stored.events, events)
        effects: list[Effect] = [*calls]
        for policy in self._decider.policies:
            for event in events:
                effects.extend(effects_of(policy, state, event))
        index = len(self.causes)
        outbox = [self._outgoing(e, index) for e in effects if not isinstance(e, Call)]
        pending = [self._pending(e, index) for e in effects if isinstance(e, Call)]
        self._check_count("integration events", len(outbox), len(self._outbox))
        self._check_count("calls", len(pending), len(self._calls))
        self.causes.append(_entry(cause, len(documents)))
        self._events += documents
        self._outbox += outbox
        self._calls += pending
        self.sequence += len(outbox)
        self.exists = self.exists or bool(documents)
        self.state = state

    @staticmethod
    def _check_count(what: str, more: int, there: int) -> None:
        if more > MOST_EFFECTS:
            raise Invalid(
                f"one command would lead to {more} {what}, more than {MOST_EFFECTS}", reason="TOO_MANY_EFFECTS"
            )
        if more + there > MOST_EFFECTS:
            raise CommitRefused(f"{more + there} {what} do not fit into one commit")

    def add_refusal(self, cause: Cause, refusal: DomainError) -> None:
        """Records the refusal of a message or call; this is its inbox entry."""
        self.causes.append(_entry(cause, 0, refusal_document(refusal)))

    def commit(self, token: str) -> Commit:
        return Commit(
            stream=self.stream,
            version=self.head.version + 1,
            causes=self.causes,
            events=self._events,
            state=self._decider.stored.snapshot(self.state),
            outbox=self._outbox,
            sequence=self.sequence,
            calls=self._calls,
            token=token,
        )

    def _outgoing(self, message: Message, cause: int) -> Outgoing:
        body = message.SerializeToString(deterministic=True)
        name: str = message.DESCRIPTOR.full_name
        if len(body) > self._decider.max_bytes:
            raise Invalid(f"{name} would be {len(body)} bytes, more than {self._decider.max_bytes}")
        return Outgoing(type=name, body=body, time=self._now, cause=cause)

    def _pending(self, call: Call, cause: int) -> PendingCall:
        document = self._decider.commands.encode(call.command)
        if call.after is None:
            return PendingCall(type=document["type"], body=document, cause=cause, due=call.due)
        estimate, seconds = self._now + call.after, call.after.total_seconds()
        return PendingCall(type=document["type"], body=document, cause=cause, due=estimate, after=seconds)


def _entry(cause: Cause, events: int, refusal: Document | None = None) -> CauseEntry:
    return CauseEntry(
        id=cause.id,
        digest=cause.digest,
        actor=cause.actor,
        tenant=cause.tenant,
        trace=cause.trace,
        correlation=cause.correlation,
        events=events,
        refusal=refusal,
        tracestate=cause.tracestate,
        baggage=cause.baggage,
        digest_key=cause.digest_key,
    )


def refusal_document(refusal: DomainError) -> Document:
    """Returns the stored form of a refusal: {error, message, reason, field}."""
    return {
        "error": type(refusal).__name__,
        "message": refusal.message,
        "reason": refusal.reason,
        "field": getattr(refusal, "field", ""),
    }


def refusal_from(document: Document) -> DomainError:
    """Returns the error that a recorded refusal stands for."""
    kinds = {kind.__name__: kind for kind in _family(DomainError)}
    kind = kinds.get(document["error"], DomainError)
    extra = {"field": document["field"]} if issubclass(kind, Invalid) else {}
    refusal = kind(document["message"], reason=document["reason"], **extra)
    refusal.recorded = True
    return refusal


def _family(kind: type[DomainError]) -> list[type[DomainError]]:
    return [kind, *(k for child in kind.__subclasses__() for k in _family(child))]
