# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Releases that the stages are tried on: what a move begins with and leads to, and the role's way
through the stages of a plan."""

from __future__ import annotations

import pickle
from datetime import datetime, timezone
from functools import cache
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.release import (
    certificates,
    names,
    planning,
    waiting,
)
from ansible_collections.roost.cluster.plugins.module_utils.release.plan import Step
from release_samples import resolved
from release_world import CONTEXT, World

PLACE = waiting.Place("digits", "digits", "istio-system", CONTEXT.gateway_selector)
SEEDS = range(12)

ONLY_V1 = {"canary": None}
V2_AT_10: dict[str, Any] = {}
V2_AT_0 = {"canary": {"version": "v2", "weight": 0}}
V2_AT_50 = {"canary": {"version": "v2", "weight": 50}}
V2_AT_100 = {"canary": {"version": "v2", "weight": 100}}
SWAPPED = {"stable": "v2", "canary": {"version": "v1", "weight": 10}}
ONLY_V2 = {"stable": "v2", "canary": None}
V3_AT_20 = {"canary": {"version": "v3", "weight": 20}}
EVERYTHING = {
    "sticky": True,
    "override": {"header": "x-release"},
    "mirror": {"version": "v3"},
    "rate_limit": {"requests_per_second": 50},
    "tls": {"self_signed": True},
}
BY_HEADER = {"override": {"header": "x-release"}}
OTHER_TEMPLATE = {
    "services": {
        "app": {"port": 8080, "entry": True, "env": {"A": "b"}},
        "model-service": {"port": 8080, "health_path": "/"},
    }
}

MOVES = {
    "add a canary": (ONLY_V1, V2_AT_10),
    "change the weight": (V2_AT_10, V2_AT_50),
    "take the weight away": (V2_AT_50, V2_AT_0),
    "give it all": (V2_AT_50, V2_AT_100),
    "remove the canary": (V2_AT_50, ONLY_V1),
    "swap": (V2_AT_10, SWAPPED),
    "promote": (V2_AT_50, ONLY_V2),
    "replace the stable version at once": (ONLY_V1, ONLY_V2),
    "replace the canary": (V2_AT_50, V3_AT_20),
    "another template": (V2_AT_50, OTHER_TEMPLATE),
}
OPTION_MOVES = {
    "all options on": (V2_AT_10, EVERYTHING),
    "all options off": (EVERYTHING, V2_AT_10),
    "add a canary with all options": ({**EVERYTHING, **ONLY_V1}, EVERYTHING),
    "raise with all options": (EVERYTHING, {**EVERYTHING, **V2_AT_50}),
    "remove with all options": (EVERYTHING, {**EVERYTHING, **ONLY_V1}),
    "remove canary and options": (EVERYTHING, ONLY_V1),
    "the header means nothing any more": (BY_HEADER, V2_AT_10),
    "promote with all options": (EVERYTHING, {**EVERYTHING, **ONLY_V2}),
    "the shadow becomes the canary": (EVERYTHING, {**V3_AT_20, "sticky": True}),
}
MOVES |= OPTION_MOVES


def made(order: dict[str, Any]) -> dict[str, Any]:
    """The secret that a plan orders."""
    wanted = certificates.Names(tuple(order["hosts"]), tuple(order["addresses"]))
    now = datetime.now(timezone.utc)
    data = certificates.make("digits", wanted, order["serial"], now)
    labels = names.common_labels("digits")
    return certificates.secret(order["secret"], order["namespace"], labels, data)


def run(world: World, file: dict[str, Any], limit: int = 400) -> list[Step]:
    """What the role does."""
    plan = planning.plan(file, world, CONTEXT)
    for step in plan.steps:
        if step.certificate:
            world.apply(made(step.certificate))
        for item in step.stage.objects:
            if step.stage.state == "absent":
                world.delete(item)
            else:
                world.apply(item)
        watcher = waiting.Watcher(world, PLACE, world.clock, world.tick)
        outcome = watcher.wait(step.stage.wait, limit, 1)
        assert outcome.missing == [], f"stage {step.stage.name}: {outcome.missing}"
    world.serving = True
    return plan.steps


@cache
def _pickled_start(move: str, seed: int) -> bytes:
    before, _after = MOVES[move]
    world = World(seed)
    run(world, resolved(**before))
    return pickle.dumps(world)


def start_of(move: str, seed: int) -> World:
    """A world as it is before a move; several moves begin with the same one."""
    first = next(other for other in MOVES if MOVES[other][0] == MOVES[move][0])
    world: World = pickle.loads(_pickled_start(first, seed))
    return world
