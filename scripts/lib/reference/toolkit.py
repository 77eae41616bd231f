"""The page of the toolkit's public names: every name that the author of a context may import."""

import importlib
import inspect
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

PUBLIC: Sequence[str] = (
    "treaty.domain",
    "treaty.commits",
    "treaty.projections",
    "treaty.sagas",
    "treaty.messaging",
    "treaty.service",
    "treaty.rpc",
    "treaty.web",
    "treaty.causes",
    "treaty.clock",
    "treaty.dependencies",
    "treaty.contents",
    "treaty.personal_data",
    "treaty.settings",
    "treaty.testing",
    "treaty.testing.scenarios",
    "treaty.testing.world",
)
"""The modules that a context and its tests import from; import-linter holds contexts to them."""

BAR = "\\|"
"""A bar inside a cell of a table."""

HEAD = """\
# The toolkit's public names

Written by `scripts/reference` from the code. A context imports from these modules only; `scripts/check` finds any other
import. The modules inside the packages may change at any time.
"""


def page() -> str:
    return "\n".join([HEAD, *(line for name in PUBLIC for line in _section(importlib.import_module(name)))])


def _section(module: ModuleType) -> Iterator[str]:
    yield f"## {module.__name__}\n"
    yield f"{_sentence(module)}\n"
    yield "| name | in one sentence |\n|---|---|"
    for name in names_of(module):
        yield from _rows(name, getattr(module, name), module)
    yield ""


def names_of(module: ModuleType) -> Sequence[str]:
    """Returns the public names of a module: its `__all__`, or the classes, functions and aliases that it defines."""
    listed: Sequence[str] | None = getattr(module, "__all__", None)
    if listed is not None:
        return listed
    defined = re.findall(
        r"^(?:class |def |async def )?([A-Za-z]\w*)\b(?=\(|:| = |\[)", inspect.getsource(module), re.MULTILINE
    )
    return [name for name in dict.fromkeys(defined) if _is_public(name, module)]


def _is_public(name: str, module: ModuleType) -> bool:
    value = getattr(module, name, None)
    if value is None or name in ("logger",) or len(name) == 1:
        return False
    return getattr(value, "__module__", module.__name__) in (module.__name__, "typing", "types", "collections.abc")


def _rows(name: str, value: Any, module: ModuleType) -> Iterator[str]:
    value = inspect.unwrap(value)
    if not inspect.isclass(value) and not inspect.isfunction(value):
        yield _row(name, _first(_alias_doc(name, module)))
        return
    yield _row(f"{name}{_signature(value)}", _sentence(value))
    if inspect.isclass(value):
        for method, function in vars(value).items():
            if inspect.isfunction(function) and not method.startswith("_") and function.__doc__:
                yield _row(f"{name}.{method}{_signature(function)}", _sentence(function))


def _row(code: str, sentence: str) -> str:
    cells = (f"`{code}`", sentence)
    return f"| {' | '.join(cell.replace('|', BAR) for cell in cells)} |"


def _signature(value: Any) -> str:
    """Returns the parameters, without the modules of their types."""
    if inspect.isclass(value) and (getattr(value, "_is_protocol", False) or not _own_init(value)):
        return ""
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return ""
    kept = [parameter for name, parameter in signature.parameters.items() if name != "self"]
    text = str(signature.replace(parameters=kept, return_annotation=inspect.Signature.empty))
    text = re.sub(r"<factory>|<function .*?>(?: at 0x\w+>)?|<[\w.]+ object at 0x\w+>", "…", text)
    return re.sub(r"\b(?:[A-Za-z_]\w*\.)+(?=[A-Za-z_~])", "", text).replace("~", "")


def _own_init(kind: type) -> bool:
    return "__init__" in vars(kind)


def _sentence(value: Any) -> str:
    own = value.__doc__ if not inspect.isclass(value) or "__doc__" in vars(value) else ""
    return _first(inspect.cleandoc(own or ""))


def _alias_doc(name: str, module: ModuleType) -> str:
    """Returns the docstring below the definition of an alias or a constant, in its module or package."""
    file = Path(module.__file__ or "")
    for path in sorted(file.parent.glob("*.py")) if file.name == "__init__.py" else [file]:
        found = re.search(rf'^{name}\b[^\n]* = [^\n]*\n"""(.*?)"""', path.read_text(), re.MULTILINE | re.DOTALL)
        if found:
            return found[1]
    return ""


def _first(doc: str) -> str:
    """Returns the first sentence of a docstring, on one line."""
    text = " ".join(doc.partition("\n\n")[0].split())
    return re.split(r"(?<=[.:])\s(?=[A-Z`])", text, maxsplit=1)[0]
