"""What the suites of stores share: each says where its stores are."""

import pytest

from treaty.service.stores import Stores


class OnStores:
    """Where the stores are."""

    @pytest.fixture
    async def stores(self) -> Stores:
        """Returns (or yields) empty stores, prepared for the projection `treaty.testing.samples.NOTES`."""
        raise NotImplementedError("say where the stores are")
