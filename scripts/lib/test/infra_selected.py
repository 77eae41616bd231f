"""A pytest plugin that answers one question by its exit code: is a test among the selected ones marked infra?"""

import pytest

YES = 77  # no exit code of pytest's own


def pytest_collection_finish(session: pytest.Session) -> None:
    if any(item.get_closest_marker("infra") for item in session.items):
        pytest.exit("servers are needed", returncode=YES)
