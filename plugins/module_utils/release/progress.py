# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How far a canary has come, kept as an annotation of the route that draws the version: what
cookies mean depends on it, and no file knows it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.release.model import (
    Canary,
    Progress,
    Release,
)

ANNOTATION = "roost.cluster/progress"
EXPECTED = (
    '{"rollout": 8 lower-case letters and digits or null, "weights": [integers from 0 to 100], '
    '"ended": [ids of rollouts]}'
)
# So many rollouts back, nobody's browser is open any more. Cookies of older ones mean nothing.
_REMEMBERED = 10
_ID = re.compile(r"[a-z0-9]{8}")


@dataclass(frozen=True)
class Course:
    """The rollout that a canary is in, and the ones that were rolled back before."""

    progress: Progress | None = None
    ended: tuple[str, ...] = ()

    def rolled_back(self) -> Course:
        """The same after the canary was taken back."""
        if self.progress is None:
            return self
        others = tuple(each for each in self.ended if each != self.progress.rollout)
        return Course(None, (*others, self.progress.rollout)[-_REMEMBERED:])

    def promoted(self) -> Course:
        """The same after the canary became the stable version: its cookies may stay."""
        return Course(None, self.ended)

    def follow(self, before: Canary | None, stable: str, canary: Canary | None) -> Course:
        """The course when, in place of the canary that is live, the release becomes this one.

        A weight that was moved on the cluster and stays is no step: nothing is written then.
        """
        if self.progress is None or before == canary:
            return self
        if before and canary and before.version == canary.version:
            return Course(self.progress.at(canary.weight), self.ended)
        return self.promoted() if before and before.version == stable else self.rolled_back()


def begun(release: Release) -> Release:
    """Cookies need a rollout to name, also where a file gives a canary its weight."""
    if not release.sticky or not release.canary or release.progress:
        return release
    # The same on every run, until it is on the cluster; another one once it has ended.
    pairs = {version: dict(release.versions[version]) for version in release.weights}
    told = json.dumps([release.name, release.namespace, pairs, release.ended], sort_keys=True)
    digest = hashlib.sha256(told.encode()).digest()
    rollout = base64.b32encode(digest).decode().lower()[:8]
    return replace(release, progress=Progress(rollout, (release.canary.weight,)))


def dumps(course: Course) -> str | None:
    """The annotation; None if there is nothing to say."""
    if course == Course():
        return None
    progress = course.progress
    block = {
        "rollout": progress.rollout if progress else None,
        "weights": list(progress.weights) if progress else [],
        "ended": list(course.ended),
    }
    return json.dumps(block, separators=(",", ":"))


def loads(text: str | None) -> Course:
    """Raises ValueError for anything that `dumps` doesn't write."""
    if text is None:
        return Course()
    block = json.loads(text)
    if not isinstance(block, dict) or block.keys() != {"rollout", "weights", "ended"}:
        raise ValueError("other keys than rollout, weights, ended")
    rollout, weights, ended = block["rollout"], block["weights"], block["ended"]
    if not isinstance(ended, list) or not all(_is_id(each) for each in ended):
        raise ValueError(f"ended is {ended!r}")
    if rollout is None:
        return Course(None, tuple(ended))
    if not _is_id(rollout):
        raise ValueError(f"rollout is {rollout!r}")
    if not isinstance(weights, list) or not weights or not all(map(_is_weight, weights)):
        raise ValueError(f"weights is {weights!r}")
    return Course(Progress(rollout, tuple(weights)), tuple(ended))


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and bool(_ID.fullmatch(value))


def _is_weight(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 100
