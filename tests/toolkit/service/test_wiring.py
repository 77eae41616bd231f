"""Wiring mistakes are found when a context starts: one sentence, with the line to add."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from google.protobuf.wrappers_pb2 import BoolValue, Int64Value
from treaty.causes import Cause, acting
from treaty.commits.codec import Names, Shape
from treaty.commits.policies import effects_of, events_of
from treaty.commits.stored import Stored
from treaty.domain import Aggregate, Call, Message, Policy
from treaty.memory.stores import MemoryStores
from treaty.messaging.subscriptions import on
from treaty.rpc.api import Api
from treaty.sagas import StoredSaga
from treaty.service.contexts import checked
from treaty.service.ports import Ports
from treaty.service.service import Service
from treaty.surroundings import Surroundings
from treaty.wiring import WiringError

from tests.toolkit.bank import ACCOUNTS, COMMANDS, Account, Deposited, Ring, Withdrawn, deposit

API = Api(lambda *_: None, None, "test.bank.v1.Bank")


@pytest.fixture
def ports() -> Ports:
    return Ports(stores=MemoryStores(Surroundings()), surroundings=Surroundings())


def announce(account: Account, event: Deposited | Withdrawn) -> Iterator[Int64Value | Call]:
    yield Int64Value(value=account.balance)


def calls_only(account: Account, event: Deposited | Withdrawn) -> Sequence[Call]:
    return [Call(Ring(text="ring"))]


def undeclared(account: Account, event: Deposited | Withdrawn) -> Iterator[Int64Value]:
    yield BoolValue(value=True)  # type: ignore[misc]


def vague(account: Account, event: Deposited | Withdrawn) -> Iterator[Message]:
    yield Int64Value(value=1)


def bare(account, event):  # type: ignore[no-untyped-def]
    return []


def build(*policies: Policy, **known: Any) -> Any:
    def building(ports: Ports) -> Service:
        ports.repository(ACCOUNTS, policies=policies)
        return Service(**{"name": "test.bank", "api": API, "publishes": [Int64Value], **known})

    return checked("test.bank", building)


def test_a_context_whose_policies_are_published_is_built(ports: Ports) -> None:
    assert build(announce, calls_only)(ports).name == "test.bank"


def test_each_context_answers_for_its_own_policies(ports: Ports) -> None:
    build(announce)(ports)
    build(publishes=[])(ports)


def test_a_name_that_is_not_the_folders_is_named(ports: Ports) -> None:
    with pytest.raises(WiringError, match=r'test/bank/service\.py .* called test\.banc: write name="test\.bank"'):
        build(name="test.banc")(ports)


def test_an_event_that_is_not_published_is_named(ports: Ports) -> None:
    with pytest.raises(
        WiringError, match=r"announce may yield google\.protobuf\.Int64Value.*add Int64Value to .*`publishes`"
    ):
        build(announce, publishes=[])(ports)


@pytest.mark.parametrize("policy", [vague, bare, lambda account, event: ()])
def test_a_policy_that_does_not_list_its_events_is_named(ports: Ports, policy: Policy) -> None:
    with pytest.raises(WiringError, match="must name the events that it may yield: annotate its result"):
        build(policy)(ports)


def test_an_annotation_lists_events_without_calls() -> None:
    assert events_of(announce) == {Int64Value}
    assert events_of(calls_only) == frozenset()


async def test_an_event_that_the_annotation_does_not_list_is_refused_at_the_commit(ports: Ports) -> None:
    accounts = ports.repository(ACCOUNTS, policies=[undeclared])
    with pytest.raises(WiringError, match=r"undeclared yields google\.protobuf\.BoolValue.*add BoolValue"):
        await accounts.add("ann", deposit(1), cause=Cause(id="1"))
    assert not await ports.stores.log.read(ACCOUNTS.stream_of("ann"))


def test_a_policy_without_a_list_is_not_limited() -> None:
    assert len(list(effects_of(vague, Account(id="a"), None))) == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An event without a stored name."""


@dataclass(slots=True, kw_only=True)
class Vault(Aggregate[Deposited | Opened]):
    pass


@dataclass(slots=True, kw_only=True)
class Box(Aggregate["Opened"]):
    pass


@pytest.mark.parametrize("kind", [Vault, Box])
def test_an_event_of_the_union_without_a_stored_name_is_named(kind: type[Any]) -> None:
    with pytest.raises(WiringError) as missing:
        Stored("vault", kind, events=[Shape("deposited", Deposited)])
    assert str(missing.value) == (
        f"{kind.__name__} records Opened, which has no stored name: "
        'add Shape("opened", Opened) to the events of Stored("vault", …) in storage.py'
    )


def test_a_command_without_a_stored_name_is_named() -> None:
    async def ring(command: Ring) -> None: ...

    with pytest.raises(WiringError, match=r'the command Ring has no stored name: add Shape\("ring", Ring\)'):
        Service(name="test.bank", api=API, calls={Ring: ring})


def test_a_command_without_a_handler_is_named() -> None:
    with pytest.raises(WiringError, match="no handler carries out the command Ring: add `Ring: <its use case>`"):
        Service(name="test.bank", api=API, commands=COMMANDS)


def test_two_subscriptions_under_one_name_are_named() -> None:
    async def take(command: Any) -> None: ...

    twice = [on(Int64Value, lambda event: event, then=take)] * 2
    with pytest.raises(
        WiringError, match=r"subscribes to google\.protobuf\.Int64Value twice under the name Int64Value"
    ):
        Service(name="test.bank", api=API, subscriptions=twice)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    ended: bool = False
    stuck: str = ""


def react(state: Rung, fact: Any) -> tuple[Rung, Sequence[object]]:
    return replace(state, ended=True), ()


RINGING = StoredSaga("ringing", Rung(), react, facts=[Shape("ring", Ring)])


async def test_a_fact_of_a_saga_is_routed_to_it(ports: Ports) -> None:
    saga = ports.saga(RINGING, key=lambda fact: fact.text, commands=Names(()))
    service = Service(name="test.bank", api=API, commands=COMMANDS, sagas=[saga])
    with acting(Cause(id="1", durable=True)):
        told = await service.handlers[Ring](Ring(text="bell"))
    assert told.state.state.ended


def test_a_fact_of_a_saga_among_the_calls_is_named(ports: Ports) -> None:
    saga = ports.saga(RINGING, key=lambda fact: fact.text, commands=Names(()))
    with pytest.raises(WiringError, match="Ring is a fact of the saga ringing, which receives it: remove Ring"):
        Service(name="test.bank", api=API, commands=COMMANDS, sagas=[saga], calls={Ring: saga.tell})
