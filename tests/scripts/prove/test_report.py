"""The report counts what is wrong in every phase, and says it to machines and to people."""

import json
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest

from scripts.lib.prove.bank.run import Banked
from scripts.lib.prove.checker import Verdict
from scripts.lib.prove.crashes import Crashed
from scripts.lib.prove.nemesis import Befallen, Injected
from scripts.lib.prove.recovery import Recovered
from scripts.lib.prove.report import Proof, write
from scripts.lib.prove.simulation import Simulated

FIGURES = {
    *("seeds", "crash_points", "faults", "faults_by_kind", "events", "commands", "lost", "duplicate_effects"),
    *("transfers", "transfers_by_end"),
    *("order_violations", "unknown_unresolved", "untrue", "unsettled", "recovery_s", "version_before"),
}


@pytest.fixture
def proof() -> Proof:
    befallen = Befallen(
        faults=[Injected("service_killed", 1.0, 3.0), Injected("disk_alarm", 5.0, 9.0)],
        answers=[0.5, 1.5, 4.0],
        flow=[0.7, 4.2],
        seconds=10.0,
        verdict=Verdict(commands=3, events=6),
    )
    return Proof(
        simulated=Simulated(seeds=10, faults=Counter(kill=3)),
        crashed=Crashed(places=["relay.confirmed:1"], verdict=Verdict(commands=2, events=4)),
        befallen=befallen,
        banked=Banked(
            faults=[Injected("accounts_killed", 1.0, 2.0)],
            transfers=7,
            by_end=Counter(completed=5, insufficient_funds=2),
            verdict=Verdict(commands=7, events=20),
        ),
        recovered=Recovered(service_restart=1.234, verdict=Verdict(commands=1, events=2)),
        seconds={"simulation": 12.0},
    )


def test_the_figures_add_up_over_the_phases(proof: Proof) -> None:
    figures = proof.figures()
    assert set(figures) == FIGURES
    assert (figures["commands"], figures["events"]) == (13, 32)
    assert figures["faults_by_kind"] == {"accounts_killed": 1, "disk_alarm": 1, "service_killed": 1}
    assert (figures["transfers"], figures["transfers_by_end"]) == (7, {"completed": 5, "insufficient_funds": 2})
    assert figures["recovery_s"]["service_restart"] == 1.23
    assert not proof.verdict().faults


def test_what_is_wrong_anywhere_is_counted_and_named(proof: Proof) -> None:
    assert proof.simulated is not None
    assert proof.crashed is not None
    assert proof.befallen is not None
    assert proof.banked is not None
    nothing: dict[str, object] = dict.fromkeys(
        ["duplicate_effects", "order_violations", "unknown_unresolved", "untrue", "unsettled"], ()
    )
    proof.simulated.failures.append({"seed": 7, "lost": ["one"], **nothing})
    proof.crashed.missed.append("call.made:2")
    proof.befallen.verdict.order_violations.append("two before one")
    proof.banked.verdict.lost.append("hold a has not ended")
    figures = proof.figures()
    assert (figures["lost"], figures["order_violations"], figures["untrue"]) == (2, 1, 1)
    assert proof.verdict().faults == [
        "seed 7: one",
        "bank: hold a has not ended",
        "nemesis: two before one",
        "no process ended at call.made:2",
    ]


def test_a_page_and_a_plot_are_written(proof: Proof, tmp_path: Path) -> None:
    write(proof, tmp_path)
    assert json.loads((tmp_path / "proof.json").read_text())["seeds"] == 10
    page = (tmp_path / "proof.md").read_text()
    assert "| seeds | 10 |" in page
    assert "| insufficient funds | 2 |" in page
    assert json.loads((tmp_path / "proof.json").read_text())["bank"]["faults"] == [["accounts_killed", 1.0, 2.0]]
    assert "timeline.svg" in page
    picture = ElementTree.fromstring((tmp_path / "timeline.svg").read_text())
    titles = [title.text for title in picture.iter("{http://www.w3.org/2000/svg}title")]
    assert titles == ["service_killed, 1.0 to 3.0 s", "disk_alarm, 5.0 to 9.0 s"]
