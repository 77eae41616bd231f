"""The contract suites, on the memory adapters."""

import pytest
from treaty.clock import SystemClock
from treaty.commits.commit import Commit
from treaty.commits.group_commit import GroupCommitLog
from treaty.commits.log import CommitLog
from treaty.memory.broker import MemoryBroker
from treaty.memory.commits import MemoryCommits
from treaty.memory.stores import MemoryStores
from treaty.probes import NoProbe, Probe
from treaty.service.stores import Stores
from treaty.surroundings import Surroundings
from treaty.testing.samples import NOTES
from treaty.testing.suites.broker import BrokerSuite, MakeBroker
from treaty.testing.suites.commit_log import CommitLogSuite
from treaty.testing.suites.contents import ContentsSuite
from treaty.testing.suites.followed_log import MakeLog
from treaty.testing.suites.holes import Damage, HolesSuite
from treaty.testing.suites.leases import CheckpointsSuite, LeasesSuite
from treaty.testing.suites.pending import PendingSuite
from treaty.testing.suites.personal_data import PersonalDataSuite
from treaty.testing.suites.quarantine import QuarantineSuite
from treaty.testing.suites.rebuild import RebuildSuite
from treaty.testing.suites.replays import ReplaysSuite
from treaty.testing.suites.rows import RowsSuite
from treaty.testing.suites.seals import SealsSuite
from treaty.testing.world import SeededChance


class TestMemoryCommitLog(CommitLogSuite):
    @pytest.fixture
    async def make_log(self) -> MakeLog:
        commits = MemoryCommits(SystemClock())

        async def make(probe: Probe | None = None) -> CommitLog:
            return GroupCommitLog(commits, surroundings=Surroundings(chance=SeededChance(), probe=probe or NoProbe()))

        return make


class _MemoryDamage:
    def __init__(self, commits: MemoryCommits) -> None:
        self._commits = commits

    async def plant(self, commit: Commit) -> None:
        self._commits.spoil(commit.id)
        await self._commits.insert([commit])

    async def repair(self, commit: Commit) -> None:
        self._commits.unreadable.discard(commit.id)


class TestMemoryHoles(HolesSuite):
    @pytest.fixture
    async def stores(self) -> MemoryStores:
        return MemoryStores(Surroundings(chance=SeededChance()))

    @pytest.fixture
    async def make_log(self, stores: MemoryStores) -> MakeLog:
        async def make(probe: Probe | None = None) -> CommitLog:
            surroundings = Surroundings(chance=SeededChance(), probe=probe or NoProbe())
            return GroupCommitLog(stores.commits, surroundings=surroundings)

        return make

    @pytest.fixture
    async def damage(self, stores: MemoryStores) -> Damage:
        return _MemoryDamage(stores.commits)


class _InMemory:
    @pytest.fixture
    async def stores(self) -> Stores:
        stores = MemoryStores(Surroundings(chance=SeededChance()))
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


class TestMemorySeals(_InMemory, SealsSuite):
    pass


class TestMemoryContents(_InMemory, ContentsSuite):
    pass


class TestMemoryPrivate(_InMemory, PersonalDataSuite):
    pass


class TestMemoryBroker(BrokerSuite):
    @pytest.fixture
    async def make_broker(self) -> MakeBroker:
        broker = MemoryBroker()

        async def make() -> MemoryBroker:
            return broker

        return make
