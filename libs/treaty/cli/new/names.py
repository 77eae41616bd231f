"""The names of a new context, and the checks of them."""

import builtins
import importlib.util
import keyword
import re
import sys
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass

from treaty.cli.project import Project

LONGEST = 24
"""The length limit of a name. With it, ruff can keep every line of Python short enough."""
_WORD = re.compile(r"[a-z][a-z0-9]*(_[a-z][a-z0-9]*)*")
_KIND = re.compile(r"([A-Z][a-z]+)+")


class BadName(Exception):
    """A name cannot be used; the message gives the reason."""


@dataclass(frozen=True, slots=True)
class Names:
    """A context, such as media.library, and its first aggregate, such as Book."""

    domain: str
    context: str
    aggregate: str

    @property
    def full(self) -> str:
        return f"{self.domain}.{self.context}"

    @property
    def thing(self) -> str:
        """The name of the aggregate as a variable: loan_card for LoanCard."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", self.aggregate).lower()

    @property
    def words(self) -> Mapping[str, str]:
        """The replacement for each <word> of a template."""
        thing, things = self.thing, _plural(self.thing)
        article = "an" if thing[0] in "aeiou" else "a"
        return {
            "domain": self.domain,
            "context": self.context,
            "Context": _camel(self.context),
            "thing": thing,
            "things": things,
            "thing-name": thing.replace("_", "-"),
            "Thing": self.aggregate,
            "Things": _camel(things),
            "THING": thing.upper(),
            "THINGS": things.upper(),
            "words": thing.replace("_", " "),
            "plural words": things.replace("_", " "),
            "a thing": f"{article} {thing}".replace("_", " "),
            "A thing": f"{article} {thing}".replace("_", " ").capitalize(),
            "a_thing": f"{article}_{thing}",
        }


def parse(context: str, aggregate: str, taken: Container[str] = ()) -> Names:
    """Returns the given names. `taken` has the words that the modules use for something else.

    Raises:
        BadName: for the first name that cannot be used.
    """
    domain, dot, own = context.partition(".")
    if not dot or "." in own:
        raise BadName(f"{context!r} is not the name of a context: use <domain>.<context>, such as media.library")
    names = Names(domain, own, aggregate)
    for problem in (*_problems(names), *_hiding(names, taken)):
        raise BadName(problem)
    return names


def _problems(names: Names) -> Iterator[str]:
    for word in (names.domain, names.context):
        if not _WORD.fullmatch(word):
            yield f"{word!r} must be lower-case words with underscores between them, such as photo_library"
    if not _KIND.fullmatch(names.aggregate):
        yield f"the aggregate {names.aggregate!r} must be words with capitals, such as Book or LoanCard"
    for word in (names.domain, names.context, names.thing):
        yield from _unfit(word)
    if names.aggregate == _camel(names.context):
        yield f"{names.full} and its aggregate are both called {names.aggregate}: give --aggregate another name"


def _unfit(word: str) -> Iterator[str]:
    if len(word) > LONGEST:
        yield f"{word!r} is longer than {LONGEST} characters"
    if keyword.iskeyword(word) or keyword.issoftkeyword(word):
        yield f"{word!r} is a keyword of Python"


def _hiding(names: Names, taken: Container[str]) -> Iterator[str]:
    """Yields a message for each name that would hide a name of every context, or of Python."""
    for word in (names.context, *(names.words[form] for form in ("Context", "Thing", "Things", "thing", "things"))):
        if word in taken or hasattr(builtins, word):
            yield f"{word!r} has another meaning in Python or in every context: choose another word"
    if names.aggregate.startswith("Test"):
        yield f"pytest would treat {names.aggregate} as a class of tests: choose another word"


def conflicts(names: Names, project: Project) -> Iterator[str]:
    """Yields a message for each existing file or package that prevents the new context."""
    services, root = project.root / project.home / names.domain, project.root
    if (services / names.context / "service.py").exists():
        yield f"the context {names.full} exists already: choose another name"
    for path in (services / f"{names.context}.py", root / project.protos / names.domain / names.context):
        if path.exists():
            yield f"{path.relative_to(root)} is in the way of a context {names.full}: choose another name"
    if not services.exists() and _importable(names.domain):
        yield f"{names.domain!r} is the name of a Python package or of a folder here: choose another domain"


def _importable(name: str) -> bool:
    return name in sys.stdlib_module_names or importlib.util.find_spec(name) is not None


def _camel(word: str) -> str:
    return "".join(part.capitalize() for part in word.split("_"))


def _plural(word: str) -> str:
    if re.search(r"(s|x|z|ch|sh)$", word):
        return f"{word}es"
    return f"{word[:-1]}ies" if re.search(r"[^aeiou]y$", word) else f"{word}s"
