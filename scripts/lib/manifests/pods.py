"""Finds pods outside the restricted Pod Security profile, and contexts without the settings for production."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from scripts.lib.manifests.cluster import Object, title, walk

SAFE_VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition for the value at a path, such as securityContext.runAsNonRoot, in a pod or a container."""

    path: str
    demand: str
    holds: Callable[[Any], bool]


def one_of(path: str, *allowed: object) -> Rule:
    return Rule(
        path, " or ".join(map(str, allowed)), lambda value: any(value is one or value == one for one in allowed)
    )


def given(path: str) -> Rule:
    return Rule(path, "given", lambda value: value is not None)


# https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
RESTRICTED_POD = [
    one_of("securityContext.runAsNonRoot", True),
    one_of("securityContext.seccompProfile.type", "RuntimeDefault", "Localhost"),
    Rule("securityContext.runAsUser", "not root", lambda value: value != 0),
    *(one_of(path, None, False) for path in ("hostNetwork", "hostPID", "hostIPC")),
    Rule(
        "volumes",
        "of safe kinds",
        lambda value: all(volume.keys() <= {"name", *SAFE_VOLUMES} for volume in value or ()),
    ),
]
RESTRICTED_CONTAINER = [
    one_of("securityContext.allowPrivilegeEscalation", False),
    one_of("securityContext.capabilities.drop", ["ALL"]),
    one_of("securityContext.capabilities.add", None, ["NET_BIND_SERVICE"]),
    one_of("securityContext.privileged", None, False),
    one_of("securityContext.runAsNonRoot", None, True),
    one_of("securityContext.seccompProfile", None),
    Rule("securityContext.runAsUser", "not root", lambda value: value != 0),
    Rule("ports", "without hostPort", lambda value: not any("hostPort" in port for port in value or ())),
]
# Rules beyond the profile, for every pod: it has no token of the cluster, and it declares its share of the node.
HOUSE_POD = [one_of("automountServiceAccountToken", False), one_of("enableServiceLinks", False)]
HOUSE_CONTAINER = [
    given("resources.requests.cpu"),
    given("resources.requests.memory"),
    given("resources.limits.memory"),
    given("readinessProbe"),
    given("livenessProbe"),
]
CONTEXT_CONTAINER = [
    one_of("securityContext.readOnlyRootFilesystem", True),
    one_of("startupProbe.grpc.service", "liveness"),
    one_of("livenessProbe.grpc.service", "liveness"),
    one_of("readinessProbe.grpc.service", "readiness"),
    given("lifecycle.preStop.sleep.seconds"),
]


def unsafe(objects: Iterable[Object]) -> Iterator[str]:
    """Yields the values that the restricted profile forbids, or that break the rules of this project."""
    return _broken(objects, RESTRICTED_POD + HOUSE_POD, RESTRICTED_CONTAINER + HOUSE_CONTAINER)


def careless(objects: list[Object]) -> Iterator[str]:
    """Yields the settings that a context lacks for production."""
    yield from _broken(objects, [], CONTEXT_CONTAINER)
    for owner, pod in _pods(objects):
        for container in pod["containers"]:
            yield from _probed_elsewhere(owner, container)
        if pod.get("terminationGracePeriodSeconds", 30) <= sum(map(_farewell, pod["containers"])):
            yield f"{owner}: terminationGracePeriodSeconds must be longer than preStop and drain together"


def _probed_elsewhere(owner: str, container: Object) -> Iterator[str]:
    """Yields the probes that do not ask at the port that is for them alone."""
    own = _settings(container).get("HEALTH_PORT")
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        if (port := at(container, f"{probe}.grpc.port")) is not None and str(port) != own:
            yield f"{owner}: {probe}.grpc.port must be HEALTH_PORT, {own}, not {port}"


def _settings(container: Object) -> dict[str, str | None]:
    return {each["name"]: each.get("value") for each in container.get("env", ())}


def _farewell(container: Object) -> int:
    """Returns the seconds from the order to end until the last call is answered: preStop, then the drain."""
    sleep = int(at(container, "lifecycle.preStop.sleep.seconds") or 0)
    return sleep + int(_settings(container).get("GRPC_DRAIN_SECONDS") or 0)


def _broken(objects: Iterable[Object], pod_rules: list[Rule], container_rules: list[Rule]) -> Iterator[str]:
    for owner, pod in _pods(objects):
        yield from _against(owner, pod, pod_rules)
        for container in pod.get("initContainers", []) + pod["containers"]:
            yield from _against(f"{owner}, container {container['name']}", container, container_rules)


def _pods(objects: Iterable[Object]) -> Iterator[tuple[str, Object]]:
    """Yields (title of the object, pod spec) for every pod spec, in objects of every kind."""
    for found in objects:
        yield from ((title(found), node) for node in walk(found) if "containers" in node)


def _against(owner: str, node: Object, rules: list[Rule]) -> Iterator[str]:
    for rule in rules:
        value = at(node, rule.path)
        if not rule.holds(value):
            yield f"{owner}: {rule.path} must be {rule.demand}, not {value}"


def at(node: Any, path: str) -> Any:
    """Returns the value at a dotted path, or None."""
    for key in path.split("."):
        node = node.get(key) if isinstance(node, dict) else None
    return node
