"""The audit of an agency: the logs of Licensing and Compliance against what people were told."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from treaty.commits.commit import Commit
from treaty.operations.audit import history
from treaty.service.stores import Stores

from scripts.lib.prove.agency import AGENCY, COMPLIANCE, LICENSING
from scripts.lib.prove.agency.people import ALLOWED, People
from scripts.lib.prove.checker import Verdict
from services.media.compliance.domain.case import Case
from services.media.compliance.storage import CASES
from services.media.licensing.domain.events import LicensePurchased
from services.media.licensing.domain.license import License
from services.media.licensing.storage import LICENSES


async def audit(stores: Mapping[str, Stores], people: People, *, settled: bool) -> Verdict:
    """Audits an agency.

    Args:
        settled: whether all work is done, so that nothing may be missing.
    """
    verdict = Verdict(commands=people.commands)
    commits = {name: [commit async for commit in history(stores[name].log)] for name in AGENCY}
    for name in AGENCY:
        verdict.events += sum(len(commit.outbox) for commit in commits[name])
        _check_versions(name, commits[name], verdict)
    licenses: dict[str, License] = _folded(commits[LICENSING], LICENSES)
    cases: dict[str, Case] = _folded(commits[COMPLIANCE], CASES)
    _check_purchases(people, commits[LICENSING], licenses, verdict)
    if settled:
        for id, license in licenses.items():
            _check_uses(people, id, license, cases, verdict)
    return verdict


def _check_versions(name: str, commits: list[Commit], verdict: Verdict) -> None:
    """Each stream has the versions 1, 2, 3, …, each once, and in this order."""
    versions: dict[str, list[int]] = defaultdict(list)
    for commit in sorted(commits, key=lambda commit: commit.position):
        versions[commit.stream].append(commit.version)
    for stream, found in versions.items():
        if found != list(range(1, len(found) + 1)):
            verdict.order_violations.append(f"{name}: {stream} has the versions {found}")


def _folded(commits: list[Commit], stored: Any) -> dict[str, Any]:
    """Returns the aggregates of one kind, folded from their events alone."""
    found: dict[str, Any] = {}
    for commit in sorted(commits, key=lambda commit: (commit.stream, commit.version)):
        if stored.owns(commit.stream):
            id = stored.id_of(commit.stream)
            aggregate = found.setdefault(id, stored.blank(id))
            for event in commit.events:
                aggregate.evolve(stored.events.decode(event))
    return found


def _check_purchases(people: People, commits: list[Commit], licenses: Mapping[str, License], verdict: Verdict) -> None:
    """A purchase that was told is there once, one that was refused is not, and an exclusive right has one owner."""
    counts: dict[str, int] = defaultdict(int)
    for commit in commits:
        if LICENSES.owns(commit.stream):
            purchased = [LICENSES.events.decode(event) for event in commit.events]
            counts[LICENSES.id_of(commit.stream)] += sum(isinstance(event, LicensePurchased) for event in purchased)
    for purchase in people.purchases:
        count = counts[purchase.license_id]
        if purchase.outcome == "ok" and not count:
            verdict.lost.append(f"the license {purchase.license_id} was confirmed, and is not there")
        if purchase.outcome == "refused" and purchase.tries == 1 and count:
            verdict.untrue.append(f"the license {purchase.license_id} was refused, and is there")
        if count > 1:
            verdict.duplicate_effects.append(f"the license {purchase.license_id} was purchased {count} times")
    owners: dict[str, list[str]] = defaultdict(list)
    for id, license in licenses.items():
        if license.terms and license.terms.exclusive:
            owners[license.asset_id].append(id)
    for asset, found in owners.items():
        if len(found) > 1:
            verdict.untrue.append(f"{len(found)} licenses have the exclusive right to {asset}")


def _check_uses(people: People, id: str, license: License, cases: Mapping[str, Case], verdict: Verdict) -> None:
    """All uses are counted once: within the license, beyond it, or outside of it; the case has the last two."""
    told = people.uses.get(id, {})
    within = sum(uses for uses, licensed in told.values() if licensed)
    outside = sum(uses for uses, licensed in told.values() if not licensed)
    if (license.counted + license.excess, license.outside) != (within, outside):
        found = f"{license.counted} + {license.excess} within and {license.outside} outside"
        verdict.untrue.append(f"license {id} has {found}, and {within} and {outside} were reported")
    if license.counted > ALLOWED:
        verdict.untrue.append(f"license {id} counts {license.counted} of {ALLOWED} uses")
    wrong, case = license.excess + license.outside, cases.get(id)
    in_case = case.uses if case else 0
    if wrong != in_case:
        verdict.lost.append(f"the case of license {id} has {in_case} uses, and the license {wrong} without a right")
