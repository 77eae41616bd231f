"""Renders manifests, and finds fields that a cluster would refuse and names that lead to nothing."""

import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

from scripts.lib import npm

KUBERNETES = "1.35"
# Parsed YAML. The schemas of Kubernetes define its shape, and they are checked first.
Object = dict[str, Any]


class Unrenderable(Exception):
    """kustomize refused a folder; the message is that of kustomize."""


def render(root: Path, folder: str) -> list[Object]:
    """Returns the objects that `kubectl apply -k` would send."""
    command = [str(npm.kubectl()), "kustomize", folder]
    run = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise Unrenderable(f"{folder}: {run.stderr.strip()}")
    return [found for found in yaml.safe_load_all(run.stdout) if found]


def title(found: Object) -> str:
    return f"{found['kind']} {found['metadata']['name']}"


def invalid(objects: Iterable[Object]) -> Iterator[str]:
    """Yields the fields and values that the schemas of Kubernetes do not allow."""
    for found in objects:
        try:
            kubernetes_validate.validate(found, KUBERNETES, strict=True)
        except kubernetes_validate.ValidationError as error:
            yield f"{title(found)}: {'.'.join(map(str, error.path))}: {error.message}"
        except kubernetes_validate.SchemaNotFoundError as error:
            yield f"{title(found)}: {error.message}"


def dangling(objects: list[Object]) -> Iterator[str]:
    """Yields the names and selectors that lead to nothing. A cluster accepts them without an error."""
    yield from _lost_references(objects)
    templates = [node for found in objects for node in walk(found) if "containers" in node.get("spec", {})]
    for found in objects:
        for selector in _selectors(found):
            if not any(_matches(selector, template["metadata"].get("labels", {})) for template in templates):
                yield f"{title(found)}: no pod matches {selector}"


def walk(node: Any) -> Iterator[Object]:
    """Yields every mapping inside a node, the outer ones first."""
    if isinstance(node, dict):
        yield node
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        yield from walk(child)


def _lost_references(objects: list[Object]) -> Iterator[str]:
    existing = {title(found) for found in objects}
    for found in objects:
        for wanted in _references(found):
            if wanted not in existing:
                yield f"{title(found)}: there is no {wanted}"


def _references(found: Object) -> Iterator[str]:
    """Yields the ConfigMaps and Secrets that pods mount or read their environment from."""
    for node in walk(found):
        for key, value in node.items():
            if key in ("configMap", "configMapRef", "configMapKeyRef"):
                yield f"ConfigMap {value['name']}"
            elif key in ("secret", "secretRef", "secretKeyRef"):
                yield f"Secret {value.get('secretName') or value['name']}"


def _selectors(found: Object) -> Iterator[Object]:
    """Yields the selectors for pods of this namespace. An empty selector matches all pods and is left out."""
    if found["kind"] == "Service":
        yield {"matchLabels": found["spec"]["selector"]}
    for node in walk(found):
        if "namespaceSelector" not in node:
            yield from (node[key] for key in ("selector", "podSelector") if _is_selector(node.get(key)))


def _is_selector(node: Any) -> bool:
    return isinstance(node, dict) and bool(node.keys() & {"matchLabels", "matchExpressions"})


def _matches(selector: Object, labels: dict[str, str]) -> bool:
    wanted = {key: [value] for key, value in selector.get("matchLabels", {}).items()}
    wanted |= {each["key"]: each["values"] for each in selector.get("matchExpressions", ()) if each["operator"] == "In"}
    return all(labels.get(key) in values for key, values in wanted.items())
