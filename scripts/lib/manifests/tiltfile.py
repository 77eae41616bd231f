"""Runs the Tiltfile in an interpreter of its dialect, Starlark, and finds names in it that do not exist.

The Tiltfile runs in a separate process, because the dialect allows endless loops.
"""

import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import starlark_go

from scripts.lib.manifests import tilt_api
from scripts.lib.manifests.cluster import Object, title, walk
from scripts.lib.paths import ROOT

SECONDS = 120.0


class Call(NamedTuple):
    """A call that the Tiltfile made, with its arguments by name."""

    function: str
    arguments: dict[str, Any]


class Broken(Exception):
    """The Tiltfile does not run; the message names the line."""


def calls(root: Path, chosen: list[str], seconds: float = SECONDS) -> list[Call]:
    """Returns the calls that the Tiltfile makes if the given contexts are chosen on the command line."""
    command = [sys.executable, "-m", __spec__.name, str(root), *chosen]
    try:
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        raise Broken(f"Tiltfile: still running after {seconds:g} seconds") from None
    if run.returncode != 0:
        raise Broken(f"Tiltfile: {run.stderr.strip().splitlines()[-1]}")
    return [Call(*call) for call in json.loads(run.stdout)]


def of(made: Iterable[Call], function: str) -> list[dict[str, Any]]:
    return [call.arguments for call in made if call.function == function]


def wrong(root: Path, made: list[Call], objects: list[Object], contexts: list[str]) -> Iterator[str]:
    """Yields the names, images and paths in the Tiltfile that are not in the rendered manifests or the checkout."""
    resources = [call.get("workload") for call in of(made, "k8s_resource")]
    yield from (f"Tiltfile: {context} has no k8s_resource" for context in contexts if context not in resources)
    yield from _unknown_workloads(made, objects)
    builds = of(made, "docker_build")
    for found in objects:
        if found["metadata"]["name"] in contexts and not any(_runs(found, build["ref"]) for build in builds):
            yield from (f"Tiltfile: nothing builds the image {image} of {title(found)}" for image in _images(found))
    for build in builds:
        yield from _wrong_build(root, build, objects)


def _unknown_workloads(made: list[Call], objects: list[Object]) -> Iterator[str]:
    resources = of(made, "k8s_resource")
    workloads = {found["metadata"]["name"] for found in objects if "template" in found.get("spec", {})}
    workloads |= {call["new_name"] for call in resources if "new_name" in call}
    named = [call["workload"] for call in resources if "workload" in call]
    named += [name for call in resources for name in call.get("resource_deps", ())]
    named += [name for call in of(made, "config.set_enabled_resources") for name in call["resources"]]
    yield from (f"Tiltfile: there is no workload {name}" for name in sorted(set(named) - workloads))


def _images(found: Object) -> set[str]:
    return {node["image"] for node in walk(found) if isinstance(node.get("image"), str)}


def _runs(found: Object, ref: str) -> bool:
    return any(image == ref or image.startswith(f"{ref}:") for image in _images(found))


def _wrong_build(root: Path, build: dict[str, Any], objects: list[Object]) -> Iterator[str]:
    dockerfile = build.get("dockerfile", "Dockerfile")
    if not any(_runs(found, build["ref"]) for found in objects):
        yield f"Tiltfile: no pod runs the image {build['ref']}"
    paths = [
        dockerfile,
        *build.get("only", ()),
        *(path for step in build.get("live_update", ()) for path in step["paths"]),
    ]
    missing = [path for path in paths if not (root / path).exists()]
    yield from (f"Tiltfile: there is no {path}" for path in missing)
    if dockerfile not in missing and not _has_stage(root / dockerfile, build.get("target", "")):
        yield f"Tiltfile: {dockerfile} has no stage {build['target']}"


def _has_stage(dockerfile: Path, stage: str) -> bool:
    return not stage or bool(re.search(rf"^FROM \S+ AS {re.escape(stage)}$", dockerfile.read_text(), re.MULTILINE))


def _main(root: str, *chosen: str) -> None:
    """Runs in the separate process, and prints the calls as JSON."""
    os.chdir(root)
    made: list[Call] = []
    functions = tilt_api.functions({"contexts": list(chosen)} if chosen else {})
    # The interpreter holds no reference to these functions, so this variable must keep them alive.
    recorded = {name: _recorded(each, made) for name, each in functions.items()}
    starlark_go.configure_starlark(allow_set=True, allow_global_reassign=True, allow_recursion=True)
    tilt = starlark_go.Starlark(globals=recorded)
    try:
        tilt.exec(_without_dots(Path("Tiltfile").read_text(), functions), filename="Tiltfile")
    except starlark_go.StarlarkError as error:
        sys.exit(str(error))
    print(json.dumps(made))


def _recorded(function: Callable[..., Any], made: list[Call]) -> Callable[..., Any]:
    signature, name = inspect.signature(function), function.__name__.replace("__", ".")

    def record(*positional: Any, **named: Any) -> Any:
        try:
            bound = signature.bind(*positional, **named)
        except TypeError as error:
            raise TypeError(f"{name}: {error}") from None
        made.append(Call(name, bound.arguments))
        return function(*positional, **named)

    return record


def _without_dots(text: str, functions: Iterable[str]) -> str:
    """Replaces config.parse by config__parse, because the interpreter accepts functions but no modules."""
    for name in functions:
        text = re.sub(rf"\b{re.escape(name.replace('__', '.'))}\b", name, text)
    return text


if __name__ == "__main__":
    _main(*sys.argv[1:])
