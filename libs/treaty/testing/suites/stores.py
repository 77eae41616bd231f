"""The base of the suites of stores: each subclass opens its stores."""

import pytest

from treaty.service.stores import Stores


class OnStores:
    """A suite that runs on stores: override the fixture `stores`."""

    @pytest.fixture
    async def stores(self) -> Stores:
        """Returns (or yields) empty stores, prepared for the projection `treaty.testing.samples.NOTES`."""
        raise NotImplementedError("override this fixture: it opens the stores")
