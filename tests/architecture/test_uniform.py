"""Who has read one context has read them all: the same folders, the same shape of use cases, events in one place."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.lib.paths import ROOT
from tests.architecture.conftest import Tree

MODULES = {
    *("domain", "sagas", "projections", "application"),
    *("acl", "api", "clients", "external", "publishing", "storage", "service"),
}
OF_A_SYSTEM = {"client", "messages", "simulator", "folder"}
EDGES = ("api", "publishing", "acl", "clients")


def complaints(root: Path) -> list[str]:
    """Returns a sentence for each place in which a context differs from the others."""
    return [text for folder in sorted(_contexts(root)) for text in _of_context(folder, root)]


def _contexts(root: Path) -> set[Path]:
    return {path.parent for path in (root / "services").glob("*/*/service.py")}


def _of_context(folder: Path, root: Path) -> Iterator[str]:
    name = folder.relative_to(root).as_posix()
    for path in sorted(folder.iterdir()):
        if path.stem not in {*MODULES, "__init__", "__pycache__"}:
            yield f"{name}: {path.name} is no module of a context"
    for path in sorted(folder.glob("external/*/*.py")):
        if path.stem not in {*OF_A_SYSTEM, "__init__"}:
            yield f"{name}: {path.relative_to(folder)} is no part of an outside system"
    yield from (f"{name}: {text}" for text in _of_events(folder))
    yield from (f"{name}: {text}" for path in _modules(folder, "application") for text in _of_use_cases(_parsed(path)))
    edges = (path for edge in EDGES for path in _modules(folder, edge))
    yield from (f"{name}: {path.name}: {text}" for path in edges for text in _of_tables(_parsed(path)))


def _modules(folder: Path, name: str) -> list[Path]:
    """Returns the files of a layer, which is a module or a package."""
    return sorted([*folder.glob(f"{name}.py"), *folder.glob(f"{name}/*.py")])


def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _of_events(folder: Path) -> Iterator[str]:
    """The events of a domain that is a package are in its module `events`."""
    for path in folder.glob("domain/*.py"):
        classes = {node.name: node for node in _parsed(path).body if isinstance(node, ast.ClassDef)}
        recorded = {
            name.id
            for node in ast.walk(_parsed(path))
            if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Aggregate"
            for name in ast.walk(node.slice)
            if isinstance(name, ast.Name)
        }
        unions = {
            name.id
            for node in _parsed(path).body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in recorded
            for name in ast.walk(node.value)
            if isinstance(name, ast.Name)
        }
        for event in sorted((recorded | unions) & classes.keys()):
            if path.stem != "events":
                yield f"the event {event} is in domain/{path.name}, not in domain/events.py"


def _of_use_cases(module: ast.Module) -> Iterator[str]:
    """Use cases are the async methods of a dataclass that is built with keywords; each takes one object at most."""
    for node in module.body:
        if not isinstance(node, ast.ClassDef) or not any(
            ast.unparse(one).startswith("dataclass") for one in node.decorator_list
        ):
            continue
        yield from _of_views(node)
        methods = [one for one in node.body if isinstance(one, ast.AsyncFunctionDef) and not one.name.startswith("_")]
        if methods and "kw_only=True" not in ast.unparse(node.decorator_list[0]):
            yield f"{node.name} has use cases, and is built without keywords"
        for method in methods:
            given = [*method.args.args[1:], *method.args.kwonlyargs]
            if len(given) > 1:
                yield f"{node.name}.{method.name} takes {len(given)} arguments instead of one command or query"


def _of_views(use_cases: ast.ClassDef) -> Iterator[str]:
    """A view is called after its rows: `order_rows: View[OrderRow]`."""
    for field in use_cases.body:
        found = re.fullmatch(r"(\w+): View\[(\w+)\]", ast.unparse(field))
        if found:
            words = re.sub(r"(?<!^)(?=[A-Z])", "_", found[2]).lower()
            if found[1] not in (words, f"{words}s"):
                yield f"{use_cases.name}.{found[1]} is a view of {found[2]}: call it {words}s"


def _of_tables(module: ast.Module) -> Iterator[str]:
    """A table between a domain's values and a protobuf enum is an EnumTable, which reads in both directions."""
    for node in module.body:
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        if isinstance(value, ast.Dict) and any(_is_of_an_enum(one) for one in [*value.keys, *value.values] if one):
            yield f"line {node.lineno} is a table of an enum: use treaty.rpc.EnumTable"


def _is_of_an_enum(node: ast.expr) -> bool:
    """Returns whether an expression is a constant of a module of protobuf messages, such as `pb.ORDER_STATUS_DRAFT`."""
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.attr.count("_") > 1


def test_the_contexts_are_uniform() -> None:
    assert complaints(ROOT) == []


PLANTED = [
    ("services/commerce/catalog/helpers.py", "", "helpers.py is no module of a context"),
    ("services/commerce/shipping/external/carrier/retries.py", "", "retries.py is no part of an outside system"),
    (
        "services/commerce/catalog/domain/offers.py",
        "class Made: ...\nclass Offer(Aggregate[Made]): ...",
        "the event Made is in domain/offers.py",
    ),
    (
        "services/commerce/catalog/application.py",
        "@dataclass(frozen=True)\nclass More:\n    async def note(self, command: int) -> None: ...",
        "More has use cases, and is built without keywords",
    ),
    (
        "services/commerce/catalog/application.py",
        "@dataclass(kw_only=True)\nclass More:\n    async def note(self, sku: str, price: int) -> None: ...",
        "More.note takes 2 arguments",
    ),
    (
        "services/commerce/catalog/application.py",
        "@dataclass(kw_only=True)\nclass More:\n    list: View[ProductRow]",
        "More.list is a view of ProductRow: call it product_rows",
    ),
    ("services/commerce/catalog/api.py", "_MORE = {1: pb.REVIEW_STATUS_PENDING}", "use treaty.rpc.EnumTable"),
]


@pytest.mark.parametrize(("path", "text", "found"), PLANTED)
def test_a_planted_difference_is_found(tree: Tree, path: str, text: str, found: str) -> None:
    tree.plant(path, text)
    assert any(found in said for said in complaints(tree.root))
