# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a rollout ends: promoted, rolled back, or left for a person to decide."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from ansible_collections.roost.cluster.plugins.module_utils.api.client import (
    ApiError,
    is_away,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout import (
    document as documents,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout import (
    scene as scenes,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout import walk
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.document import (
    Document,
    stamp,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.hands import Hands, Moved
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.job import Job
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.lock import utc
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.scene import Scene
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.store import Stored, thinned

_PAUSE = 0.5


class Ending:
    """Changes what is live, and writes down what became of the rollout."""

    def __init__(self, job: Job, hands: Hands, tell: Callable[[str], None]) -> None:
        self._job, self._hands, self._tell = job, hands, tell

    def roll_back(self, scene: Scene, stored: Stored, reason: str) -> Document:
        """The weight first, in one update; then what is under way ends, and then the pods."""
        version = stored.document.canary.version
        self._tell(f"rolling back {version}: {reason}")
        began = time.monotonic()
        scene = self._take_weight(scene)
        self._hands.drawn(scene.release)
        self._tell(
            f"no gateway draws {version} any more, {time.monotonic() - began:.1f} s after the "
            "decision"
        )
        self._finish(scene)
        return self._ended(stored, documents.ROLLED_BACK, reason)

    def _take_weight(self, scene: Scene) -> Scene:
        """However often it takes: each answer of a bad canary is one too many. Ends by itself where
        the lock is lost."""
        while True:
            try:
                return self._hands.weigh(scene, scenes.rolled_back(scene.release))
            except (Moved, ApiError) as error:
                if not (is_away(error) or isinstance(error, Moved)):
                    raise
                self._tell(f"the weight is not taken away yet: {error}")
            self._hands.sleep(_PAUSE)
            try:
                # Where somebody moved the weight just now, it goes to 0 all the same.
                scene = self._hands.look(scene.release.name, scene.release.namespace)
            except ApiError as error:
                if not is_away(error):
                    raise

    def promote(self, scene: Scene, stored: Stored, reason: str) -> Document:
        """The whole weight, and the canary is the stable version; the old one ends like a canary
        that was rolled back."""
        version, old = stored.document.canary.version, stored.document.stable.version
        self._tell(f"promoting {version}: {reason}")
        document = walk.stepped(stored.document, walk.FULL, stamp(utc()))
        stored = replace(stored, document=document)
        self._write(stored)
        self._finish(replace(scene, release=scenes.promoted(scene.release)))
        self._tell(f"{version} is stable, {old} is gone")
        return self._ended(stored, documents.PROMOTED, reason)

    def leave(self, stored: Stored, reason: str) -> Document:
        """The weight stays."""
        return self._ended(stored, documents.WAITING, reason)

    def _finish(self, scene: Scene) -> None:
        """Everything else that the release in the scene needs, from what is live now."""
        wanted = scene.release
        fresh = self._hands.look(wanted.name, wanted.namespace)
        for note in self._hands.bring(fresh, wanted):
            self._tell(note)

    def _ended(self, stored: Stored, outcome: str, reason: str) -> Document:
        document = walk.ended(stored.document, outcome, reason, stamp(utc()))
        document = thinned(document)
        self._write(replace(stored, document=document))
        return document

    def _write(self, stored: Stored) -> None:
        self._hands.allowed()
        self._job.store().write(self._job.client, stored)
