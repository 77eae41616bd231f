"""While the quarantine cannot be written, nothing is lost and nothing goes there in vain."""

from treaty.memory.quarantine import MemoryQuarantine
from treaty.messaging.quarantine import Quarantined
from treaty.testing import eventually

from tests.toolkit.pieces import Desk, running


class AwayQuarantine(MemoryQuarantine):
    """Cannot be written for a while."""

    def __init__(self) -> None:
        super().__init__()
        self.refused = 0

    async def add(self, item: Quarantined) -> bool:
        if self.refused < 3:
            self.refused += 1
            raise OSError("the store is away")
        return await super().add(item)


async def test_nothing_is_acknowledged_while_the_quarantine_cannot_be_written() -> None:
    desk = await Desk(quarantine=AwayQuarantine(), poison={"a1"}).declared()
    desk.deliver("a1", "a2")
    async with running(desk.consumer().run()):
        await desk.idle()
    assert await desk.held() == ["a1", "a2"]
    assert not desk.done


async def test_a_message_that_works_once_the_store_is_back_does_not_go_to_quarantine() -> None:
    desk = await Desk(quarantine=AwayQuarantine(), poison={"a1"}).declared()
    desk.deliver("a1", "a2")
    async with running(desk.consumer().run()):
        await eventually(lambda: isinstance(desk.quarantine, AwayQuarantine) and desk.quarantine.refused)
        desk.poison.clear()
        await desk.idle()
    assert desk.done == ["a1", "a2"]
    assert not await desk.held()
