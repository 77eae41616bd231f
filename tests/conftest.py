"""What all tests share: suites whose assertions explain themselves, and a quiet log."""

import logging

import pytest
import structlog
from hypothesis import settings

pytest.register_assert_rewrite("treaty.testing.suites", "treaty.testing.scenarios")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keeps the tests on real servers in one worker of pytest-xdist."""
    for item in items:
        if item.get_closest_marker("infra"):
            item.add_marker(pytest.mark.xdist_group("servers"))


settings.register_profile("treaty", deadline=None, derandomize=True, database=None)
settings.load_profile("treaty")

structlog.configure(
    wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
    processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()],
)
