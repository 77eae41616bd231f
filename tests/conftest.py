"""What all tests share: suites whose assertions explain themselves, and a quiet log."""

import logging

import pytest
import structlog
from hypothesis import settings

pytest.register_assert_rewrite("treaty.testing.suites", "treaty.testing.scenarios")

settings.register_profile("treaty", deadline=None, derandomize=True, database=None)
settings.load_profile("treaty")

structlog.configure(
    wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
    processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()],
)
