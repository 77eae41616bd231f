"""The demo of the domain media, as a newcomer runs it."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
from media.assets.v1 import assets_service_pb2 as assets
from media.compliance.v1 import compliance_service_pb2 as compliance
from media.licensing.v1 import licensing_service_pb2 as licensing
from treaty.probes import NoProbe

from scripts.lib.demo_media.agency import Agency
from scripts.lib.demo_media.pictures import File, Studio, of_folder
from scripts.lib.demo_media.report import Results
from scripts.lib.demos.clients import Clients
from scripts.lib.demos.run import BadInput
from scripts.lib.pictures import jpeg
from tests.scripts.demo.test_demo import demo, figures, finished, still_running

BALANCED = {
    "assets": 9,
    "rejected": 2,
    "searchable": 7,
    "purchased": 45,
    "refused": 3,
    "usage_reports": 361,
    "violations": 5744,
    "cases": 17,
    "cases_closed": 15,
    "balanced": True,
    "outbox": 0,
    "queued": 0,
    "quarantined": 0,
    "trace_services": 3,
}


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [("--embedded",), ()])
async def test_the_agency_adds_up(arguments: tuple[str, ...]) -> None:
    code, output = await finished(await demo("media", *arguments, "--json"))
    assert code == 0, output
    *report, _ = output.splitlines()
    assert next(filter(None, report)).startswith("It adds up"), "the verdict comes first"
    assert [line for line in report if len(line) > 80] == []
    found = figures(output)
    assert {name: found[name] for name in BALANCED} == BALANCED
    assert not still_running()


def _results() -> Results:
    """Returns the results of one license with seven uses, three of them in excess."""
    license = licensing.License(license_id="l-1", counted=4, excess=3)
    agency = Agency(
        clients=Clients(addresses={}, stubs={}, probe=NoProbe()),
        run="1",
        pictures=["sunset"],
        dice=random.Random(1),
        bought=[license],
        reports=1,
    )
    agency.within["l-1"] = 7
    day = licensing.UsageDay(day="2026-03-01", asset_id="sunset-1", reports=1, uses=7, excess=3)
    alert = compliance.Alert(case_id="l-1", uses=3)
    studio = Studio(clients=agency.clients, run="1", files=[File(name="sunset", title="", data=b"")])
    studio.assets["sunset"] = assets.Asset(status=assets.ASSET_STATUS_READY)
    found = assets.SearchAssetsResponse(assets=[assets.Found(asset_id="sunset-1")])
    return Results(
        studio=studio,
        found=found,
        alike=[],
        agency=agency,
        licenses=[license],
        days=[day],
        alerts=[alert],
        backlogs={},
        handled=True,
        trace=(),
    )


def test_totals_that_add_up_are_balanced() -> None:
    assert _results().balanced


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"licenses": []}, "0 licenses are listed, and 1 were purchased"),
        ({"licenses": [licensing.License(license_id="l-1", counted=4, excess=2)]}, "has other uses than were reported"),
        ({"alerts": []}, "the case of license l-1 has other uses than the license"),
        ({"days": []}, "the days have 0 uses and 0 outside, and others were reported"),
        ({"found": assets.SearchAssetsResponse()}, "the search finds 0 pictures, and 1 are ready"),
        ({"handled": False}, "not every event was handled by its subscribers"),
    ],
)
def test_a_total_that_does_not_add_up_is_told(values: dict[str, object], said: str) -> None:
    results = replace(_results(), **values)  # type: ignore[arg-type]
    assert not results.balanced
    assert any(said in difference for difference in results.differences)


@pytest.mark.slow
async def test_pictures_of_a_folder_are_taken(tmp_path: Path) -> None:
    (tmp_path / "A Red Wall.JPG").write_bytes(jpeg(width=300, height=200, seed=1))
    (tmp_path / "a-red-wall.jpeg").write_bytes(jpeg(width=200, height=300, seed=2))
    (tmp_path / "notes.txt").write_text("not a picture")
    code, output = await finished(await demo("media", "--embedded", "--pictures", str(tmp_path), "--json"))
    assert code == 0, output
    found = figures(output)
    assert (found["assets"], found["rejected"], found["searchable"], found["balanced"]) == (3, 1, 2, True)


async def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is no folder"):
        of_folder(tmp_path / "none")
    with pytest.raises(BadInput, match="has 0 files"):
        of_folder(tmp_path)
