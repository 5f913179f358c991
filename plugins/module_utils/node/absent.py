# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import os
import shutil
from functools import partial
from pathlib import Path

from ansible_collections.roost.cluster.plugins.module_utils.node.core import (
    Node,
    StateError,
    Step,
    Wanted,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.paths import (
    PathLook,
    look,
)


def plan_absent(path: str, seen: PathLook, mount: bool) -> list[str]:
    """The reason to remove a path, none if it is not there."""
    if len([part for part in path.split("/") if part]) < 2 or "/../" in f"{path}/":
        raise StateError(f"absent: {path!r} is too near to the root to be removed")
    if seen.kind == "missing":
        return []
    if mount:
        raise StateError(f"{path}: is a mount point: unmount it before it is removed")
    return [f"a {seen.kind} that shall not be there"]


def absent_steps(wanted: Wanted, node: Node, planned: list[Step]) -> list[Step]:
    made = {
        item["path"]
        for kind in ("directories", "files", "links", "binaries")
        for item in wanted.get(kind) or []
    }
    steps = []
    for path in wanted["absent"]:
        if path in made:
            raise StateError(f"{path}: is asked to be there and to be absent: decide for one")
        place = node.at(path)
        seen = look(place)
        reasons = plan_absent(path, seen, os.path.ismount(place))
        if reasons:
            steps.append(
                Step(
                    path,
                    reasons[0],
                    partial(remove, place),
                    before=f"a {seen.kind}\n",
                    changes=(path,),
                )
            )
    return steps


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
