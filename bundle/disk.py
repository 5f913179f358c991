# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Looks for free room before something is begun, on each disk that it is needed on."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bundle.errors import BundleError


@dataclass(frozen=True)
class Need:
    """`size` bytes below a folder, which may not be there yet; `setting` says where it lies."""

    folder: Path
    size: int
    setting: str


def require_free(needs: Iterable[Need], purpose: str) -> None:
    """An error that names every disk with less free room than is needed on it in all."""
    disks: dict[int, list[Need]] = {}
    for need in needs:
        disks.setdefault(_existing(need.folder).stat().st_dev, []).append(need)
    short: list[str] = []
    settings: list[str] = []
    for on_disk in disks.values():
        needed = sum(need.size for need in on_disk)
        free = shutil.disk_usage(_existing(on_disk[0].folder)).free
        if free < needed:
            settings += [need.setting for need in on_disk]
            folders = ", ".join(f"{need.folder} ({need.size / 1e9:.1f} GB)" for need in on_disk)
            short.append(
                f"{folders}: {free / 1e9:.1f} GB free, expected {needed / 1e9:.1f} GB to "
                f"{purpose}: {(needed - free) / 1e9:.1f} GB are lacking"
            )
    if short:
        raise BundleError(
            "\n".join(short)
            + f"; make room, or take a folder on another disk by {', '.join(settings)}"
        )


def held(folder: Path) -> int:
    """Bytes that a folder has on its disk already; none if it isn't there."""
    if not folder.exists():
        return 0
    command = ["du", "--summarize", "--block-size=1", str(folder)]
    # Its code tells of files that went meanwhile; what is left was counted.
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return int(told.split()[0]) if told else 0


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next(path for path in (folder, *folder.parents) if path.exists())
