"""Writes what kustomize must list, one folder in k8s/contexts for each context, and finds what is stale there."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CONTEXTS = Path("k8s/contexts")
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


@dataclass(frozen=True, slots=True, order=True)
class Context:
    """A bounded context, as its folder says: services/commerce/ordering."""

    folder: str

    @property
    def name(self) -> str:
        """What the treaty command calls it: commerce.ordering."""
        return self.folder.replace("/", ".")

    @property
    def workload(self) -> str:
        """What Kubernetes calls it: commerce-ordering. Names there have no underscores."""
        return self.folder.replace("/", "-").replace("_", "-")


def contexts(root: Path) -> list[Context]:
    """A context is a folder with a service.py."""
    services = root / "services"
    return sorted(Context(path.parent.relative_to(services).as_posix()) for path in services.glob("*/*/service.py"))


def written(root: Path) -> dict[str, str]:
    """The files of k8s/contexts as they should be, by path."""
    found = contexts(root)
    listing = LISTING + "".join(f"  - {context.workload}\n" for context in found)
    return {f"{CONTEXTS}/kustomization.yaml": listing} | {
        f"{CONTEXTS}/{context.workload}/kustomization.yaml": _manifest(context) for context in found
    }


def write(root: Path) -> None:
    """Replaces the folder, so that a context that is gone goes here too."""
    shutil.rmtree(root / CONTEXTS, ignore_errors=True)
    for name, text in written(root).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def stale(root: Path) -> Iterator[str]:
    """Files in k8s/contexts that are missing, left over or different."""
    expected = written(root)
    found = {path.relative_to(root).as_posix(): path for path in (root / CONTEXTS).rglob("*") if path.is_file()}
    yield from (f"{name} is missing: run scripts/manifests" for name in sorted(expected.keys() - found.keys()))
    yield from (
        f"{name} belongs to no context: run scripts/manifests" for name in sorted(found.keys() - expected.keys())
    )
    for name in sorted(expected.keys() & found.keys()):
        if found[name].read_text() != expected[name]:
            yield f"{name} differs from what scripts/manifests writes"


def _manifest(context: Context) -> str:
    return CONTEXT.format(folder=context.folder, name=context.name, workload=context.workload)
