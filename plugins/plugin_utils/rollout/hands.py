# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Brings what is live to a release: all of its objects in their order, or the weight alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from ansible_collections.roost.cluster.plugins.module_utils.api import evidence
from ansible_collections.roost.cluster.plugins.module_utils.api.client import (
    ApiError,
    Editor,
    Refused,
    is_away,
)
from ansible_collections.roost.cluster.plugins.module_utils.api.comparison import Change
from ansible_collections.roost.cluster.plugins.module_utils.api.objects import Block, object_key
from ansible_collections.roost.cluster.plugins.module_utils.release import (
    expect,
    names,
    objects,
    planning,
    waiting,
)
from ansible_collections.roost.cluster.plugins.module_utils.release.expect import Wait
from ansible_collections.roost.cluster.plugins.module_utils.release.model import Release
from ansible_collections.roost.cluster.plugins.module_utils.release.names import Context
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout import scene as scenes
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.scene import Scene

_PAUSE = 0.3
# Between two tries to reach a server that is away.
_PAUSE_AWAY = 1.0
# Five minutes in all. Where nothing at all can be written, the lock is lost long before.
_TRIES_AWAY = 300

_Given = TypeVar("_Given")


class Moved(Exception):
    """The route was changed by somebody else since it was read."""


class Late(Exception):
    """What was changed did not take effect in time; the text says what is missing."""


@dataclass
class Hands:
    """Changes the cluster. `allowed` is asked before each change and raises if it must not be."""

    client: Editor
    context: Context
    timeout: float
    allowed: Callable[[], None]
    # Called for each pause while something is awaited; raises if that has to end.
    sleep: Callable[[float], None] = time.sleep
    # What was changed, and why, in order.
    made: list[Change] = field(default_factory=list)

    def look(self, name: str, namespace: str) -> Scene:
        return scenes.look(self.client, name, namespace, self.context)

    def bring(self, scene: Scene, release: Release) -> list[str]:
        """Go through every stage that is left to do; what is worth telling.

        The gateway's route, in which people move the weight, is refused where anybody changed it
        since the scene was looked at. The other objects are not: the resourceVersion of most of
        them moves with each pod's state, and a server-side apply writes no more than the fields
        that are Roost's own.
        """
        plan = planning.towards(release, scene.inventory, scene.record, self.client, self.context)
        notes: list[str] = []
        route = scene.route
        for step in plan.steps:
            reasons = {change.item: change for change in step.changes}
            for item in step.stage.objects:
                self.allowed()
                if object_key(item) == object_key(route) and step.stage.state != "absent":
                    route = self._change(_unless_changed(item, route), step.stage.state)
                else:
                    self._change(item, step.stage.state)
                self.made.append(reasons[object_key(item)])
            notes += self._wait(release, step.stage.wait)
        if not plan.steps:
            notes += self._wait(release, plan.steady)
        return notes

    def weigh(self, scene: Scene, release: Release) -> Scene:
        """Change nothing but how the gateway draws, in one update that is refused if anybody else
        changed the route since the scene was looked at. Doesn't wait."""
        self.allowed()
        route = self._change(self._route(scene, release), "present")
        why = f"{_shares(scene.release)} → {_shares(release)}"
        self.made.append(Change(object_key(route), why, scene.route, route))
        return scene.with_route(release, route)

    def drawn(self, release: Release) -> None:
        """Wait until every gateway draws as the release says."""
        self._wait(release, expect.weights(release, release.weights, self.context))

    def _route(self, scene: Scene, release: Release) -> Block:
        name = names.entry_route_name(release.name)
        route = next(
            item
            for item in objects.derive(release, self.context, scene.record)
            if item["kind"] == "VirtualService" and item["metadata"]["name"] == name
        )
        return _unless_changed(route, scene.route)

    def _change(self, item: Block, state: str) -> Block:
        try:
            if state != "absent":
                return self.client.apply(item)
            self.client.delete(item)
            return item
        except Refused as error:
            if error.status == 409:
                raise Moved(str(error)) from error
            raise

    def _wait(self, release: Release, wait: Wait) -> list[str]:
        if not wait:
            return []
        place = waiting.Place(
            release.name,
            release.namespace,
            self.context.gateway_namespace,
            self.context.gateway_selector,
        )
        outcome = waiting.Watcher(self.client, place, sleep=self.sleep).wait(
            wait, self.timeout, _PAUSE
        )
        if outcome.missing:
            raise Late(self._why(release, wait, outcome))
        return outcome.notes

    def _why(self, release: Release, wait: Wait, outcome: waiting.Outcome) -> str:
        concerned = waiting.concerned(wait)
        lines = [f"after {outcome.seconds:.0f} s this is still missing:"]
        lines += [f"  - {text}" for text in outcome.missing]
        reasons = evidence.gather(
            self.client,
            release.namespace,
            concerned,
            lambda pod: names.workload_of(pod) in concerned,
            names.release_selector(release.name),
        )
        return "\n".join([*lines, *(f"    {text}" for text in reasons)])


def _unless_changed(item: Block, read: Block) -> Block:
    """To be refused if it was changed since it was read."""
    version = read["metadata"]["resourceVersion"]
    return {**item, "metadata": {**item["metadata"], "resourceVersion": version}}


def _shares(release: Release) -> str:
    return ", ".join(f"{version} {weight}%" for version, weight in release.weights.items())


def as_soon_as_it_answers(act: Callable[[], _Given], pause: Callable[[float], None]) -> _Given:
    """Try it until the server is there, at last for some minutes; `pause` raises where that must
    end earlier."""
    for _try in range(_TRIES_AWAY - 1):
        pause(_PAUSE_AWAY)
        try:
            return act()
        except ApiError as error:
            if not is_away(error):
                raise
    pause(_PAUSE_AWAY)
    return act()
