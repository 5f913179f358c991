# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from functools import partial
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.node.core import (
    Node,
    StateError,
    Step,
    Wanted,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.paths import (
    HIDDEN_NEW,
    PathLook,
    listing,
    look,
    promised,
    shown,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.text import (
    explain,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.writes import (
    Rights,
    atomic_write,
    rights,
)


def plan_file(path: str, seen: PathLook, content: bytes, wanted: Rights, secret: bool) -> list[str]:
    """The reasons to write a file, none if it is as wanted."""
    if seen.kind == "missing":
        return ["missing"]
    if seen.kind in ("directory", "other") or seen.found is None:
        raise StateError(f"{path}: expected a file, found a {seen.kind}: move it away")
    if seen.kind == "link":
        return [f"a link to {seen.target}, expected a file"]
    reasons = wanted.differences(seen.found)
    if seen.content != content:
        reasons.insert(0, "content differs" if secret else _why(seen.content or b"", content))
    return reasons


def _why(before: bytes, after: bytes) -> str:
    try:
        return explain(before.decode(), after.decode())
    except UnicodeDecodeError:
        return "content differs"


def file_steps(wanted: Wanted, node: Node, planned: list[Step]) -> list[Step]:
    steps = []
    for item in wanted["files"]:
        step = _file_step(item, node)
        if step:
            steps.append(step)
    return steps


def _file_step(item: dict[str, Any], node: Node) -> Step | None:
    path, content = node.at(item["path"]), item["content"].encode()
    secret = bool(item.get("secret"))
    to_have, seen = rights(item, 0o600 if secret else 0o644), look(path, content=True)
    reasons = plan_file(item["path"], seen, content, to_have, secret)
    if not reasons:
        return None
    if seen.kind == "file" and seen.content == content:
        return Step(
            item["path"],
            "; ".join(reasons),
            partial(to_have.give, path),
            before=listing(seen),
            after=promised(to_have),
        )
    act = partial(atomic_write, node, path, content, to_have, item.get("validate"))
    return Step(
        item["path"],
        "; ".join(reasons),
        act,
        before=shown(seen.content, secret),
        after=HIDDEN_NEW if secret else shown(content),
        changes=(item["path"],),
    )
