# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.node.core import (
    Node,
    StateError,
    Step,
    Wanted,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.digests import DigestCache
from ansible_collections.roost.cluster.plugins.module_utils.node.fetch import (
    Source,
    install,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.paths import look
from ansible_collections.roost.cluster.plugins.module_utils.node.writes import (
    Rights,
    rights,
)

STATE = "/var/lib/roost/binaries.json"


def plan_binary(
    item: dict[str, Any], kind: str, installed: str | None, differences: list[str]
) -> list[str]:
    """The reasons to install a binary, none if the installed one is the bundle's."""
    name = item["name"]
    if kind == "missing":
        return ["missing"]
    if kind not in ("file", "link"):
        raise StateError(f"{item['path']}: expected a file, found a {kind}: move it away")
    if installed is None:
        return ["a link, expected a file"]
    if installed != item["sha256"]:
        bundled = item["sha256"][:12]
        return [f"{name}: installed sha256 {installed[:12]}… ≠ bundle's {bundled}…", *differences]
    return differences


def binary_steps(wanted: Wanted, node: Node, planned: list[Step]) -> list[Step]:
    cache = DigestCache(node.at(STATE))
    source = Source(wanted.get("registry") or "", str(wanted.get("store") or ""))
    steps = []
    for item in wanted["binaries"]:
        path, to_have = node.at(item["path"]), rights(item, 0o755)
        seen = look(path)
        installed = cache.digest(path) if seen.kind == "file" else None
        differences = to_have.differences(seen.found) if seen.found else []
        reasons = plan_binary(item, seen.kind, installed, differences)
        if not reasons:
            continue
        same = installed == item["sha256"]
        if not same and not (source.registry or source.store):
            raise StateError(f"{item['path']}: binaries need registry or store to come from")
        act = (
            partial(to_have.give, path)
            if same
            else partial(_install, source, item, path, to_have, cache)
        )
        steps.append(
            Step(
                item["path"],
                "; ".join(reasons),
                act,
                before=f"sha256 {installed}\n" if installed else "",
                after=f"sha256 {item['sha256']}\n",
                changes=() if same else (item["path"],),
                batch="" if same else "fetch",
            )
        )
    if not node.check:
        cache.save()
    return steps


def _install(
    source: Source, item: dict[str, Any], path: Path, to_have: Rights, cache: DigestCache
) -> None:
    install(source, item["repository"], item["blob"], item["sha256"], path, to_have)
    cache.record(path, item["sha256"])
    cache.save()
