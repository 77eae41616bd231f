"""The ways of money that go wrong, in this process."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
import pytest_asyncio
from treaty.commits.commit import Commit
from treaty.memory.broker import MemoryBroker
from treaty.testing.world import World, embedded

from scripts.lib.prove.proxy import proxy
from tests.journeys.holds import HoldJourneys
from tests.journeys.money import (
    ACCOUNTS,
    FRAUD,
    IMPATIENT,
    SETTINGS,
    TRANSFERS,
    Branch,
    Clerk,
)
from tests.journeys.transfers import ImpatientJourneys, TransferJourneys
from tests.services.finance.accounts.teller import Teller

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


@asynccontextmanager
async def _branch(settings: Mapping[str, str], *behind: str) -> AsyncIterator[Branch]:
    """Runs Transfers in a host of its own, so that a proxy can be between it and the others."""
    broker, worlds = MemoryBroker(), dict[str, World]()
    async with AsyncExitStack() as stack:
        for name in (ACCOUNTS, FRAUD):
            worlds[name] = await stack.enter_async_context(embedded(name, broker=broker))
        doors = {
            name: await stack.enter_async_context(proxy(lambda of=name: _port(worlds[of])))  # type: ignore[misc]
            for name in (ACCOUNTS, FRAUD)
        }
        peers = ",".join(f"{name}=127.0.0.1:{door.port}" for name, door in doors.items())
        transfers = embedded(TRANSFERS, broker=broker, environ={**settings, "TREATY_PEERS": peers})
        worlds[TRANSFERS] = await stack.enter_async_context(transfers)

        async def logs() -> tuple[Sequence[Commit], Sequence[Commit]]:
            accounts, transfers = (worlds[name].stores[name].commits.commits for name in (ACCOUNTS, TRANSFERS))
            return accounts, transfers

        clerk = Clerk(worlds[TRANSFERS].channel, worlds[FRAUD].channel)
        yield Branch(Teller(worlds[ACCOUNTS].channel, "teller"), clerk, doors, logs)


def _port(world: World) -> int:
    assert world.host.server is not None
    return world.host.server.port


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def patient() -> AsyncIterator[Branch]:
    async with _branch(SETTINGS) as branch:
        yield branch


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def impatient() -> AsyncIterator[Branch]:
    async with _branch(IMPATIENT) as branch:
        branch.doors[FRAUD].silent = True
        yield branch


class TestTransfers(TransferJourneys):
    @pytest.fixture
    def branch(self, patient: Branch) -> Branch:
        return patient


class TestHolds(HoldJourneys):
    @pytest.fixture
    def branch(self, patient: Branch) -> Branch:
        return patient


class TestImpatient(ImpatientJourneys):
    @pytest.fixture
    def branch(self, impatient: Branch) -> Branch:
        return impatient
