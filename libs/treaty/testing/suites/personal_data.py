"""The contract of personal data."""

import asyncio
from datetime import timedelta

from treaty.service.stores import Stores
from treaty.testing import eventually
from treaty.testing.suites.stores import OnStores


class PersonalDataSuite(OnStores):
    """The contract tests of personal data: override the fixture `stores`."""

    async def test_what_is_kept_is_found_by_its_reference(self, stores: Stores) -> None:
        ref = await stores.personal_data.keep("ann", {"email": "ann@example.com"})
        assert await stores.personal_data.find(ref) == {"email": "ann@example.com"}
        assert await stores.personal_data.find("unknown") is None

    async def test_a_reference_tells_nothing_and_is_the_same_for_the_same(self, stores: Stores) -> None:
        ref = await stores.personal_data.keep("ann", {"email": "ann@example.com"})
        assert "ann" not in ref
        assert await stores.personal_data.keep("ann", {"email": "ann@example.com"}) == ref
        assert await stores.personal_data.keep("ann", {"email": "ann@example.org"}) != ref
        assert await stores.personal_data.keep("bob", {"email": "ann@example.com"}) != ref

    async def test_data_is_deleted_after_its_time_and_not_before(self, stores: Stores) -> None:
        over, day = timedelta(milliseconds=1), timedelta(days=1)
        gone = await stores.personal_data.keep("ann", {"n": "1"}, lasting=over)
        left = await stores.personal_data.keep("ann", {"n": "2"}, lasting=day)
        stays = await stores.personal_data.keep("ann", {"n": "3"}, lasting=over)
        assert await stores.personal_data.keep("ann", {"n": "3"}) == stays
        longer = await stores.personal_data.keep("ann", {"n": "4"}, lasting=over)
        assert await stores.personal_data.keep("ann", {"n": "4"}, lasting=day) == longer

        async def is_deleted() -> bool:
            return await stores.personal_data.find(gone) is None

        await eventually(is_deleted, within=600)
        found = [await stores.personal_data.find(ref) for ref in (left, stays, longer)]
        assert found == [{"n": "2"}, {"n": "3"}, {"n": "4"}]

    async def test_the_same_data_may_be_kept_many_times_at_once(self, stores: Stores) -> None:
        keeping = (stores.personal_data.keep("ann", {"n": "1"}, lasting=timedelta(days=1)) for _ in range(50))
        assert len(set(await asyncio.gather(*keeping))) == 1
        assert await stores.personal_data.erase("ann") == 1

    async def test_a_reference_is_known_before_the_data_is_kept(self, stores: Stores) -> None:
        data = {"$email": "$ann", "a.b": "$$NOW"}
        ref = stores.personal_data.reference("$ann", data)
        assert await stores.personal_data.find(ref) is None
        assert await stores.personal_data.keep("$ann", data) == ref
        assert await stores.personal_data.find(ref) == data
        assert await stores.personal_data.erase("$ann") == 1

    async def test_erasing_a_subject_leaves_its_references_leading_nowhere(self, stores: Stores) -> None:
        refs = [await stores.personal_data.keep("ann", {"n": str(n)}) for n in range(3)]
        other = await stores.personal_data.keep("bob", {"n": "0"})
        assert await stores.personal_data.erase("ann") == 3
        assert await stores.personal_data.erase("ann") == 0
        assert [await stores.personal_data.find(ref) for ref in refs] == [None] * 3
        assert await stores.personal_data.find(other) == {"n": "0"}
