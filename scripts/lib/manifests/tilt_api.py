"""The functions of Tilt that the Tiltfile may call, with Tilt's own parameters. They only return a value.

If the Tiltfile needs another function of https://docs.tilt.dev/api.html, define it here. Two underscores stand for the
dot in a name such as config.parse.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

Step = dict[str, Any]


def docker_build(
    ref: str,
    context: str,
    build_args: Mapping[str, str] | None = None,
    dockerfile: str = "Dockerfile",
    live_update: Sequence[Step] = (),
    ignore: Sequence[str] = (),
    only: Sequence[str] = (),
    entrypoint: Sequence[str] = (),
    target: str = "",
    extra_tag: str = "",
    platform: str = "",
) -> None: ...


def fall_back_on(files: Sequence[str]) -> Step:
    return {"step": "fall_back_on", "paths": files}


def sync(local_path: str, remote_path: str) -> Step:
    return {"step": "sync", "paths": [local_path], "remote_path": remote_path}


def run(cmd: str, trigger: Sequence[str] = (), echo_off: bool = False) -> Step:
    return {"step": "run", "paths": trigger}


def kustomize(pathToDir: str, kustomize_bin: str | None = None, flags: Sequence[str] = ()) -> str:
    return pathToDir


def k8s_yaml(yaml: str, allow_duplicates: bool = False) -> None: ...


def k8s_resource(
    workload: str = "",
    new_name: str = "",
    port_forwards: str | int | Sequence[str | int] = (),
    trigger_mode: str = "",
    resource_deps: Sequence[str] = (),
    objects: Sequence[str] = (),
    auto_init: bool = True,
    pod_readiness: str = "",
    links: Sequence[str] = (),
    labels: Sequence[str] = (),
) -> None: ...


def listdir(directory: str, recursive: bool = False) -> list[str]:
    """Returns the absolute paths of files. As in Tilt, folders are left out."""
    found = Path(directory).rglob("*") if recursive else Path(directory).glob("*")
    return [str(path.absolute()) for path in found if path.is_file()]


def os__path__basename(path: str) -> str:
    return Path(path).name


def os__path__dirname(path: str) -> str:
    return str(Path(path).parent)


def config__define_string_list(name: str, args: bool = False, usage: str = "") -> None: ...


def config__set_enabled_resources(resources: Sequence[str]) -> None: ...


def functions(settings: Mapping[str, Any]) -> dict[str, Callable[..., Any]]:
    """Returns all functions by name. `config.parse` returns the settings."""

    def config__parse() -> Mapping[str, Any]:
        return settings

    here = [*globals().values(), config__parse]
    return {each.__name__: each for each in here if callable(each) and _is_tilt(each)}


def _is_tilt(found: Any) -> bool:
    return (
        getattr(found, "__module__", "") == __name__ and not found.__name__.startswith("_") and found is not functions
    )
