"""Makes files from templates: every <word> of a template is replaced, and ruff formats the Python files."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from treaty.cli.new.names import Names
from treaty.cli.project import Project

TEMPLATES = Path(__file__).parent / "templates"
_MODULES = ("domain", "application", "publishing", "projections", "storage", "api", "service")


class NoFormatter(Exception):
    """ruff, which formats the files, is not installed."""


def planned(names: Names, project: Project) -> Mapping[str, str]:
    """Returns the template of each file to write, by its path. The files that contexts share are written once."""
    services = f"{project.home}/{names.domain}"
    protos = f"{project.protos}/{names.domain}/{names.context}/v1/{names.context}"
    files = {f"{protos}_{kind}.proto": f"{kind}.proto" for kind in ("events", "service")}
    shared = {
        ".gitignore": "gitignore",
        "pyproject.toml": "pyproject.toml",
        f"{project.home}/__init__.py": "services_package.py",
        f"{services}/__init__.py": "domain_package.py",
        f"{services}/wire.py": "wire.py",
    }
    files |= {path: template for path, template in shared.items() if not (project.root / path).exists()}
    files[f"{services}/{names.context}/__init__.py"] = "package.py"
    files |= {f"{services}/{names.context}/{module}.py": f"{module}.py" for module in _MODULES}
    return {**files, test_of(names): "test.py"}


def test_of(names: Names) -> str:
    """Returns the path of the tests."""
    return f"tests/services/{names.domain}/{names.context}/test_{names.context}.py"


def occupied(names: Names, project: Project) -> Iterator[str]:
    """Yields a message for each file that exists already. No existing file is overwritten."""
    there = (path for path in planned(names, project) if (project.root / path).exists())
    yield from (f"{path} exists already: move it away" for path in there)


def rendered(names: Names, project: Project) -> Mapping[str, str]:
    """Returns the text of each file, by its path. Writes nothing.

    Raises:
        NoFormatter
    """
    return {path: _text(path, template, names, project) for path, template in planned(names, project).items()}


def vocabulary() -> frozenset[str]:
    """Returns the names that the modules use in every context. No context and no aggregate may have one of them."""
    neutral = Names("zzz", "zzz", "Zzz")
    texts = (_filled(path.stem, neutral, "services") for path in TEMPLATES.glob("*.py.txt"))
    return frozenset(word for text in texts for word in _words(ast.parse(text)) if "zzz" not in word.lower())


def _words(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        match node:
            case ast.Name(id=word) | ast.arg(arg=word) | ast.ClassDef(name=word) | ast.FunctionDef(name=word):
                yield word
            case ast.alias():
                yield node.asname or node.name


def write(files: Mapping[str, str], root: Path) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def _text(path: str, template: str, names: Names, project: Project) -> str:
    text = _filled(template, names, project.services)
    if not path.endswith(".py"):
        return text
    ours = f'lint.isort.known-first-party = ["{project.services.partition(".")[0]}", "tests"]'
    ordered = _ruff(["check", "--select", "I", "--fix-only", "--quiet", "--config", ours], path, text, project.root)
    return _ruff(["format", "--quiet", "--config", "line-length = 120"], path, ordered, project.root)


def _filled(template: str, names: Names, services: str) -> str:
    raw = (TEMPLATES / f"{template}.txt").read_text()
    words = {**names.words, "services": services}
    return re.sub(r"<([A-Za-z][\w -]*)>", lambda found: words[found[1]], raw)


def _ruff(command: list[str], path: str, text: str, root: Path) -> str:
    """Runs ruff on a text. The order of imports and the line breaks depend on the names."""
    tool = Path(sys.executable).with_name("ruff")
    if not tool.exists():
        raise NoFormatter("ruff, which formats the new files, is missing: pip install 'treaty[dev]'")
    arguments = [str(tool), *command, "--no-cache", "--stdin-filename", path, "-"]
    return subprocess.run(arguments, input=text, cwd=root, capture_output=True, text=True, check=True).stdout
