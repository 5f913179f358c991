# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

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
from ansible_collections.roost.cluster.plugins.module_utils.node.writes import (
    temporary,
)


def plan_link(path: str, seen: PathLook, target: str) -> list[str]:
    """The reasons to make a link, none if it is as wanted."""
    if seen.kind == "missing":
        return ["missing"]
    if seen.kind in ("directory", "other"):
        raise StateError(f"{path}: expected a link, found a {seen.kind}: move it away")
    if seen.kind == "file":
        return [f"a file, expected a link to {target}"]
    return [] if seen.target == target else [f"leads to {seen.target}, expected {target}"]


def link_steps(wanted: Wanted, node: Node, planned: list[Step]) -> list[Step]:
    steps = []
    for item in wanted["links"]:
        path, target = node.at(item["path"]), item["target"]
        seen = look(path)
        reasons = plan_link(item["path"], seen, target)
        if reasons:
            steps.append(
                Step(
                    item["path"],
                    "; ".join(reasons),
                    partial(make_link, path, target),
                    before=f"→ {seen.target}\n" if seen.target else "",
                    after=f"→ {target}\n",
                    changes=(item["path"],),
                )
            )
    return steps


def make_link(path: Path, target: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = temporary(path)
    if new.is_symlink() or new.exists():
        new.unlink()
    new.symlink_to(target)
    new.replace(path)
