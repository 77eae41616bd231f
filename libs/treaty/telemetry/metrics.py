"""The metrics: their names, units, meanings and instruments."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from opentelemetry.metrics import CallbackOptions, Meter, Observation

I = TypeVar("I")  # noqa: E741 - an instrument
N = TypeVar("N", int, float)

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
"""The buckets that OpenTelemetry's RPC conventions recommend."""

_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500)


@dataclass(frozen=True, slots=True)
class Metric:
    """The properties of a metric.

    Attributes:
        unit: in UCUM; a counted thing is in braces.
        buckets: the upper bounds of a histogram's buckets; empty for other kinds.
        always: attributes of every value.
        gauge: whether the metric is a gauge; a metric that is neither a gauge nor a histogram is a counter.
        by: the other attributes, by their names in the core.
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
        """The attributes by their public names."""
        return [_public(name) for name in self.by]


METRICS: Mapping[str, Metric] = {
    "rpc.server.call.duration": Metric(
        "s",
        "Duration of calls, including refused ones.",
        _SECONDS,
        {"rpc.system.name": "grpc"},
        by=("method", "code"),
    ),
    "treaty.ready": Metric("{context}", "1 if the process can do the work of its context now, else 0.", gauge=True),
    "treaty.commit.commands": Metric("{command}", "Number of commands and messages in one commit.", _SIZES),
    "treaty.commit.batch": Metric("{commit}", "Number of commits in one write to the store.", _SIZES),
    "treaty.commit.unknown": Metric("{batch}", "Batches sent again because their outcome was unknown."),
    "treaty.commit.conflicts": Metric("{commit}", "Commits that lost their version to another process."),
    "treaty.holes.opened": Metric("{document}", "Documents found among the commits that cannot be read."),
    "treaty.holes.open": Metric("{stream}", "Streams held back by a document that cannot be read.", gauge=True),
    "treaty.holes.strays": Metric("{document}", "Unreadable documents that belong to no stream.", gauge=True),
    "treaty.duplicates.open": Metric(
        "{stream}", "Streams without commands, because a cause took effect twice and nobody accepted it.", gauge=True
    ),
    "treaty.seals.commits": Metric("{commit}", "Commits that were sealed."),
    "treaty.seals.changed": Metric(
        "{context}", "1 if commits of the last seal have changed since, else 0.", gauge=True
    ),
    "treaty.outbox.lag": Metric("s", "Age of the event that the relay publishes now.", gauge=True),
    "treaty.relay.published": Metric("{event}", "Events that the broker confirmed.", by=("type",)),
    "treaty.relay.unroutable": Metric("{event}", "Events that no queue has a binding for.", by=("type",)),
    "treaty.relay.retries": Metric("{attempt}", "Publishing attempts that failed because the broker was away."),
    "treaty.consumer.delivered": Metric(
        "{message}", "Messages that the broker delivered, including repeats.", by=("queue",)
    ),
    "treaty.consumer.processed": Metric(
        "{message}", "Messages handled successfully, once for each subscription.", by=("type",)
    ),
    "treaty.consumer.retries": Metric("{attempt}", "Failed attempts to handle a message.", by=("type",)),
    "treaty.breaker.open": Metric(
        "{breaker}", "1 while the circuit breaker of a dependency is open, else 0.", gauge=True, by=("dependency",)
    ),
    "treaty.quarantine.added": Metric("{message}", "Messages that moved to quarantine.", by=("queue",)),
    "treaty.quarantine.released": Metric("{message}", "Messages that were handled and left quarantine.", by=("queue",)),
    "treaty.quarantine.size": Metric("{message}", "Messages in quarantine now.", gauge=True, by=("queue",)),
    "treaty.timers.held": Metric("s", "Time that overdue timers have waited for the inbox to be read.", gauge=True),
    "treaty.timers.unread": Metric("{event}", "Times that timers fired though the inbox was not read."),
    "treaty.quarantine.age": Metric("s", "Time that the oldest message has been in quarantine.", gauge=True),
    "treaty.pending.retries": Metric("{attempt}", "Failed attempts at pending calls, timers and events.", by=("kind",)),
    "treaty.pending.size": Metric("{item}", "Calls and events that are pending now, without timers.", gauge=True),
    "treaty.pending.age": Metric("s", "Age of the oldest commit with a pending call or event.", gauge=True),
    "treaty.calls": Metric("{call}", "Calls and timers that were carried out.", by=("type",)),
    "treaty.audit.missing": Metric(
        "{event}", "Events that a consumer never received.", gauge=True, by=("consumer", "producer")
    ),
    "treaty.audit.waiting": Metric(
        "{event}", "Events past the time of grace that are not published or not read yet.", gauge=True, by=("consumer",)
    ),
    "treaty.audit.unread": Metric("{partition}", "Partitions that nobody reads.", gauge=True, by=("consumer",)),
    "treaty.saga.stuck": Metric("{run}", "Runs that are stuck and wait for a person now.", gauge=True, by=("saga",)),
    "treaty.webhooks": Metric(
        "{message}", "Messages of other systems over HTTP, by the status of the answer.", by=("path", "status")
    ),
    "treaty.streams.refused": Metric(
        "{stream}", "Streams of changes that were refused or ended with an error.", by=("method", "code")
    ),
    "treaty.projection.commits": Metric("{commit}", "Commits that a read model has applied.", by=("projection",)),
    "treaty.follower.lag": Metric(
        "s", "Age of the oldest commit that a follower has not handled.", gauge=True, by=("follower",)
    ),
    "treaty.follower.halted": Metric(
        "{follower}", "1 while a follower is halted because it failed, 0 while it works.", gauge=True, by=("follower",)
    ),
    "treaty.follower.open": Metric(
        "{batch}", "Batches that a follower has read but not finished.", gauge=True, by=("follower",)
    ),
}

_UNKNOWN = Metric("1", "")
_DIMENSIONS = {"method": "rpc.method", "code": "rpc.response.status_code"}


def _dimensions(name: str, attributes: Mapping[str, str]) -> dict[str, str]:
    """Returns the attributes by their public names: the convention's, or `treaty.<name>`."""
    named = {_public(key): value for key, value in attributes.items()}
    return {**METRICS.get(name, _UNKNOWN).always, **named}


