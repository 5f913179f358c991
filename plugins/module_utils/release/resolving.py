# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from ansible_collections.roost.cluster.plugins.module_utils.api.objects import Block
from ansible_collections.roost.cluster.plugins.module_utils.release import images, spec
from ansible_collections.roost.cluster.plugins.module_utils.release.problems import Problem


class Unusable(Exception):
    """The bundle's lock can't be read; the text says which and what to do."""


def read_lock(path: str | None) -> dict[str, str] | None:
    """NAME:TAG → digest of the images in the bundle; None without a bundle."""
    if not path:
        return None
    file = Path(path).expanduser()
    try:
        lock = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise Unusable(
            f"there is no bundle.lock at {file}: fill the bundle first (make setup)"
        ) from error
    except ValueError as error:
        raise Unusable(f"{file} is not JSON ({error}): fill the bundle again") from error
    return images.lock_digests(lock)


def resolve(block: Block, digests: Mapping[str, str] | None) -> tuple[Block, list[Problem]]:
    """The block with a digest in every image, and the images that have none to be found."""
    problems = []
    versions: Block = {}
    for version, pair in block["versions"].items():
        versions[version] = {}
        for service, reference in pair.items():
            resolved = images.resolve(reference, digests or {})
            if resolved is None:
                problems.append(_unresolved(version, service, reference, digests))
            versions[version][service] = resolved
    resolved_block = {**block, "versions": versions}
    canary = (block.get("canary") or {}).get("version")
    stable = block["stable"]
    # Two tags may turn out to be the same image.
    if not problems and canary and spec.same_images(versions[stable], versions[canary]):
        problems.append(spec.same_images_problem(stable, canary))
    return resolved_block, problems


def _unresolved(
    version: str, service: str, reference: str, digests: Mapping[str, str] | None
) -> Problem:
    key = f"versions.{version}.{service}"
    if digests is None:
        return Problem(
            key, reference, "NAME@sha256:DIGEST", "without a bundle no tag can be resolved"
        )
    near = images.nearest(reference, digests)
    hint = f"the bundle has {near}; " if near else ""
    return Problem(
        key,
        reference,
        "an image in the bundle",
        f"{hint}add it with `make image IMAGE={reference} FROM=docker`, or name a digest",
    )
