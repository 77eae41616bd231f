"""Pictures that are made on the spot, and their inspection in this process."""

from pathlib import Path

import pytest

from scripts.lib.pictures import jpeg, picture
from services.media.assets.external.pictures.messages import Inspected, Reason, Unreadable
from services.media.assets.external.pictures.worker.inspection import inspect

__all__ = ["PIXELS", "inspected", "jpeg", "picture", "refusal"]

PIXELS = 200_000_000


def inspected(folder: Path, data: bytes, *, pixels: int = PIXELS) -> Inspected:
    path = folder / "picture.jpg"
    path.write_bytes(data)
    return inspect(path, pixels)


def refusal(folder: Path, data: bytes, *, pixels: int = PIXELS) -> Reason:
    """Returns the reason for which a file is refused."""
    with pytest.raises(Unreadable) as refused:
        inspected(folder, data, pixels=pixels)
    assert refused.value.sentence.endswith(".")
    return refused.value.reason
