"""The files of pictures go with their process, also if it was killed."""

import os
import subprocess
import sys
from pathlib import Path

from services.media.assets.external.pictures.folder import Folder


def test_a_file_is_there_for_the_block_and_the_folder_for_the_process(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.open()
    with folder.file() as one, folder.file() as other:
        one.write_bytes(b"a")
        assert one != other
    assert not one.exists()
    folder.close()
    assert list(tmp_path.iterdir()) == []


def test_folders_of_processes_that_are_gone_are_removed_and_those_of_others_stay(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    names = {
        "gone": f"treaty-pictures-{ended.pid}-ab",
        "before": f"treaty-pictures-{os.getpid()}-cd",
        "parent": f"treaty-pictures-{os.getppid()}-ef",
        "strange": "treaty-pictures-x",
    }
    for name in names.values():
        (tmp_path / name).mkdir()
        (tmp_path / name / "1").write_bytes(b"a picture")
    other = Folder(tmp_path)
    other.open()
    with other.file() as file:
        file.write_bytes(b"it is being inspected")
        Folder(tmp_path).open()
        assert file.exists()
    left = {path.name for path in tmp_path.iterdir()}
    assert {names["parent"], names["strange"]} <= left
    assert not {names["gone"], names["before"]} & left


def test_a_folder_that_was_never_opened_removes_nothing(tmp_path: Path) -> None:
    Folder(tmp_path).close()
    assert tmp_path.exists()
