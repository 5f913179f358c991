# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Wheels become a folder of modules without pip."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from samples.common import unpack_wheels


def make_wheel(folder: Path, name: str, *members: str) -> None:
    with zipfile.ZipFile(folder / f"{name}-1-py3-none-any.whl", "w") as wheel:
        for member in members:
            wheel.writestr(member, "")


def test_every_wheel_is_unpacked_and_only_the_run_time_is_kept(tmp_path: Path) -> None:
    make_wheel(tmp_path, "a", "a/__init__.py", "a/fast.so", "a/fast.pyx", "a/tests/test_a.py")
    make_wheel(tmp_path, "b", "b/__init__.py", "b/__init__.pyi")
    target = tmp_path / "lib"
    unpack_wheels.main(tmp_path, target)
    unpack_wheels.prune(target)
    files = {str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()}
    assert files == {"a/__init__.py", "a/fast.so", "b/__init__.py"}


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no wheels"):
        unpack_wheels.main(tmp_path, tmp_path / "lib")


def test_a_wheel_with_files_for_other_places_is_refused(tmp_path: Path) -> None:
    make_wheel(tmp_path, "a", "a/__init__.py", "a-1.data/scripts/a")
    with pytest.raises(SystemExit, match="other places than modules"):
        unpack_wheels.main(tmp_path, tmp_path / "lib")
