"""The contract of personal data."""

from treaty.service.stores import Stores
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

    async def test_erasing_a_subject_leaves_its_references_leading_nowhere(self, stores: Stores) -> None:
        refs = [await stores.personal_data.keep("ann", {"n": str(n)}) for n in range(3)]
        other = await stores.personal_data.keep("bob", {"n": "0"})
        assert await stores.personal_data.erase("ann") == 3
        assert await stores.personal_data.erase("ann") == 0
        assert [await stores.personal_data.find(ref) for ref in refs] == [None] * 3
        assert await stores.personal_data.find(other) == {"n": "0"}
