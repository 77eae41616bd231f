"""Writes the kustomizations in k8s/contexts, a folder for each context, and finds stale files there."""

import shutil
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CONTEXTS = Path("k8s/contexts")
NEEDS = Path("k8s/needs")
"""The patches of contexts that need more than the base has, such as memory: `<workload>.yaml`."""

LISTING = """\
# Written by scripts/manifests: every context there is.
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
"""
CONTEXT = """\
# Written by scripts/manifests from services/{folder}: the base under the context's own name.
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - ../../base
labels:
  - includeSelectors: true
    pairs:
      app.kubernetes.io/name: {workload}
      context: {name}
patches:
  - target:
      name: context
    options:
      allowNameChange: true
    patch: |
      - op: replace
        path: /metadata/name
        value: {workload}
"""

NEED = """\
  - target:
      kind: Deployment
      name: context
    patch: |
{operations}
"""


@dataclass(frozen=True, slots=True, order=True)
class Context:
    """A bounded context, found by its folder: services/commerce/ordering."""

    folder: str

    @property
    def name(self) -> str:
        """The name for the treaty command: commerce.ordering."""
        return self.folder.replace("/", ".")

    @property
    def workload(self) -> str:
        """The name in Kubernetes, where names have no underscores: commerce-ordering."""
        return self.folder.replace("/", "-").replace("_", "-")


def contexts(root: Path) -> list[Context]:
    """Returns all contexts. A context is a folder with a service.py."""
    services = root / "services"
    return sorted(Context(path.parent.relative_to(services).as_posix()) for path in services.glob("*/*/service.py"))


def written(root: Path) -> dict[str, str]:
    """Returns the files of k8s/contexts as they should be, by path."""
    found = contexts(root)
    listing = LISTING + "".join(f"  - {context.workload}\n" for context in found)
    return {f"{CONTEXTS}/kustomization.yaml": listing} | {
        f"{CONTEXTS}/{context.workload}/kustomization.yaml": _manifest(root, context) for context in found
    }


def write(root: Path) -> None:
    """Replaces the folder, so that it has no files of deleted contexts."""
    shutil.rmtree(root / CONTEXTS, ignore_errors=True)
    for name, text in written(root).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def stale(root: Path) -> Iterator[str]:
    """Yields the files in k8s/contexts that are missing, left over or different."""
    expected = written(root)
    found = {path.relative_to(root).as_posix(): path for path in (root / CONTEXTS).rglob("*") if path.is_file()}
    yield from (f"{name} is missing: run scripts/manifests" for name in sorted(expected.keys() - found.keys()))
    yield from (
        f"{name} belongs to no context: run scripts/manifests" for name in sorted(found.keys() - expected.keys())
    )
    workloads = {context.workload for context in contexts(root)}
    for path in sorted((root / NEEDS).glob("*")):
        if path.stem not in workloads:
            yield f"{NEEDS}/{path.name} belongs to no context"
    for name in sorted(expected.keys() & found.keys()):
        if found[name].read_text() != expected[name]:
            yield f"{name} is stale: run scripts/manifests"


def _manifest(root: Path, context: Context) -> str:
    text = CONTEXT.format(folder=context.folder, name=context.name, workload=context.workload)
    needs = root / NEEDS / f"{context.workload}.yaml"
    if not needs.exists():
        return text
    patch = NEED.format(operations=textwrap.indent(needs.read_text().strip(), " " * 6))
    return text.replace("patches:\n", f"patches:\n{patch}")
