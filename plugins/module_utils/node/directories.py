# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.node.absent import remove
from ansible_collections.roost.cluster.plugins.module_utils.node.core import (
    Node,
    StateError,
    Step,
    Wanted,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.paths import (
    PathLook,
    listing,
    look,
    promised,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.writes import (
    Rights,
    rights,
)


def plan_directory(path: str, seen: PathLook, wanted: Rights) -> list[str]:
    """The reasons to change a directory, none if it is as wanted."""
    if seen.kind == "missing":
        return ["missing"]
    if seen.kind != "directory" or seen.found is None:
        raise StateError(f"{path}: expected a directory, found a {seen.kind}: move it away")
    return wanted.differences(seen.found)


def directory_steps(wanted: Wanted, node: Node, planned: list[Step]) -> list[Step]:
    steps = []
    for item in wanted["directories"]:
        path = node.at(item["path"])
        to_have, seen = rights(item, 0o755), look(path)
        reasons = plan_directory(item["path"], seen, to_have)
        if reasons:
            steps.append(
                Step(
                    item["path"],
                    "; ".join(reasons),
                    partial(make_directory, path, to_have),
                    before=listing(seen),
                    after=promised(to_have),
                )
            )
        steps += _strangers(item, path, seen)
    return steps


def _strangers(item: dict[str, Any], path: Path, seen: PathLook) -> list[Step]:
    """What is removed because it isn't among the names that may be in the directory."""
    allowed = item.get("only")
    if allowed is None or seen.kind != "directory":
        return []
    return [
        Step(
            f"{item['path']}/{entry.name}",
            f"not among {', '.join(sorted(allowed)) or 'what may be there, which is nothing'}",
            partial(remove, entry),
            before=f"a {look(entry).kind}\n",
            changes=(f"{item['path']}/{entry.name}",),
        )
        for entry in sorted(path.iterdir())
        if entry.name not in allowed
    ]


def make_directory(path: Path, wanted: Rights) -> None:
    path.mkdir(parents=True, exist_ok=True)
    wanted.give(path)
