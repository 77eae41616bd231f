"""What all tests share: suites whose assertions explain themselves, an end for each test, and a quiet log."""

import asyncio
import logging
import signal
from collections.abc import Generator
from contextlib import suppress
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

SECONDS_OF_A_TEST = 900
"""Far more than any test needs on a slow machine: a test that takes longer waits for something that never comes."""

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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Generator[None, object, object]:
    """Fails a test without an end, its fixtures included, and shows where its tasks wait.

    The alarm comes again each minute, for what takes no notice of the first one.
    """
    before = signal.signal(signal.SIGALRM, _fail_what_has_no_end)
    signal.setitimer(signal.ITIMER_REAL, SECONDS_OF_A_TEST, 60)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _fail_what_has_no_end(*_: object) -> None:
    with suppress(RuntimeError):  # no loop runs
        for task in asyncio.all_tasks():
            task.print_stack()
    pytest.fail(f"no end after {SECONDS_OF_A_TEST} s")


settings.register_profile("treaty", deadline=None, derandomize=True, database=None)
settings.load_profile("treaty")

structlog.configure(
    wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
    processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()],
)
