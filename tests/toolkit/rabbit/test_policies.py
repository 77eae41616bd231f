"""A policy that can drop messages makes the topology differ, until it is removed."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from treaty.messaging.broker import Topology, TopologyDiffers
from treaty.rabbit.hashed import Hashed
from treaty.rabbit.inboxes import _names
from treaty.rabbit.policies import Policies, faults
from treaty.rabbit.topology import Slots

QUEUES = ["made.desk.q0", "made.desk.q1"]


def test_in_a_renewal_the_queues_of_both_layouts_are_checked() -> None:
    topology = Topology(
        context="made.desk", publishes=[], subscribes={"made.bank": ["made.bank.v1.Happened"]}, partitions=1
    )
    assert list(_names(topology, Slots())) == [Slots().queue(topology, 0)]
    left = Hashed(is_left=True)
    assert list(_names(topology, left)) == [left.queue(topology, 0), Slots().queue(topology, 0)]


class Management:
    """Answers as the management API of RabbitMQ does. `policies` has the definition in force on each queue."""

    def __init__(self) -> None:
        self.policies: dict[str, dict[str, Any]] = {}
        self.away = False
        self.seconds = 0.0
        self.asked: list[str] = []

    async def queue(self, request: web.Request) -> web.Response:
        if self.away:
            raise web.HTTPServiceUnavailable
        assert request.headers["Authorization"] == "Basic YW5uOnNlY3JldA=="
        self.asked.append(request.raw_path)
        await asyncio.sleep(self.seconds)
        name = request.match_info["name"]
        definition = self.policies.get(name)
        policy = {"policy": "careless", "effective_policy_definition": definition} if definition else {"policy": None}
        return web.json_response({"name": name, "arguments": {}, **policy})


@pytest.fixture
def management() -> Management:
    return Management()


@pytest.fixture
async def policies(management: Management) -> AsyncIterator[Policies]:
    app = web.Application()
    app.router.add_get("/api/queues/{host}/{name}", management.queue)
    async with TestServer(app) as server:
        yield Policies(lambda: f"http://ann:secret@127.0.0.1:{server.port}", "/")


async def test_a_policy_that_drops_makes_the_topology_differ_until_it_is_gone(
    management: Management, policies: Policies
) -> None:
    await policies.check("made.desk", QUEUES)
    assert sorted(management.asked) == [f"/api/queues/%2F/made.desk.q{n}" for n in range(2)]
    management.policies["made.desk.q1"] = {"message-ttl": 1000}
    with pytest.raises(TopologyDiffers, match=r"careless sets message-ttl = 1000 on made\.desk\.q1.*clear_policy"):
        await policies.check("made.desk", QUEUES)
    management.policies.clear()
    await policies.check("made.desk", QUEUES)


async def test_a_slow_management_api_keeps_a_context_waiting_no_longer_than_one_timeout(
    management: Management, policies: Policies
) -> None:
    management.seconds, policies._timeout = 0.5, 5.0
    management.policies["made.desk.q15"] = {"message-ttl": 1000}
    with pytest.raises(TopologyDiffers, match=r"made\.desk\.q15"):
        await policies.check("made.desk", [f"made.desk.q{n}" for n in range(16)])
    management.seconds, policies._timeout = 600.0, 0.2
    management.policies.clear()
    begun = time.monotonic()
    with pytest.raises(TopologyDiffers, match=r"made\.desk\.q15"):
        await policies.check("made.desk", [f"made.desk.q{n}" for n in range(16)])
    assert time.monotonic() - begun < 60.0


async def test_while_the_policies_cannot_be_read_the_last_result_counts(
    management: Management, policies: Policies
) -> None:
    management.away = True
    await policies.check("made.desk", QUEUES)
    management.away, management.policies["made.desk.q0"] = False, {"max-length": 10}
    with pytest.raises(TopologyDiffers):
        await policies.check("made.desk", QUEUES)
    management.away = True
    with pytest.raises(TopologyDiffers):
        await policies.check("made.desk", QUEUES)


@pytest.mark.parametrize(
    ("definition", "keys"),
    [
        ({"message-ttl": 60_000}, ["message-ttl"]),
        ({"expires": 60_000}, ["expires"]),
        ({"max-length": 10}, ["max-length"]),
        ({"max-length-bytes": 10, "overflow": "drop-head"}, ["max-length-bytes"]),
        ({"max-length": 10, "overflow": "reject-publish"}, []),
        ({"delivery-limit": 20}, ["delivery-limit"]),
        ({"delivery-limit": 100_000}, []),
        ({"delivery-limit": -1}, []),
        ({"dead-letter-exchange": "elsewhere"}, []),
        ({"message-ttl": 1, "max-length": 1}, ["message-ttl", "max-length"]),
    ],
)
def test_the_keys_that_can_drop_messages(definition: dict[str, Any], keys: list[str]) -> None:
    found = faults({"name": "made.desk.q0", "operator_policy": "careless", "effective_policy_definition": definition})
    assert [fault.split(" sets ")[1].split(" ")[0] for fault in found] == keys


@pytest.mark.parametrize(
    ("definition", "drops"),
    [
        ({"max-length": 10}, False),
        ({"max-length-bytes": 10}, False),
        ({"max-length": 10, "overflow": "drop-head"}, True),
    ],
)
def test_a_queue_that_refuses_when_it_is_full_drops_only_if_a_policy_says_so(
    definition: dict[str, Any], drops: bool
) -> None:
    queue = {"name": "made.desk.q0", "policy": "careless", "arguments": {"x-overflow": "reject-publish"}}
    assert bool(faults({**queue, "effective_policy_definition": definition})) == drops
