"""What all tests share: suites whose assertions explain themselves, and a quiet log."""

import logging
from typing import Any

import pytest
import structlog
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

ON_SERVERS = (
    "tests/docs/test_commands_run.py",
    "tests/docs/test_own_repository.py",
    "tests/real/",
    "tests/scripts/bench/",
    "tests/scripts/demo/",
    "tests/scripts/dev/",
    "tests/scripts/up/",
)
"""The folders and files of the tests that need MongoDB and RabbitMQ."""

pytest.register_assert_rewrite("treaty.testing.suites", "treaty.testing.scenarios")


class _ServersStayTogether(LoadScopeScheduling):  # type: ignore[misc]
    """Keeps the tests on real servers in one worker, so that they do not slow each other down."""

    def _split_scope(self, nodeid: str) -> str:
        return "servers" if nodeid.startswith(ON_SERVERS) else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _ServersStayTogether:
    return _ServersStayTogether(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests on real servers."""
    for item in items:
        if item.nodeid.startswith("tests/real/"):
            item.add_marker("infra")
        if item.get_closest_marker("infra") and not item.nodeid.startswith(ON_SERVERS):
            raise pytest.UsageError(f"{item.nodeid} is marked infra: add it to ON_SERVERS in tests/conftest.py")


settings.register_profile("treaty", deadline=None, derandomize=True, database=None)
settings.load_profile("treaty")

structlog.configure(
    wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
    processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()],
)
