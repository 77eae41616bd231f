"""The client of the workers imports nothing that decodes pictures, and the workers only what they need."""

import re
import subprocess
import sys

import pytest

from scripts.lib.paths import ROOT
from services.media.assets.external.pictures.client import WORKER, PictureWorkers


def test_the_service_does_not_import_pillow() -> None:
    text = "import services.media.assets.external.pictures.client, sys; print('PIL' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", text], cwd=ROOT) == b"False\n"


def test_a_worker_imports_no_plugin_but_those_of_its_formats() -> None:
    text = f"import {WORKER[-1]}.inspection, sys; print(sorted(name for name in sys.modules if 'Plugin' in name))"
    plugins = subprocess.check_output([sys.executable, "-c", text], cwd=ROOT, text=True)
    allowed = {"Gif", "Iptc", "Jpeg", "Mpo", "Png", "Tiff", "WebP"}
    assert set(re.findall(r"PIL\.(\w+)ImagePlugin", plugins)) == allowed


@pytest.mark.parametrize("given", [{"workers": 0}, {"tries": 0}])
def test_there_is_a_worker_and_a_try(given: dict[str, int]) -> None:
    with pytest.raises(ValueError):
        PictureWorkers(**given)  # type: ignore[arg-type]
