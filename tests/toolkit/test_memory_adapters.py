"""The contract suites, on the memory adapters."""

import pytest
from treaty.commits import CommitLog
from treaty.log import GroupCommitLog
from treaty.memory.broker import MemoryBroker
from treaty.memory.commits import MemoryCommits
from treaty.memory.stores import MemoryStores
from treaty.ports import SystemClock
from treaty.probes import NoProbe, Probe
from treaty.service import Stores
from treaty.testing.bookkeeping_suite import CheckpointsSuite, LeasesSuite, PendingSuite, PrivateSuite
from treaty.testing.broker_suite import BrokerSuite, MakeBroker
from treaty.testing.commit_log_suite import CommitLogSuite, MakeLog
from treaty.testing.quarantine_suite import QuarantineSuite
from treaty.testing.read_models_suite import RebuildSuite, RowsSuite
from treaty.testing.replays_suite import ReplaysSuite
from treaty.testing.samples import NOTES
from treaty.testing.world import SeededChance


class TestMemoryCommitLog(CommitLogSuite):
    @pytest.fixture
    async def make_log(self) -> MakeLog:
        commits = MemoryCommits(SystemClock())

        async def make(probe: Probe | None = None) -> CommitLog:
            return GroupCommitLog(commits, chance=SeededChance(), probe=probe or NoProbe())

        return make


class _InMemory:
    @pytest.fixture
    async def stores(self) -> Stores:
        stores = MemoryStores(SystemClock(), SeededChance())
        await stores.prepare([NOTES])
        return stores


class TestMemoryLeases(_InMemory, LeasesSuite):
    pass


class TestMemoryCheckpoints(_InMemory, CheckpointsSuite):
    pass


class TestMemoryPending(_InMemory, PendingSuite):
    pass


class TestMemoryQuarantine(_InMemory, QuarantineSuite):
    pass


class TestMemoryReplays(_InMemory, ReplaysSuite):
    pass


class TestMemoryRows(_InMemory, RowsSuite):
    pass


class TestMemoryRebuild(_InMemory, RebuildSuite):
    pass


class TestMemoryPrivate(_InMemory, PrivateSuite):
    pass


class TestMemoryBroker(BrokerSuite):
    @pytest.fixture
    async def make_broker(self) -> MakeBroker:
        broker = MemoryBroker()

        async def make() -> MemoryBroker:
            return broker

        return make
