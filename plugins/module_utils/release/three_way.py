# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.api.objects import Block
from ansible_collections.roost.cluster.plugins.module_utils.release.live import Live
from ansible_collections.roost.cluster.plugins.module_utils.release.model import (
    DEFAULT_REPLICAS,
    Canary,
)
from ansible_collections.roost.cluster.plugins.module_utils.release.problems import Problem
from ansible_collections.roost.cluster.plugins.module_utils.release.progress import Course

_NONE = "none"


@dataclass
class Merged:
    """What is to be: the file's block, with live values in place of keys that nobody edited."""

    block: Block
    scaled: dict[tuple[str, str], int] = field(default_factory=dict)
    course: Course = field(default_factory=Course)
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def choose(self, key: str, file: Any, record: Any, live: Any, shown: str = "") -> Any:
        """One key, three ways. Not edited since it was applied: the live value stays. Edited: the
        file's value is applied (and if it is live already, only the record has to follow)."""
        if file == record:
            if live != file:
                self.notes.append(
                    f"live differs from the file: {shown or key} is {_text(live)}, "
                    f"the file says {_text(file)}; live stays, because the file was not edited"
                )
            return live
        if live != file:
            self.notes.append(
                f"edited in the file: {shown or key} is {_text(live)}, becomes {_text(file)}"
            )
        return file


def merge(file: Block, record: Block | None, live: Live | None) -> Merged:
    """The release that is to be, from the file, the block last applied from it, and the cluster.

    `file` has passed validation and its images are resolved, as are those in `record`. What can
    be steered on the cluster is merged key by key: which version is stable, the canary and its
    weight, the images, the counts of replicas. Every other key is the file's. What the cluster
    alone knows, the course of the canary, goes on from there.
    """
    merged = Merged(dict(file))
    if live is None:
        return merged
    if record is None:
        merged.notes.append("the live route has no record of an earlier run: the file is applied")
    else:
        _steered(merged, file, record, live)
    canary = _as_canary(merged.block.get("canary"))
    mirror = merged.block.get("mirror")
    if mirror and mirror["version"] in (merged.block["stable"], _version(canary)):
        del merged.block["mirror"]
        merged.notes.append(
            f"no copies go to {mirror['version']}, for users have it now; take `mirror` out of the "
            "file, or name another version"
        )
    merged.course = live.course.follow(live.canary, merged.block["stable"], canary)
    return merged


def _steered(merged: Merged, file: Block, record: Block, live: Live) -> None:
    merged.block["stable"] = merged.choose(
        "stable", file["stable"], record.get("stable"), live.stable
    )
    canary = _canary(merged, file.get("canary"), record.get("canary"), live.canary)
    if canary is None:
        merged.block.pop("canary", None)
    else:
        merged.block["canary"] = {"version": canary.version, "weight": canary.weight}
    merged.block["versions"] = _versions(merged, file, record, live)
    _replicas(merged, file, record, live)


def _canary(
    merged: Merged, file: Block | None, record: Block | None, live: Canary | None
) -> Canary | None:
    wanted, known = _as_canary(file), _as_canary(record)
    version = merged.choose(
        "canary.version", _version(wanted), _version(known), _version(live), "the canary"
    )
    if version is None:
        if wanted and known and wanted.weight != known.weight:
            merged.problems.append(_no_canary(wanted.weight))
        return None
    if wanted is None or (wanted.version != version and wanted.weight == _weight(known)):
        # A canary that only the cluster knows comes with its own weight.
        return live
    if live is None or live.version != version:
        # A weight belongs to its version: that of another canary says nothing about this one.
        return wanted
    if wanted.version != version:
        merged.problems.append(_other_canary(wanted, live))
        return live
    weight = merged.choose("canary.weight", wanted.weight, _weight(known), live.weight)
    return Canary(version, weight)


def _versions(merged: Merged, file: Block, record: Block, live: Live) -> Block:
    """Every listed version; and one that only the cluster knows, if it is to go on."""
    versions: Block = {}
    for version, pair in file["versions"].items():
        before = (record.get("versions") or {}).get(version) or {}
        running = live.images.get(version) or {}
        versions[version] = {
            service: merged.choose(
                f"versions.{version}.{service}", image, before.get(service), running[service]
            )
            if service in running
            else image
            for service, image in pair.items()
        }
    canary = merged.block.get("canary") or {}
    for key, version in (("stable", merged.block["stable"]), ("canary", canary.get("version"))):
        if version is None or version in versions:
            continue
        running = live.images.get(version) or {}
        lacking = [service for service in file["services"] if service not in running]
        if lacking:
            merged.problems.append(_unknown_version(key, version, lacking))
        versions[version] = {name: running[name] for name in file["services"] if name in running}
        merged.notes.append(
            f"live differs from the file: {version} runs, versions.{version} is not in the file"
        )
    return versions


def _replicas(merged: Merged, file: Block, record: Block, live: Live) -> None:
    for service, settings in file["services"].items():
        wanted = settings.get("replicas", DEFAULT_REPLICAS)
        before = _service(record, service).get("replicas", DEFAULT_REPLICAS)
        for (owner, version), count in sorted(live.replicas.items()):
            # Zero is no size for a version that takes traffic, so it isn't kept.
            if owner != service or count == 0 or version not in merged.block["versions"]:
                continue
            key = f"services.{service}.replicas"
            chosen = merged.choose(key, wanted, before, count, f"{key} of {version}")
            if chosen != wanted:
                merged.scaled[service, version] = chosen


def _service(block: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return (block.get("services") or {}).get(name) or {}


def _as_canary(block: Block | None) -> Canary | None:
    if not block:
        return None
    return Canary(str(block.get("version")), int(block.get("weight") or 0))


def _version(canary: Canary | None) -> str | None:
    return canary.version if canary else None


def _weight(canary: Canary | None) -> int | None:
    return canary.weight if canary else None


def _text(value: Any) -> str:
    return _NONE if value is None else str(value)


def _no_canary(weight: int) -> Problem:
    return Problem(
        "canary.weight",
        weight,
        "a canary that is live",
        "the weight was edited, but the canary that it belongs to was promoted or rolled back on "
        "the cluster; write the live state into the file, or name another canary",
    )


def _other_canary(wanted: Canary, live: Canary) -> Problem:
    return Problem(
        "canary.weight",
        wanted.weight,
        f"the canary that is live, {live.version} at {live.weight}%",
        f"the weight was edited for {wanted.version}, which the cluster has left behind; write "
        "the live state into the file",
    )


def _unknown_version(key: str, version: str, lacking: list[str]) -> Problem:
    return Problem(
        f"versions.{version}",
        None,
        f"an image for {', '.join(lacking)}",
        f"{version} is {key} on the cluster, and neither the file nor a Deployment names it",
    )
