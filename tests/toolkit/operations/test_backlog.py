"""The backlog of a context: it is empty only when nothing is left to do, also behind a hole."""

from treaty.commits.holes import mend
from treaty.commits.log import Place
from treaty.memory.broker import MemoryBroker
from treaty.memory.stores import MemoryStores
from treaty.operations.backlog import backlog
from treaty.service.service import Service
from treaty.surroundings import Surroundings
from treaty.testing.samples import bare_api, plain_commit
from treaty.testing.suites.followed_log import read_until
from treaty.testing.world import SeededChance


async def test_a_stream_is_held_until_every_follower_has_passed_the_closing_of_its_hole() -> None:
    stores = MemoryStores(Surroundings(chance=SeededChance()))
    service = Service(name="test.bank", api=bare_api("test.bank.v1.Bank"))

    async def held() -> int:
        return (await backlog(service, stores, MemoryBroker(), 1)).held

    async def pass_all(*names: str) -> None:
        end = await stores.log.end()
        await stores.checkpoints.save(dict.fromkeys(names, end), 1)

    stores.commits.spoil_next = True
    await stores.log.append(plain_commit("thing-1"))
    await read_until(stores.log, Place(), lambda batches: bool(batches[-1].place.token))
    await pass_all("relay", "calls")
    assert await held() == 1
    stores.commits.unreadable.clear()
    await mend(stores.log, "thing-1", by="ann", reason="repaired")
    assert await held() == 1
    await pass_all("relay")
    assert await held() == 1
    await pass_all("calls")
    assert await held() == 0
