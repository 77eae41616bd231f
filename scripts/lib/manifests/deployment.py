"""Writes k8s/contexts, and finds faults in the manifests, the Dockerfile and the Tiltfile without a cluster."""

import re
from collections.abc import Iterator
from pathlib import Path

from scripts.lib.command_line import parser_of
from scripts.lib.manifests import alerts, cluster, kustomization, pods, tiltfile
from scripts.lib.paths import ROOT

DOCKERFILE = "k8s/Dockerfile"


def faults(root: Path) -> list[str]:
    stale = list(kustomization.stale(root))
    if stale:
        return stale
    try:
        return [*unready(root), *incomplete_image(root), *unfit(root), *alerts.careless(root)]
    except (cluster.Unrenderable, tiltfile.Broken) as error:
        return [str(error)]


def unready(root: Path) -> Iterator[str]:
    """Yields the settings that a context lacks for production, before a development overlay relaxes any."""
    for context in kustomization.contexts(root):
        objects = cluster.render(root, f"{kustomization.CONTEXTS}/{context.workload}")
        yield from pods.careless(objects)


def incomplete_image(root: Path) -> Iterator[str]:
    """Yields the sources that the Dockerfile copies and the checkout does not have."""
    lines = (root / DOCKERFILE).read_text().splitlines()
    copies = [line.split()[1:-1] for line in lines if re.match(r"COPY (?!--from)", line)]
    missing = [source for sources in copies for source in sources if not (root / source).exists()]
    yield from (f"{DOCKERFILE}: there is no {source}" for source in missing)


def unfit(root: Path) -> Iterator[str]:
    """Yields the faults of the Tiltfile and of its overlays, with all contexts and with one chosen context."""
    names = [context.workload for context in kustomization.contexts(root)]
    made = tiltfile.calls(root, chosen=[])
    objects = [found for call in tiltfile.of(made, "k8s_yaml") for found in cluster.render(root, call["yaml"])]
    yield from [*cluster.invalid(objects), *pods.unsafe(objects), *cluster.dangling(objects)]
    yield from tiltfile.wrong(root, [*made, *tiltfile.calls(root, names[:1])], objects, names)


def main() -> int:
    parser = parser_of("manifests")
    parser.add_argument("--check", action="store_true")
    if not parser.parse_args().check:
        kustomization.write(ROOT)
        return 0
    found = faults(ROOT)
    print("\n".join(found) or "manifests: up to date, valid and safe, and the Tiltfile has them all")
    return 1 if found else 0
