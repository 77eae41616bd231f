"""Works with very many licenses: a sighting reads those that matter."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from treaty.projections import Key, Page

from services.media.compliance.application.cases import Cases
from services.media.compliance.domain.findings import Use
from services.media.compliance.projections import PermissionRow

NOW = datetime(2026, 5, 6, 12, tzinfo=UTC)
SUNSET = Use(work_id="sunset", place="GB", medium="web", used_at=NOW)


def permission(number: int, **values: Any) -> PermissionRow:
    known: dict[str, Any] = {
        "permission_id": f"p-{number:07}",
        "work_id": "sunset",
        "holder_id": f"holder-{number}",
        "places": ("WORLD",),
        "media": ("web",),
        "starts_at": NOW - timedelta(days=1),
        "ends_at": None,
        "exclusive": False,
    }
    return PermissionRow(**{**known, **values})


@dataclass
class _Rows:
    """A view of permissions that counts the rows it was asked for."""

    rows: list[PermissionRow]
    read: int = 0

    async def page(self, where: Mapping[str, Any], page: Page) -> tuple[list[PermissionRow], Key | None]:
        found = [row for row in self.rows if all(getattr(row, name) == value for name, value in where.items())]
        first = page.after[1] if page.after else ""
        rest = [row for row in found if row.permission_id > first]
        rows = rest[: page.size]
        self.read += len(rows)
        return rows, (rows[-1].starts_at, rows[-1].permission_id) if len(rest) > page.size else None


def cases_with(rows: _Rows) -> Cases:
    missing = cast(Any, None)
    ports: dict[str, Any] = dict.fromkeys(Cases.__slots__, missing)
    return Cases(**{**ports, "permission_rows": cast(Any, rows)})


@pytest.mark.parametrize("others", [1, 1_000, 100_000])
async def test_of_very_many_permissions_few_are_read(others: int) -> None:
    mine = [permission(1_000_000, holder_id="ann"), permission(1_000_001, holder_id="ann", exclusive=True)]
    alone = permission(1_000_002, holder_id="bob", exclusive=True)
    rows = _Rows([*(permission(number) for number in range(others)), *mine, alone])
    found = await cases_with(rows)._permissions_for(SUNSET, "ann")
    assert list(found) == [*mine, alone]
    assert rows.read <= 4


@pytest.mark.parametrize("others", [1, 1_000, 100_000])
async def test_for_an_unknown_user_the_first_permission_that_covers_the_use_is_enough(others: int) -> None:
    past = permission(0, ends_at=NOW)
    rows = _Rows([past, *(permission(number) for number in range(1, others + 1))])
    [found] = await cases_with(rows)._permissions_for(SUNSET, "")
    assert found.permission_id == "p-0000001"
    assert rows.read <= 200
    assert not await cases_with(_Rows([past]))._permissions_for(SUNSET, "")
