"""A context that scripts/new-service writes passes everything at once, and a name that would not do writes nothing."""

import importlib.util
import sys
from pathlib import Path

import pytest
from treaty.cli.new.files import rendered, vocabulary
from treaty.cli.new.names import BadName, Names, conflicts, parse
from treaty.cli.project import find_project

from scripts.lib import npm
from scripts.lib.paths import ROOT
from tests.checkouts import Checkout, copy_checkout

needs_npm = pytest.mark.skipif(not npm.available(), reason="Buf comes from npm; scripts/protos --check insists on it")
HERE = find_project(ROOT)
FOLDERS = ("protos/media", "services/media", "libs/contracts/media", "k8s/contexts/media-library")


def new_service(checkout: Checkout, *arguments: str) -> tuple[int, str]:
    run = checkout.run(sys.executable, "-m", "treaty.cli", "new", *arguments)
    return run.returncode, run.stdout + run.stderr


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return copy_checkout(tmp_path)


@needs_npm
@pytest.mark.slow
def test_a_new_context_passes_every_check_and_its_own_tests_as_written(checkout: Checkout) -> None:
    before = checkout.files()
    code, said = new_service(checkout, "media.library", "--aggregate", "Book")
    assert code == 0, said
    assert "scripts/test tests/services/media/library/test_library.py" in said
    after = checkout.files()
    assert _changed(before, after) == set()
    written = ("services/media", "tests/services/media/library/test_library.py")
    checkout.must("ruff", "check", *written)
    checkout.must("ruff", "format", "--check", *written)
    checkout.must("mypy", *written)
    checkout.must("lint-imports", "--no-cache")
    for generator in ("manifests", "reference"):
        checkout.must(sys.executable, "-m", f"scripts.lib.{generator}")
    assert _changed(before, checkout.files()) == {"docs/reference/events.md", "k8s/contexts/kustomization.yaml"}
    for check in ("protos", "manifests", "reference"):
        checkout.must(sys.executable, "-m", f"scripts.lib.{check}", "--check")
    checkout.must(sys.executable, "-m", "treaty.cli", "check")
    tests = ("tests/services/media/library/test_library.py", "tests/services/test_stored_shapes.py")
    assert " failed" not in checkout.must(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)


def _changed(before: dict[str, bytes], after: dict[str, bytes]) -> set[str]:
    """The shared files that differ; new files belong to the new context alone."""
    assert before.keys() <= after.keys()
    for path in after.keys() - before.keys():
        assert "library" in path or path.startswith(FOLDERS), f"{path} is no file of media.library"
    return {path for path in before if before[path] != after[path]}


@pytest.mark.slow
def test_a_name_that_would_not_do_writes_nothing(checkout: Checkout) -> None:
    before = checkout.files()
    assert new_service(checkout, "commerce.ordering") == (
        2,
        "treaty new: the context commerce.ordering exists already: choose another name\n",
    )
    assert new_service(checkout, "media.class")[0] == 2
    assert checkout.files() == before


@pytest.mark.parametrize(
    ("context", "aggregate", "problem"),
    [
        ("media", "Book", "use <domain>.<context>"),
        ("media.library.books", "Book", "use <domain>.<context>"),
        ("Media.library", "Book", "'Media' must be lower-case words"),
        ("media.photo-library", "Book", "must be lower-case words"),
        ("media.2d", "Book", "must be lower-case words"),
        ("media.library_", "Book", "must be lower-case words"),
        ("media.class", "Book", "is a keyword of Python"),
        ("media.library", "Import", "is a keyword of Python"),
        ("media.events", "Book", "choose another word"),
        *(("media.library", word, "choose another word") for word in ("Status", "Iterator", "Past", "List", "Warning")),
        ("media.library", "Testimony", "as a class of tests"),
        ("media.library", "book", "must be words with capitals"),
        ("media.library", "Book2", "must be words with capitals"),
        ("media.library", "Library", "are both called Library"),
        (f"media.{'a' * 25}", "Book", "is longer than 24 characters"),
    ],
)
def test_a_name_that_would_not_do_is_explained(context: str, aggregate: str, problem: str) -> None:
    with pytest.raises(BadName) as refused:
        parse(context, aggregate, vocabulary())
    assert problem in str(refused.value)


@pytest.mark.parametrize(
    ("context", "problem"),
    [
        ("commerce.ordering", "the context commerce.ordering exists already"),
        ("commerce.money", "services/commerce/money.py is in the way of a context commerce.money"),
        ("json.library", "'json' is the name of a Python package"),
        ("tests.library", "'tests' is the name of a Python package or of a folder here"),
    ],
)
def test_what_is_there_already_is_explained(context: str, problem: str) -> None:
    assert problem in next(conflicts(parse(context, "Book"), HERE))


def test_a_free_name_has_no_conflict() -> None:
    assert importlib.util.find_spec("zoology") is None
    assert list(conflicts(parse("zoology.keeping", "Animal"), HERE)) == []
    assert list(conflicts(parse("commerce.gifts", "Voucher"), HERE)) == []


@pytest.mark.parametrize(
    ("aggregate", "singular", "plural", "called"),
    [
        ("Book", "book", "books", "a book"),
        ("LoanCard", "loan_card", "loan_cards", "a loan card"),
        ("Category", "category", "categories", "a category"),
        ("Address", "address", "addresses", "an address"),
        ("Holiday", "holiday", "holidays", "a holiday"),
    ],
)
def test_an_aggregate_is_called_as_english_has_it(aggregate: str, singular: str, plural: str, called: str) -> None:
    words = Names("media", "library", aggregate).words
    assert (words["thing"], words["things"], words["a thing"]) == (singular, plural, called)


@pytest.mark.parametrize("aggregate", ["Book", "UnusuallyLongNameOfAggregates"])
def test_every_word_of_a_template_is_replaced_and_every_module_compiles(aggregate: str) -> None:
    for path, text in rendered(Names("zoology", "keeping", aggregate), HERE).items():
        assert "<" not in text, path
        if path.endswith(".py"):
            compile(text, path, "exec")
