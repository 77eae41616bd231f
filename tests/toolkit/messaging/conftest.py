"""A desk with a poison message in front of others."""

import pytest

from tests.toolkit.pieces import Desk


@pytest.fixture
async def desk() -> Desk:
    desk = await Desk(poison={"a1"}).declared()
    desk.deliver("a1", "a2", "b1", "a3", "b2")
    return desk
