"""The metrics: what each is called, counts and means, and the instruments behind them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from opentelemetry.metrics import CallbackOptions, Meter, Observation

I = TypeVar("I")  # noqa: E741 - an instrument

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
"""The buckets that the RPC conventions advise."""

_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500)


@dataclass(frozen=True, slots=True)
class Metric:
    """What is known of a metric.

    Attributes:
        unit: as UCUM writes it; what is counted stands in braces.
        buckets: the upper bounds of a histogram's buckets; nothing else has some.
        always: attributes that every value carries.
        gauge: whether it is a level; what is neither that nor a histogram is a counter.
        by: the other attributes, as the core names them.
    """

    unit: str
    description: str
    buckets: Sequence[float] = ()
    always: Mapping[str, str] = field(default_factory=dict)
    gauge: bool = False
    by: Sequence[str] = ()

    @property
    def kind(self) -> str:
        return "histogram" if self.buckets else "gauge" if self.gauge else "counter"

    @property
    def dimensions(self) -> Sequence[str]:
        """Its attributes under their public names."""
        return [_public(name) for name in self.by]


METRICS: Mapping[str, Metric] = {
    "rpc.server.call.duration": Metric(
        "s",
        "How long calls took to answer, refused ones included.",
        _SECONDS,
        {"rpc.system.name": "grpc"},
        by=("method", "code"),
    ),
    "treaty.ready": Metric("{context}", "1 if the process can do the work of its context now, else 0.", gauge=True),
    "treaty.commit.commands": Metric("{command}", "Commands and messages that share one commit.", _SIZES),
    "treaty.commit.batch": Metric("{commit}", "Commits that share one write to the store.", _SIZES),
    "treaty.commit.unknown": Metric("{batch}", "Batches sent again because their outcome was unknown."),
    "treaty.commit.conflicts": Metric("{commit}", "Commits that lost their version to another process."),
    "treaty.outbox.lag": Metric("s", "How old the event is that the relay has at hand.", gauge=True),
    "treaty.relay.published": Metric("{event}", "Events that the broker confirmed.", by=("type",)),
    "treaty.relay.unroutable": Metric("{event}", "Events that no queue is bound to.", by=("type",)),
    "treaty.relay.retries": Metric("{attempt}", "Publishing attempts that failed because the broker was away."),
    "treaty.consumer.delivered": Metric(
        "{message}", "Messages that the broker handed over, repeats included.", by=("queue",)
    ),
    "treaty.consumer.processed": Metric(
        "{message}", "Messages handled to the end, once for each subscription.", by=("type",)
    ),
    "treaty.consumer.retries": Metric("{attempt}", "Attempts to handle a message that failed.", by=("type",)),
    "treaty.breaker.open": Metric(
        "{breaker}", "1 while only single tries go to something that is away.", gauge=True, by=("dependency",)
    ),
    "treaty.quarantine.added": Metric("{message}", "Messages that moved to quarantine.", by=("queue",)),
    "treaty.quarantine.released": Metric(
        "{message}", "Messages that left quarantine because they succeeded.", by=("queue",)
    ),
    "treaty.quarantine.size": Metric("{message}", "Messages in quarantine now.", gauge=True, by=("queue",)),
    "treaty.quarantine.age": Metric("s", "How long the oldest message has been in quarantine.", gauge=True),
    "treaty.pending.retries": Metric(
        "{attempt}", "Attempts at pending calls, timers and events that failed.", by=("kind",)
    ),
    "treaty.pending.size": Metric("{item}", "Calls and events that are parked now; timers are not.", gauge=True),
    "treaty.pending.age": Metric("s", "How old the oldest commit is of which something is parked.", gauge=True),
    "treaty.calls": Metric("{call}", "Calls and timers that were carried out.", by=("type",)),
    "treaty.saga.stuck": Metric("{run}", "Runs that wait for a person now.", gauge=True, by=("saga",)),
    "treaty.webhooks": Metric(
        "{message}", "Messages of other systems over HTTP, by what they were answered with.", by=("path", "status")
    ),
    "treaty.streams.refused": Metric(
        "{stream}", "Streams of changes that were refused or ended with an error.", by=("method", "code")
    ),
    "treaty.projection.commits": Metric("{commit}", "Commits that a read model has taken in.", by=("projection",)),
    "treaty.follower.lag": Metric(
        "s", "How old the oldest commit is that a follower has not done.", gauge=True, by=("follower",)
    ),
    "treaty.follower.open": Metric(
        "{batch}", "Batches that a follower has read from the log and not finished.", gauge=True, by=("follower",)
    ),
}

_UNKNOWN = Metric("1", "")
_DIMENSIONS = {"method": "rpc.method", "code": "rpc.response.status_code"}


def _dimensions(name: str, attributes: Mapping[str, str]) -> dict[str, str]:
    """Returns the attributes under their public names: the convention's, or `treaty.<name>`."""
    named = {_public(key): value for key, value in attributes.items()}
    return {**METRICS.get(name, _UNKNOWN).always, **named}


def _public(name: str) -> str:
    return _DIMENSIONS.get(name) or f"treaty.{name}"


class Instruments:
    """The instruments of one meter; each is made when it is first used.

    Counts are added up here and read by the SDK when it exports: a tenth of the price of telling it every time.
    """

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._made: dict[str, Any] = {}
        self._totals: dict[str, _Totals] = {}

    def count(self, name: str, amount: int, attributes: Mapping[str, str]) -> None:
        totals = self._totals.get(name)
        if totals is None:
            totals = self._totals[name] = self._counter(name)
        key = tuple(sorted(attributes.items()))
        totals[key] = totals.get(key, 0) + amount

    def measure(self, name: str, value: float, attributes: Mapping[str, str]) -> None:
        self._get(name, self._histogram).record(value, _dimensions(name, attributes))

    def gauge(self, name: str, value: float, attributes: Mapping[str, str]) -> None:
        self._get(name, self._meter.create_gauge).set(value, _dimensions(name, attributes))

    def _get(self, name: str, make: Callable[[str, str, str], I]) -> I:
        instrument: I | None = self._made.get(name)
        if instrument is None:
            metric = METRICS.get(name, _UNKNOWN)
            instrument = self._made[name] = make(name, metric.unit, metric.description)
        return instrument

    def _histogram(self, name: str, unit: str, description: str) -> Any:
        buckets = METRICS.get(name, _UNKNOWN).buckets or None
        return self._meter.create_histogram(name, unit, description, explicit_bucket_boundaries_advisory=buckets)

    def _counter(self, name: str) -> "_Totals":
        totals: _Totals = {}
        metric = METRICS.get(name, _UNKNOWN)
        self._meter.create_observable_counter(name, [partial(_observe, name, totals)], metric.unit, metric.description)
        return totals


_Totals = dict[tuple[tuple[str, str], ...], int]
"""What was counted, by attributes."""


def _observe(name: str, totals: _Totals, options: CallbackOptions) -> Iterable[Observation]:
    return [Observation(total, _dimensions(name, dict(key))) for key, total in list(totals.items())]
