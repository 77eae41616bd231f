"""The ways of money that go wrong, through three processes on the real servers."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from treaty.commits.commit import Commit

from scripts.lib.prove.proxy import proxy
from scripts.lib.virtual_hosts import virtual_host
from tests.journeys.holds import HoldJourneys
from tests.journeys.money import (
    ACCOUNTS,
    CONTEXTS,
    FRAUD,
    IMPATIENT,
    SETTINGS,
    TRANSFERS,
    Branch,
    Clerk,
)
from tests.journeys.transfers import ImpatientJourneys, TransferJourneys
from tests.real.houses import House, house
from tests.services.finance.accounts.teller import Teller

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


@asynccontextmanager
async def _branch(servers: Mapping[str, str], logs: Path, settings: Mapping[str, str]) -> AsyncIterator[Branch]:
    houses: list[House] = []
    async with AsyncExitStack() as stack:
        doors = {
            name: await stack.enter_async_context(proxy(lambda of=name: houses[0].ports[of]))  # type: ignore[misc]
            for name in (ACCOUNTS, FRAUD)
        }
        peers = ",".join(f"{name}=127.0.0.1:{door.port}" for name, door in doors.items())
        own = {**settings, "TREATY_PEERS": peers}
        contexts = {name: name for name in CONTEXTS}
        houses.append(await stack.enter_async_context(house(servers, logs, contexts, own)))

        async def both() -> tuple[Sequence[Commit], Sequence[Commit]]:
            return await houses[0].commits(ACCOUNTS), await houses[0].commits(TRANSFERS)

        clerk = Clerk(houses[0].channel(TRANSFERS), houses[0].channel(FRAUD))
        yield Branch(Teller(houses[0].channel(ACCOUNTS), "teller"), clerk, doors, both)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def patient(alone: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Branch]:
    async with _branch(alone, tmp_path_factory.mktemp("money"), SETTINGS) as branch:
        yield branch


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def impatient(servers: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Branch]:
    # A virtual host of its own: a process that never gets the inbox of its context waits with its timers.
    with virtual_host(servers) as own:
        async with _branch(own, tmp_path_factory.mktemp("impatient"), IMPATIENT) as branch:
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
