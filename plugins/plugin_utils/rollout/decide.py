# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A person's decisions: promote, roll back, or another weight."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ansible_collections.roost.cluster.plugins.module_utils.release.model import Canary, Release
from ansible_collections.roost.cluster.plugins.module_utils.release.planning import Plan
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout import (
    document as documents,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout import (
    endings,
    notify,
    readings,
    reports,
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


def planned(job: Job, become: Callable[[Release], Release]) -> Plan:
    """What it would change."""
    scene = job.look()
    return job.plan(scene, become(scene.release))


def decide(job: Job, decision: str, tell: Tell) -> tuple[Release, bool]:
    """End the canary, whoever steers it now; the release as it is then, and whether it changed."""
    lock = job.lock()
    former = lock.seize()
    with Heartbeat(lock) as beat:
        if former:
            tell(f"took over from {former}, whose rollout stops")
        hands = job.hands(beat)
        scene = job.look()
        if scene.release.canary is None:
            return scene.release, _tidy(job, hands, scene, tell)
        stored = _stored(job, scene)
        ending = endings.Ending(job, hands, tell)
        reason = f"decided by {job.who}"
        if decision == PROMOTE:
            document = ending.promote(scene, stored, reason)
        else:
            document = ending.roll_back(scene, stored, reason)
        with Notifier(job.file.notify, tell) as notifier:
            notifier.notify(notify.VERDICT, document)
        for path in reports.write(job.reports, document):
            tell(f"report: {path}")
        return job.look().release, True


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
        stored = job.store().read(job.client)
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


def _stored(job: Job, scene: Scene) -> Stored:
    """The state of the rollout that is ended; a new one for a canary that was never rolled out."""
    live = scene.release
    canary = live.canary
    if canary is None:
        raise ValueError("there is no canary")
    stored = job.store().read(job.client)
    pair = Pair(canary.version, dict(live.versions[canary.version]))
    if stored and stored.document.canary == pair and _open(stored.document):
        return stored
    now = stamp(utc())
    document = Document(
        id=live.progress.rollout if live.progress else documents.new_id(),
        release=live.name,
        namespace=live.namespace,
        who=job.who,
        began=now,
        stable=Pair(live.stable, dict(live.versions[live.stable])),
        canary=pair,
        settings=job.file.rollout.as_block(),
        sources=readings.SOURCES,
        sticky=live.sticky,
    )
    return Stored(walk.stepped(document, canary.weight, now), None)


def _open(document: Document) -> bool:
    return document.outcome not in documents.DECIDED
