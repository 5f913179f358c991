# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A person's decisions: promote, roll back, or another weight."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from ansible_collections.roost.cluster.plugins.module_utils.release.model import Canary, Release
from ansible_collections.roost.cluster.plugins.module_utils.release.planning import Plan
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout import (
    document as documents,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout import (
    endings,
    faults,
    notify,
    walk,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.document import (
    Document,
    Pair,
    stamp,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.hands import Hands
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.heartbeat import Heartbeat
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.job import Job
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.lock import utc
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.notify import Notifier
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.refusal import Refusal
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.scene import Scene
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.store import Stored

Tell = Callable[[str], None]
PROMOTE, ROLL_BACK = "promote", "roll back"


class Decided(NamedTuple):
    # As it is then, and whether that is a change.
    release: Release
    changed: bool
    # None if there was nothing to decide.
    document: Document | None = None


def planned(job: Job, become: Callable[[Release], Release]) -> Plan:
    """What it would change."""
    scene = job.look()
    return job.plan(scene, become(scene.release))


def decide(job: Job, decision: str, tell: Tell) -> Decided:
    """End the canary, whoever steers it now."""
    lock = job.lock()
    former = lock.seize()
    with Heartbeat(lock) as beat:
        if former:
            tell(f"took over from {former}, whose rollout stops")
        job.made.extend(faults.clear(job.client, job.name, job.namespace, tell))
        hands = job.hands(beat)
        scene = job.look()
        if scene.release.canary is None:
            return Decided(scene.release, _tidy(job, hands, scene, tell))
        stored = _stored(job, scene, tell)
        ending = endings.Ending(job, hands, tell)
        reason = f"decided by {job.who}"
        if decision == PROMOTE:
            document = ending.promote(scene, stored, reason)
        else:
            document = ending.roll_back(scene, stored, reason)
        with Notifier(job.file.notify, tell) as notifier:
            notifier.notify(notify.VERDICT, document)
        return Decided(job.look().release, True, document)


def shift(job: Job, weight: int, tell: Tell) -> tuple[Release, bool]:
    """Give the canary another weight; the release as it is then, and whether it changed."""
    lock = job.lock()
    lock.acquire()
    with Heartbeat(lock) as beat:
        hands = job.hands(beat)
        scene = job.look()
        release = weighted(scene.release, weight)
        changed = bool(job.plan(scene, release).changes)
        for note in hands.bring(scene, release):
            tell(note)
        return release, changed


def tidy(job: Job, tell: Tell) -> tuple[Release, bool]:
    """Finish what a run that was killed has left to do; the release, and whether it changed."""
    lock = job.lock()
    lock.acquire()
    with Heartbeat(lock) as beat:
        hands = job.hands(beat)
        scene = job.look()
        changed = _tidy(job, hands, scene, tell)
        stored = job.store().read_if_usable(job.client, tell)
        if stored and _open(stored.document) and scene.release.canary is None:
            became = stored.document.canary.version == scene.release.stable
            outcome = documents.PROMOTED if became else documents.ROLLED_BACK
            reason = stored.document.reason or walk.TAKEN_BACK
            document = walk.ended(stored.document, outcome, reason, stamp(utc()))
            beat.certain()
            job.store().write(job.client, replace(stored, document=document))
        return scene.release, changed


def weighted(live: Release, weight: int) -> Release:
    if live.canary is None:
        raise Refusal(
            f"{live.name} has no canary, {live.stable} has the whole weight; expected a canary to "
            "give a weight to. Begin with playbooks/rollout.yml -e version=…"
        )
    progress = live.progress.at(weight) if live.progress else None
    return replace(live, canary=Canary(live.canary.version, weight), progress=progress)


def _tidy(job: Job, hands: Hands, scene: Scene, tell: Tell) -> bool:
    """What a run that was killed has left of another version goes."""
    changed = bool(job.plan(scene, scene.release).changes)
    for note in hands.bring(scene, scene.release):
        tell(note)
    return changed


def _stored(job: Job, scene: Scene, tell: Tell) -> Stored:
    """The state of the rollout that is ended; a new one for a canary that was never rolled out."""
    live = scene.release
    canary = live.canary
    if canary is None:
        raise ValueError("there is no canary")
    stored = job.store().read_if_usable(job.client, tell)
    pair = Pair(canary.version, dict(live.versions[canary.version]))
    if stored and stored.document.canary == pair and _open(stored.document):
        return stored
    document = job.begun(live, pair)
    return Stored(walk.stepped(document, canary.weight, document.began), None)


def _open(document: Document) -> bool:
    return document.outcome not in documents.DECIDED