def _public(name: str) -> str:
    return _DIMENSIONS.get(name) or f"treaty.{name}"


class Instruments:
    """The instruments of one meter; each is made at its first use.

    Counts are added up here, and the SDK reads the sums when it exports. This costs a tenth of a call to the SDK each
    time. The SDK reads the gauges too, so that one that was withdrawn is not exported any more.
    """

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._made: dict[str, Any] = {}
        self._totals: dict[str, _Values[int]] = {}
        self._levels: dict[str, _Values[float]] = {}

    def count(self, name: str, amount: int, attributes: Mapping[str, str]) -> None:
        totals = self._totals.get(name)
        if totals is None:
            totals = self._totals[name] = {}
            self._observe(self._meter.create_observable_counter, name, totals)
        key = _key(attributes)
        totals[key] = totals.get(key, 0) + amount

    def measure(self, name: str, value: float, attributes: Mapping[str, str]) -> None:
        self._get(name, self._histogram).record(value, _dimensions(name, attributes))

    def gauge(self, name: str, value: float, attributes: Mapping[str, str]) -> None:
        levels = self._levels.get(name)
        if levels is None:
            levels = self._levels[name] = {}
            self._observe(self._meter.create_observable_gauge, name, levels)
        levels[_key(attributes)] = value

    def withdraw(self, name: str, attributes: Mapping[str, str]) -> None:
        self._levels.get(name, {}).pop(_key(attributes), None)

    def _get(self, name: str, make: Callable[[str, str, str], I]) -> I:
        instrument: I | None = self._made.get(name)
        if instrument is None:
            metric = METRICS.get(name, _UNKNOWN)
            instrument = self._made[name] = make(name, metric.unit, metric.description)
        return instrument

    def _histogram(self, name: str, unit: str, description: str) -> Any:
        buckets = METRICS.get(name, _UNKNOWN).buckets or None
        return self._meter.create_histogram(name, unit, description, explicit_bucket_boundaries_advisory=buckets)

    @staticmethod
    def _observe(make: Callable[..., Any], name: str, values: "_Values[Any]") -> None:
        metric = METRICS.get(name, _UNKNOWN)
        make(name, [partial(_observations, name, values)], metric.unit, metric.description)


_Key = tuple[tuple[str, str], ...]
_Values = dict[_Key, N]
"""{attributes: the sum of the counts, or the value of the gauge}."""


def _key(attributes: Mapping[str, str]) -> _Key:
    return tuple(sorted(attributes.items()))


def _observations(name: str, values: "_Values[Any]", options: CallbackOptions) -> Iterable[Observation]:
    return [Observation(value, _dimensions(name, dict(key))) for key, value in list(values.items())]
