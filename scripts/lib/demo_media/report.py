"""The figures of the demo, whether they add up, and the report for a person: 80 columns."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from media.assets.v1 import assets_service_pb2 as assets
from media.compliance.v1 import compliance_events_pb2 as events
from media.compliance.v1 import compliance_service_pb2 as compliance
from media.licensing.v1 import licensing_service_pb2 as licensing
from treaty.operations.backlog import Backlog
from treaty.telemetry.spans import FinishedSpan
from treaty.telemetry.tree import lines

from scripts.lib.demo_media.agency import Agency
from scripts.lib.demo_media.pictures import Studio
from scripts.lib.demos.run import WIDTH, Report
from scripts.lib.grammar import counted

_BAR = 40
_HOPS = 8
_LISTED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """The results of the demo, as the read models have them in the end."""

    studio: Studio
    found: assets.SearchAssetsResponse
    alike: Sequence[tuple[str, str, int]]
    agency: Agency
    licenses: Sequence[licensing.License]
    days: Sequence[licensing.UsageDay]
    alerts: Sequence[compliance.Alert]
    backlogs: Mapping[str, Backlog]
    handled: bool
    trace: Sequence[FinishedSpan]

    @property
    def differences(self) -> Sequence[str]:
        """Sentences about totals that do not add up."""
        return list(self._differences())

    def _differences(self) -> Iterator[str]:
        agency, studio = self.agency, self.studio
        if sorted(one.asset_id for one in self.found.assets) != sorted(map(studio.id_of, studio.ready)):
            yield f"the search finds {len(self.found.assets)} pictures, and {len(studio.ready)} are ready"
        if len(studio.ready) + len(studio.rejected) != len(studio.files):
            yield f"{len(studio.files)} files were uploaded, and some are neither ready nor rejected"
        if sorted(one.license_id for one in self.licenses) != sorted(one.license_id for one in agency.bought):
            yield f"{len(self.licenses)} licenses are listed, and {len(agency.bought)} were purchased"
        cases = {alert.case_id: alert.uses for alert in self.alerts}
        for license in self.licenses:
            yield from self._differences_of(license, cases)
        uses, outside = sum(day.uses for day in self.days), sum(day.outside for day in self.days)
        if (uses, outside) != (sum(agency.within.values()), sum(agency.outside.values())):
            yield f"the days have {uses} uses and {outside} outside, and others were reported"
        if sum(day.reports for day in self.days) != agency.reports:
            yield f"{agency.reports} reports were sent, and the days have others"
        excess = sum(license.excess for license in self.licenses)
        if sum(day.excess - day.forgiven for day in self.days) != excess:
            yield f"the licenses have an excess of {excess}, and the days another one"
        if not self.handled:
            yield "not every event was handled by its subscribers"

    def _differences_of(self, license: licensing.License, cases: Mapping[str, int]) -> Iterator[str]:
        within, outside = self.agency.within[license.license_id], self.agency.outside[license.license_id]
        if (license.counted + license.excess, license.outside) != (within, outside):
            yield f"license {license.license_id} has other uses than were reported"
        if cases.get(license.license_id, 0) != license.excess + license.outside:
            yield f"the case of license {license.license_id} has other uses than the license"

    @property
    def balanced(self) -> bool:
        """Whether all totals add up, and no work is left anywhere."""
        return not self.differences and not any(backlog.total for backlog in self.backlogs.values())

    def figures(self) -> dict[str, object]:
        backlogs = self.backlogs.values()
        return {
            "assets": len(self.studio.files),
            "rejected": len(self.studio.rejected),
            "searchable": len(self.found.assets),
            "purchased": len(self.licenses),
            "refused": self.agency.refused.total(),
            "usage_reports": self.agency.reports,
            "violations": sum(license.excess + license.outside for license in self.licenses),
            "sightings": self.agency.sightings,
            "cases": len(self.alerts),
            "cases_closed": sum(alert.status == compliance.CASE_STATUS_CLOSED for alert in self.alerts),
            "commands": self.agency.clients.commands,
            "balanced": self.balanced,
            "outbox": sum(b.outbox + b.calls for b in backlogs),
            "queued": sum(b.queued for b in backlogs),
            "quarantined": sum(b.quarantined for b in backlogs),
            "trace_services": len({span.service for span in self.trace}),
        }


def report_of(results: Results) -> Report:
    return Report(balanced=results.balanced, figures=results.figures(), lines=list(_lines(results)))


def _lines(results: Results) -> Iterator[str]:
    figures = results.figures()
    yield (
        "It adds up: pictures, licenses, uses by day, cases and messages."
        if results.balanced
        else "It does not add up:"
    )
    yield from (f"  {difference}"[:WIDTH] for difference in results.differences[:5])
    yield ""
    yield from _pictures(results)
    yield ""
    if not results.agency.assets:
        yield "No picture can be sold."
        return
    yield (
        f"{counted(len(results.agency.assets), 'picture')} on sale, "
        f"{counted(len(results.licenses), 'license')} purchased, {figures['refused']} refused"
    )
    yield from (f"  {number} × {reason}" for reason, number in sorted(results.agency.refused.items()))
    yield f"{counted(results.agency.reports, 'report')} of uses, {figures['violations']} uses without a right"
    yield ""
    yield from _plot(results.days)
    yield ""
    yield from _cases(results.alerts)
    yield ""
    yield from _trace(results.trace)


def _pictures(results: Results) -> Iterator[str]:
    """Yields what became of the files, what the search finds, and which pictures look alike."""
    studio, facets = results.studio, {facet.field: facet.counts for facet in results.found.facets}
    yield (
        f"{counted(len(studio.files), 'file')} uploaded, {counted(len(results.found.assets), 'picture')} found by the "
        f"search, {len(studio.rejected)} rejected"
    )[:WIDTH]
    yield from (f"  {name}: {reason}"[:WIDTH] for name, reason in list(studio.rejected.items())[:_LISTED])
    for field in ("camera", "orientation"):
        counts = ", ".join(f"{count.assets} {count.value}" for count in facets.get(field, ()))
        if counts:
            yield f"  by {field}: {counts}"[:WIDTH]
    for one, other, distance in results.alike[:_LISTED]:
        yield f"  {one} looks like {other}: {counted(distance, 'bit')} of 64 differ"[:WIDTH]


def _plot(days: Sequence[licensing.UsageDay]) -> Iterator[str]:
    """Yields the uses of each day and picture as bars: # within the licenses, ! beyond or outside of them."""
    yield "Uses by day and picture (# within a license, ! not):"
    most = max((day.uses + day.outside for day in days), default=1)
    for day in sorted(days, key=lambda day: (day.day, day.asset_id)):
        wrong = day.excess - day.forgiven + day.outside
        right = day.uses + day.outside - wrong
        bar = "#" * round(_BAR * right / most) + "!" * -(-_BAR * wrong // most)
        name = day.asset_id.rpartition("-")[0]
        yield f"  {day.day} {name:<12.12} {bar:<{_BAR + 2}} {day.uses + day.outside:>6}"[:WIDTH]


def _cases(alerts: Sequence[compliance.Alert]) -> Iterator[str]:
    severities = Counter(_word(events.Severity.Name(alert.severity)) for alert in alerts)
    ends = Counter(_word(events.Outcome.Name(alert.outcome)) for alert in alerts if alert.outcome)
    still = sum(not alert.outcome for alert in alerts)
    yield f"{counted(len(alerts), 'case')}: {', '.join(f'{n} {word}' for word, n in sorted(severities.items()))}"
    yield f"  {', '.join(f'{n} {word}' for word, n in sorted(ends.items()))}, {still} still open"


def _word(name: str) -> str:
    return name.rpartition("_")[2].lower()


def _trace(spans: Sequence[FinishedSpan]) -> Iterator[str]:
    """Yields the way of a report that exceeds its license, from the client to the case."""
    if spans:
        heading, *rows = lines(spans, width=WIDTH, folded=True)
        yield f"One report, to its case: {heading.partition(' · ')[2]}"[:WIDTH]
        yield from (f"  {row}"[:WIDTH] for row in rows[:_HOPS])
