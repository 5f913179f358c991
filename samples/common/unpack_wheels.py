# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Unpack wheels into a folder of modules; runs while an image is built, without pip or network.

    python3 unpack_wheels.py /wheels /srv/lib

The wheels' hashes were checked against the lock file when they were downloaded.
"""

from __future__ import annotations

import shutil
import sys
import zipfile
from pathlib import Path

# What only people who develop the package need: sources of compiled modules, stubs, tests.
_USELESS_SUFFIXES = {".c", ".h", ".pxd", ".pyi", ".pyx"}
_USELESS_FOLDERS = {"tests", "_testbase"}


def main(wheels: Path, target: Path) -> None:
    names = sorted(wheels.glob("*.whl"))
    if not names:
        sys.exit(f"unpack_wheels: no wheels in {wheels}; download the lock file's into it")
    for name in names:
        with zipfile.ZipFile(name) as wheel:
            if any(".data/" in entry for entry in wheel.namelist()):
                sys.exit(f"unpack_wheels: {name.name} has files for other places than modules")
            wheel.extractall(target)


def prune(target: Path) -> None:
    """Remove what is not needed at run time."""
    for path in list(target.rglob("*")):
        if path.is_dir() and path.name in _USELESS_FOLDERS:
            shutil.rmtree(path)
        elif path.is_file() and path.suffix in _USELESS_SUFFIXES:
            path.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
    if sys.argv[3:] == ["--prune"]:
        prune(Path(sys.argv[2]))
