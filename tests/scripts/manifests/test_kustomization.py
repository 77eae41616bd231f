"""What kustomize must list is written from the folders of services, and is stale when it differs."""

from pathlib import Path

from scripts.lib.manifests import cluster, deployment, kustomization

LISTING = "k8s/contexts/kustomization.yaml"
ORDERING = "k8s/contexts/commerce-ordering/kustomization.yaml"


def test_a_context_is_a_folder_with_a_service(root: Path) -> None:
    (root / "services/commerce/notes").mkdir()
    (root / "services/commerce/notes/domain.py").touch()
    names = [context.name for context in kustomization.contexts(root)]
    assert names == ["commerce.inventory", "commerce.ordering", "commerce.payments", "commerce.shipping"]


def test_a_workload_has_no_underscore() -> None:
    assert kustomization.Context("media/photo_library").workload == "media-photo-library"


def test_what_was_just_written_is_not_stale(root: Path) -> None:
    assert list(kustomization.stale(root)) == []


def test_a_new_service_makes_the_listing_stale(root: Path) -> None:
    (root / "services/media").mkdir()
    (root / "services/media/library").mkdir()
    (root / "services/media/library/service.py").touch()
    assert deployment.faults(root) == [
        "k8s/contexts/media-library/kustomization.yaml is missing: run scripts/manifests",
        f"{LISTING} is stale: run scripts/manifests",
    ]


def test_a_removed_service_leaves_a_file_that_is_found(root: Path) -> None:
    (root / "services/commerce/ordering/service.py").unlink()
    assert f"{ORDERING} belongs to no context: run scripts/manifests" in kustomization.stale(root)


def test_a_file_edited_by_hand_is_found(root: Path) -> None:
    (root / ORDERING).write_text((root / ORDERING).read_text() + "namespace: elsewhere\n")
    assert list(kustomization.stale(root)) == [f"{ORDERING} is stale: run scripts/manifests"]


def test_writing_again_removes_what_is_left_over(root: Path) -> None:
    (root / "services/commerce/ordering/service.py").unlink()
    kustomization.write(root)
    assert not (root / ORDERING).exists()
    assert list(kustomization.stale(root)) == []


def test_the_needs_of_a_context_are_a_patch_of_its_deployment(root: Path) -> None:
    needs = root / "k8s/needs/commerce-ordering.yaml"
    needs.parent.mkdir(exist_ok=True)
    needs.write_text("- op: replace\n  path: /spec/replicas\n  value: 5\n")
    assert list(kustomization.stale(root)) == [f"{ORDERING} is stale: run scripts/manifests"]
    kustomization.write(root)
    [deployment_] = [one for one in cluster.render(root, str(Path(ORDERING).parent)) if one["kind"] == "Deployment"]
    assert (deployment_["metadata"]["name"], deployment_["spec"]["replicas"]) == ("commerce-ordering", 5)


def test_needs_of_no_context_are_found(root: Path) -> None:
    (root / "k8s/needs").mkdir(exist_ok=True)
    (root / "k8s/needs/commerce-nothing.yaml").write_text("[]\n")
    assert "k8s/needs/commerce-nothing.yaml belongs to no context" in kustomization.stale(root)
