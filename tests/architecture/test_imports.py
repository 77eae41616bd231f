"""The dependency rule, and that each part of it notices a violation."""

import re

import pytest

from scripts.lib.reference.toolkit import PUBLIC
from tests.architecture.conftest import Tree

ORDERING = "services/commerce/ordering"

PLANTED = [
    ("layers", f"{ORDERING}/domain.py", "import services.commerce.ordering.application"),
    ("layers", f"{ORDERING}/domain.py", "import services.commerce.ordering.sagas"),
    ("layers", f"{ORDERING}/application.py", "import services.commerce.ordering.storage"),
    ("layers", f"{ORDERING}/sagas.py", "import services.commerce.ordering.application"),
    ("layers", f"{ORDERING}/api.py", "import services.commerce.ordering.service"),
    ("layers", "services/media/titles/domain.py", "import services.media.titles.application"),
    ("contexts", f"{ORDERING}/acl.py", "import services.commerce.inventory.domain"),
    ("contexts", f"{ORDERING}/service.py", "import services.commerce.payments.application"),
    ("contexts", "services/media/titles/service.py", "import services.commerce.ordering.domain"),
    ("contexts", "services/commerce/money.py", "import services.commerce.ordering.domain"),
    ("pure", f"{ORDERING}/domain.py", "import google.protobuf.message"),
    ("pure", f"{ORDERING}/domain.py", "import services.commerce.wire"),
    ("pure", f"{ORDERING}/application.py", "import grpc"),
    ("pure", f"{ORDERING}/application.py", "import treaty.rpc.errors"),
    ("pure", f"{ORDERING}/application.py", "import treaty.process.host"),
    ("pure", f"{ORDERING}/sagas.py", "from commerce.ordering.v1 import ordering_events_pb2"),
    ("pure", f"{ORDERING}/projections.py", "import pymongo"),
    ("pure", "services/commerce/inventory/application.py", "import motor.motor_asyncio"),
    ("pure", "services/commerce/payments/application.py", "import aio_pika"),
    ("pure", "libs/treaty/commits/repository.py", "import opentelemetry.trace"),
    ("pure", "libs/treaty/domain.py", "import opentelemetry.trace"),
    ("domain", f"{ORDERING}/domain.py", "import treaty.commits.repository"),
    ("domain", "services/commerce/money.py", "import pydantic"),
    ("domain", "libs/treaty/domain.py", "import structlog"),
    ("toolkit", "libs/treaty/process/host.py", "import services.commerce.ordering.service"),
    ("toolkit", "libs/treaty/testing/world.py", "from commerce.ordering.v1 import ordering_service_pb2"),
    ("mongodb", "libs/treaty/commits/repository.py", "import pymongo"),
    ("mongodb", "libs/treaty/process/host.py", "import bson"),
    ("mongodb", f"{ORDERING}/service.py", "import motor"),
    ("rabbitmq", "libs/treaty/followers/relay.py", "import aio_pika"),
    ("rabbitmq", f"{ORDERING}/service.py", "import aiormq"),
    ("wire", f"{ORDERING}/storage.py", "import services.commerce.wire"),
    ("wire", f"{ORDERING}/service.py", "import services.commerce.wire"),
    ("testing", "libs/treaty/process/host.py", "import treaty.testing.world"),
    ("testing", f"{ORDERING}/service.py", "import treaty.testing"),
    ("floors", "libs/treaty/commits/log.py", "import treaty.process.host"),
    ("floors", "libs/treaty/mongo/rows.py", "import treaty.telemetry.probe"),
    ("floors", "libs/treaty/cellar.py", ""),
    ("faces", f"{ORDERING}/application.py", "import treaty.commits.repository"),
    ("faces", f"{ORDERING}/service.py", "import treaty.mongo"),
    ("faces", f"{ORDERING}/clients.py", "import treaty.chance"),
    ("circles", "libs/treaty/commits/codec.py", "import treaty.commits.repository"),
    ("circles", "libs/treaty/messaging/broker.py", "import treaty.messaging.consumer"),
]


def _broken(tree: Tree, *, contract: str = "") -> tuple[int, str]:
    only = ["--contract", contract] if contract else []
    result = tree.run(["lint-imports", "--no-cache", *only])
    return result.returncode, re.sub(r"\s+", " ", result.stdout + result.stderr)


@pytest.mark.slow
def test_the_dependency_rule_holds(here: Tree) -> None:
    code, said = _broken(here)
    assert code == 0, said
    assert "0 broken" in said


@pytest.mark.slow
def test_the_copy_that_violations_are_planted_in_is_clean(tree: Tree) -> None:
    code, said = _broken(tree)
    assert code == 0, said


@pytest.mark.slow
@pytest.mark.parametrize(("contract", "path", "line"), PLANTED)
def test_a_planted_violation_is_found(tree: Tree, contract: str, path: str, line: str) -> None:
    tree.plant(path, line)
    for folder in (tree.root / path).parents:
        if folder.parent == tree.root:
            break
        (folder / "__init__.py").touch()
    target = line.partition(" ")[2]
    if target.startswith("services.media"):
        tree.plant(target.replace(".", "/") + ".py", "")
    code, said = _broken(tree, contract=contract)
    assert code == 1, said
    assert "1 broken" in said
    module = path.removeprefix("libs/").removesuffix(".py").replace("/", ".")
    assert module in said or f" .{module.rpartition('.')[2]} " in said


def test_every_contract_has_a_planted_violation(here: Tree) -> None:
    ids = re.findall(r'^id = "(\w+)"', (here.root / "pyproject.toml").read_text(), re.MULTILINE)
    assert sorted(ids) == sorted({contract for contract, _, _ in PLANTED})


def test_every_module_of_the_toolkit_is_public_or_closed_to_contexts(here: Tree) -> None:
    contract = re.search(
        r'id = "faces".*?protected_modules = \[(.*?)\]', (here.root / "pyproject.toml").read_text(), re.DOTALL
    )
    assert contract is not None
    closed = set(re.findall(r'"(treaty\.\w+)"', contract[1]))
    there = {
        f"treaty.{path.stem}"
        for path in (here.root / "libs/treaty").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    public = {name for name in PUBLIC if name.count(".") == 1}
    assert closed.isdisjoint(public)
    assert closed | public == there - {"treaty.__init__"}
    assert len(there) <= 32
