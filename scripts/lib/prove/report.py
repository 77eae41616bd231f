"""The report of a proof: a line of JSON for programs, a page in Markdown and a plot for people."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.lib.prove.bank.run import Banked
from scripts.lib.prove.checker import KINDS, Verdict
from scripts.lib.prove.crashes import Crashed
from scripts.lib.prove.nemesis import Befallen
from scripts.lib.prove.recovery import Recovered
from scripts.lib.prove.simulation import Simulated
from scripts.lib.prove.versions import Versions

_SHOWN = 20


@dataclass(slots=True)
class Proof:
    """The outcomes of the phases that ran. `seconds` has the duration of each."""

    plant: str = ""
    simulated: Simulated | None = None
    crashed: Crashed | None = None
    befallen: Befallen | None = None
    banked: Banked | None = None
    versions: Versions | None = None
    recovered: Recovered | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, other: "Proof") -> None:
        """Adds the phases of another proof."""
        for name in ("simulated", "crashed", "befallen", "banked", "versions", "recovered"):
            if (outcome := getattr(other, name)) is not None:
                setattr(self, name, outcome)
        self.seconds.update(other.seconds)

    def verdict(self) -> Verdict:
        """Returns the faults of all phases together."""
        total = Verdict()
        if self.simulated is not None:
            self.simulated.add_to(total)
        if self.crashed is not None:
            total.untrue += [f"no process ended at {place}" for place in self.crashed.missed]
        for name, verdict in self.verdicts():
            total.commands += verdict.commands
            total.events += verdict.events
            for kind in KINDS:
                getattr(total, kind).extend(f"{name}: {fault}" for fault in getattr(verdict, kind))
        return total

    def verdicts(self) -> Iterator[tuple[str, Verdict]]:
        """Yields the verdict of each phase on the real stack that has been run."""
        phases = {
            "crashes": self.crashed,
            "nemesis": self.befallen,
            "bank": self.banked,
            "versions": self.versions,
            "recovery": self.recovered,
        }
        for name, phase in phases.items():
            if phase is not None:
                yield name, phase.verdict

    def figures(self) -> dict[str, Any]:
        """Returns the figures of the last line."""
        found = self.verdict()
        kinds = sum((run.by_kind for run in (self.befallen, self.banked) if run), Counter[str]())
        return {
            "seeds": self.simulated.seeds if self.simulated else 0,
            "crash_points": len(self.crashed.places) if self.crashed else 0,
            "faults": kinds.total(),
            "faults_by_kind": dict(sorted(kinds.items())),
            "version_before": self.versions.summary if self.versions else "",
            "transfers": self.banked.transfers if self.banked else 0,
            "transfers_by_end": dict(self.banked.by_end.most_common()) if self.banked else {},
            "events": found.events,
            "commands": found.commands,
            **{kind: len(getattr(found, kind)) for kind in KINDS},
            "recovery_s": self.recovered.seconds() if self.recovered else {},
            **({"plant": self.plant} if self.plant else {}),
        }


def write(proof: Proof, folder: Path) -> None:
    """Writes proof.json, proof.md and timeline.svg."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = {**proof.figures(), "seconds": proof.seconds, "found": proof.verdict().faults[:1000]}
    if proof.simulated is not None:
        figures["simulated_faults"] = dict(proof.simulated.faults)
    if proof.banked is not None:
        figures["bank"] = {
            "seconds": round(proof.banked.seconds, 1),
            "settled_after": round(proof.banked.settled_after, 1),
            "faults": [(one.kind, round(one.began, 1), round(one.mended, 1)) for one in proof.banked.faults],
        }
    (folder / "proof.json").write_text(json.dumps(figures, indent=2) + "\n")
    (folder / "proof.md").write_text("\n".join(page(proof)) + "\n")
    if proof.befallen is not None:
        (folder / "timeline.svg").write_text("\n".join(plot(proof.befallen)) + "\n")


