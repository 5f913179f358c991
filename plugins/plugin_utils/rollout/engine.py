# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Walks a canary: reads, lets the statistics judge, and carries out what follows."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from ansible_collections.roost.cluster.plugins.module_utils.api.client import (
    ApiError,
    is_away,
)
from ansible_collections.roost.cluster.plugins.module_utils.release import planning
from ansible_collections.roost.cluster.plugins.module_utils.release.live import Unreadable
from ansible_collections.roost.cluster.plugins.module_utils.release.model import Progress, Release
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout import (
    document as documents,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout import (
    endings,
    lines,
    notify,
    opening,
    preview,
    reports,
    walk,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout import (
    scene as scenes,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.document import (
    Document,
    Pair,
    stamp,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.hands import (
    Late,
    Moved,
    as_soon_as_it_answers,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.heartbeat import Heartbeat
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.histograms import OtherEdges
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.job import Job
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.judge import Judge
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.lock import Lost, utc
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.notify import Notifier
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.opening import Asked
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.refusal import Refusal
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.scene import Scene
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.store import (
    BadState,
    Stored,
    thinned,
)

# What ends a walk where it stands; the text says what a person can do.
_STOPPING = (
    ApiError,
    BadState,
    Late,
    Moved,
    OtherEdges,
    Refusal,
    Unreadable,
    planning.Rejected,
)
# How often in a row a change of weight may fail before a person has to see why.
_MOST_TRIES = 10

Tell = Callable[[str], None]


def run(
    job: Job, asked: Asked, tell: Tell, begun: Callable[[], None] = lambda: None
) -> Document | None:
    """Roll the version out, or refuse to. Ends promoted, rolled back, waiting or stopped; None if
    it is the stable version already. Calls `begun` before the first look."""
    scene = job.look()
    if asked.version == scene.release.stable:
        return None
    opening.pair_of(asked, scene.release, job.file, job.digests)
    lock = job.lock()
    lock.acquire()
    with Notifier(job.file.notify, tell) as notifier, Heartbeat(lock) as beat:
        # Once more, for nobody else changes it from here on.
        scene = job.look()
        pair = opening.pair_of(asked, scene.release, job.file, job.digests)
        return Engine(job, beat, notifier, tell, begun).go(scene, Pair(asked.version, pair))


class Engine:
    """One rollout from here to its end, or to where somebody stops it."""

    def __init__(
        self,
        job: Job,
        beat: Heartbeat,
        notifier: Notifier,
        tell: Tell,
        begun: Callable[[], None],
    ) -> None:
        self._begun = begun
        self._job, self._beat, self._notifier, self._tell = job, beat, notifier, tell
        self._hands = job.hands(beat)
        self._store = job.store()
        self._settings = job.file.rollout
        self._scene: Scene
        self._document: Document
        self._judge: Judge
        # Changes of weight that failed in a row, and the last one's reason.
        self._failed, self._why = 0, ""

    def go(self, scene: Scene, canary: Pair) -> Document:
        self._scene = scene
        begun = self._begin(canary)
        self._notifier.notify(notify.BEGUN, self._document, scene.weight)
        self._walk(begun, canary)
        self._notifier.notify(notify.VERDICT, self._document)
        reports.keep(self._job.reports, self._document, self._tell)
        return self._document

    def _walk(self, begun: walk.Action | None, canary: Pair) -> None:
        try:
            action = begun or self._bring_up(canary)
            while isinstance(action, (walk.Keep, walk.Weigh)):
                action = self._carry_out(action)
            self._end(action)
        except Lost as lost:
            # Who took over writes the state from here on.
            self._stopped(f"{lost}; this run stops", keep=False)
        except _STOPPING as error:
            self._stopped(str(error), keep=True)

    def _carry_out(self, action: walk.Keep | walk.Weigh) -> walk.Action:
        try:
            return self._weigh(action.weight) if isinstance(action, walk.Weigh) else self._look()
        except (ApiError, Moved) as error:
            if not (is_away(error) or isinstance(error, Moved)):
                raise
            if isinstance(action, walk.Weigh):
                self._failed, self._why = self._failed + 1, str(error)
            self._tell(f"{error}; this run goes on from what is live")
        return as_soon_as_it_answers(self._go_on, self._beat.pause)

    def _go_on(self) -> walk.Action:
        """After the server was away, or somebody else changed the route."""
        live = self._look_around().canary
        if live is None or live.version != self._document.canary.version:
            return walk.RollBack(walk.TAKEN_BACK)
        self._document = walk.resumed(self._document, self._job.who, live.weight)
        self._enter(live.weight)
        if self._failed >= _MOST_TRIES:
            return walk.Leave(f"{_MOST_TRIES} changes of weight failed in a row: {self._why}")
        return walk.opening(live.weight, self._settings.steps)

    def _look_around(self) -> Release:
        self._scene = self._job.look()
        return self._scene.release

    def _begin(self, canary: Pair) -> walk.Action | None:
        """Go on with the rollout whose state is on the cluster, or begin one. An action that was
        begun and not finished comes first."""
        live = self._scene.release
        stable = Pair(live.stable, dict(live.versions[live.stable]))
        stored = self._earlier()
        earlier = stored.document if stored else None
        weight = self._scene.weight
        if stored and earlier and opening.goes_on(earlier, live, stable, canary):
            self._judge = Judge.resumed(
                self._job,
                live,
                canary.version,
                stored.comparison,
                waited=earlier.outcome == documents.WAITING,
            )
            self._document = walk.resumed(earlier, self._job.who, weight)
            self._tell(
                f"going on with rollout {earlier.id} of {canary.version} at {weight}%, "
                f"which {earlier.who} began at {earlier.began}"
            )
            return None if live.canary else walk.RollBack(earlier.reason or walk.TAKEN_BACK)
        self._judge = Judge.new(self._job, live, canary.version)
        self._document = self._job.begun(live, canary)
        self._tell(
            f"rollout {self._document.id} of {canary.version} beside {stable.version}, "
            f"by {self._document.who}"
        )
        return None

    def _earlier(self) -> Stored | None:
        """What is written down. Without a canary nothing goes on that it could be needed for."""
        if self._scene.release.canary is None:
            return self._store.read_if_usable(self._job.client, self._tell)
        return self._store.read(self._job.client)

    def _bring_up(self, canary: Pair) -> walk.Action:
        """The pair's pods run and every proxy knows them; its weight stays as it is, at first 0."""
        weight = self._scene.weight
        release = self._with(weight)
        self._save()
        try:
            notes = self._hands.bring(self._scene, release)
        except Late as late:
            if weight:
                raise
            return walk.RollBack(f"{canary.version} can't be brought up: {late}")
        for note in notes:
            self._tell(note)
        self._look_around()
        action = walk.opening(weight, self._settings.steps)
        if isinstance(action, walk.Keep):
            self._enter(weight)
        self._judge.base()
        self._tell(f"{canary.version} is up at {weight}%, and every proxy knows it")
        self._begun()
        return action

    def _weigh(self, weight: int) -> walk.Action:
        release = self._with(weight)
        self._enter(weight)
        self._scene = self._hands.weigh(self._scene, release)
        self._hands.drawn(release)
        self._failed = 0
        self._tell(f"{self._document.canary.version} gets {weight}%")
        self._notifier.notify(notify.STEP, self._document)
        return walk.Keep()

    def _enter(self, weight: int) -> None:
        """Written down before the weight changes."""
        self._document = walk.stepped(self._document, weight, stamp(utc()))
        self._judge.enter(weight)
        self._save()

    def _look(self) -> walk.Action:
        self._beat.pause(self._judge.due - time.monotonic())
        try:
            seen = self._judge.look()
        except ApiError as error:
            self._tell(f"nothing could be read, the weight stays: {error}")
            return walk.Keep()
        for text in seen.silent:
            self._tell(f"{text}; left out of this look")
        if seen.verdict is None:
            return walk.Keep()
        look = {"at": stamp(utc()), "weight": self._document.weight, **seen.look}
        self._document, action = walk.looked(
            self._document, look, seen.counts, seen.verdict, self._settings.steps
        )
        self._document = replace(self._document, override_share=seen.override_share)
        self._tell(lines.look_line(self._document, seen.seconds, seen.counts, seen.verdict))
        self._save()
        if isinstance(action, walk.Keep) and self._document.plan is None:
            self._forecast(seen.rate)
        return action

    def _forecast(self, rate: float) -> None:
        """What this will take, once it is known how many requests come."""
        forecast = preview.steps_at(self._settings, rate, self._document.weight)
        if forecast:
            self._document = replace(self._document, plan=forecast.as_dict())
            for line in preview.told(self._settings, rate, self._document.weight, forecast):
                self._tell(line)

    def _end(self, action: walk.Action) -> None:
        ending = endings.Ending(self._job, self._hands, self._tell)
        if isinstance(action, walk.RollBack):
            self._document = ending.roll_back(self._scene, self._stored(), action.reason)
        elif isinstance(action, walk.Promote):
            self._document = ending.promote(self._scene, self._stored(), action.reason)
        elif isinstance(action, walk.Leave):
            self._document = ending.leave(self._stored(), action.reason)

    def _stopped(self, reason: str, keep: bool) -> None:
        self._document = walk.ended(self._document, documents.STOPPED, reason, stamp(utc()))
        if keep:
            try:
                self._save()
            except (ApiError, BadState, Lost) as error:
                self._tell(f"the state could not be written: {error}")

    def _with(self, weight: int) -> Release:
        """The live release with the canary at this weight, as a step of this rollout."""
        live, document = self._scene.release, self._document
        progress = Progress(document.id, (weight,))
        if live.canary and live.progress and live.progress.rollout == document.id:
            progress = live.progress.at(weight)
        pair = document.canary
        return scenes.with_canary(live, pair.version, pair.images, weight, progress)

    def _stored(self) -> Stored:
        return Stored(self._document, self._judge.as_dict())

    def _save(self) -> None:
        # Who took the lock over has perhaps written down an end already.
        self._beat.certain()
        self._document = thinned(self._document)
        self._store.write(self._job.client, self._stored())