def page(proof: Proof) -> Iterator[str]:
    """Yields the lines of the report."""
    figures, found = proof.figures(), proof.verdict()
    yield "# Proof"
    yield ""
    yield "| figure | value |"
    yield "|---|---|"
    for name in ("seeds", "crash_points", "faults", "transfers", "events", "commands"):
        yield f"| {name.replace('_', ' ')} | {figures[name]:,} |"
    yield f"| version before | {figures['version_before'] or 'did not run'} |"
    for name in KINDS:
        yield f"| **{name.replace('_', ' ')}** | **{figures[name]}** |"
    yield ""
    yield from _table("seconds to recover, and the settings that determine them", figures["recovery_s"])
    if proof.versions is not None:
        steps = {f"{n}. {name}": events for n, (name, events) in enumerate(proof.versions.steps, 1)}
        yield from _table("versions that ran, and the events meanwhile", steps)
    yield from _table("transfers of the bank, by their end", figures["transfers_by_end"])
    yield from _table("faults on the real stack", figures["faults_by_kind"])
    if proof.simulated is not None:
        yield from _table("simulated faults", dict(sorted(proof.simulated.faults.items())))
    yield from _table("duration of each phase, in seconds", {k: round(v) for k, v in proof.seconds.items()})
    if proof.befallen is not None:
        yield "![answers and events per second, with the faults behind them](timeline.svg)"
        yield ""
    if found.faults:
        yield f"## Broken promises ({len(found.faults)})"
        yield ""
        yield from (f"- {fault}" for fault in found.faults[:_SHOWN])


def ends_of(run: Banked) -> str:
    """Returns how many transfers have each end, as a text."""
    return ", ".join(f"{count:,} {end.replace('_', ' ')}" for end, count in run.by_end.most_common())


def _table(title: str, rows: Mapping[str, object]) -> Iterator[str]:
    if rows:
        yield f"| {title} | |"
        yield "|---|---|"
        for name, value in rows.items():
            yield f"| {name.replace('_', ' ')} | {value} |"
        yield ""


_WIDTH, _HEIGHT, _MARGIN = 1200, 320, 50


def plot(run: Befallen) -> Iterator[str]:
    """Yields the lines of an SVG: answers and events per second over time, with the duration of each fault."""
    end = max([run.seconds, *run.answers, *run.flow, 1.0])
    answers, flow = _per_second(run.answers, end), _per_second(run.flow, end)
    top = max([*answers, *flow, 1])
    across = (_WIDTH - 2 * _MARGIN) / end
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif">'
    yield f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>'
    for number, fault in enumerate(run.faults):
        x, width = _MARGIN + fault.began * across, max((fault.mended - fault.began) * across, 1.5)
        yield f'<rect x="{x:.1f}" y="20" width="{width:.1f}" height="{_HEIGHT - 70}" fill="#f4c7c3" opacity="0.6">'
        yield f"<title>{fault.kind}, {fault.began:.1f} to {fault.mended:.1f} s</title></rect>"
        if len(run.faults) <= 40:
            y = 30 + 11 * (number % 4)
            yield f'<text x="{x:.1f}" y="{y}" font-size="8" fill="#8c1d18">{fault.kind}</text>'
    yield _line(answers, top, across, "#1a73e8")
    yield _line(flow, top, across, "#188038")
    base = _HEIGHT - _MARGIN
    yield f'<line x1="{_MARGIN}" y1="{base}" x2="{_WIDTH - _MARGIN}" y2="{base}" stroke="black"/>'
    yield f'<text x="{_MARGIN}" y="{base + 15}" font-size="11">0 s</text>'
    yield f'<text x="{_WIDTH - _MARGIN}" y="{base + 15}" font-size="11" text-anchor="end">{end:.0f} s</text>'
    yield f'<text x="5" y="25" font-size="11">{top}/s</text>'
    legend = f'x="{_MARGIN}" y="{base + 35}" font-size="12"'
    yield f'<text {legend} fill="#1a73e8">commands answered per second</text>'
    yield f'<text {legend} dx="230" fill="#188038">events per second, after both contexts</text>'
    yield f'<text {legend} dx="500" fill="#8c1d18">faults</text>'
    yield "</svg>"


def _per_second(moments: Sequence[float], end: float) -> list[int]:
    counts = [0] * (int(end) + 1)
    for moment in moments:
        counts[int(min(max(moment, 0.0), end))] += 1
    return counts


def _line(counts: Sequence[int], top: int, across: float, colour: str) -> str:
    height = _HEIGHT - _MARGIN - 20
    points = " ".join(
        f"{_MARGIN + (n + 0.5) * across:.1f},{_HEIGHT - _MARGIN - count / top * height:.1f}"
        for n, count in enumerate(counts)
    )
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
