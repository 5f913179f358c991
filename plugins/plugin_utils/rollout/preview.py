# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a rollout would do, and how long it would take; touches nothing."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.release.model import (
    Progress,
    Release,
)
from ansible_collections.roost.cluster.plugins.module_utils.release.planning import Plan
from ansible_collections.roost.cluster.plugins.module_utils.release.rollout_settings import Settings
from ansible_collections.roost.cluster.plugins.module_utils.release.telemetry import (
    histogram_edges,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.decision import planning
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.counts import Counters
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout import (
    document as documents,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout import (
    lines,
    opening,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout import (
    scene as scenes,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.job import Job
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.judge import edges_of
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.opening import Asked
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.readings import Reader

# Long enough for a rate of five requests per second to be known within a third.
_MEASURED_SECONDS = 5.0


@dataclass(frozen=True)
class Preview:
    objects: Plan
    lines: list[str]
    # Whether there is a canary to walk.
    walks: bool
    # As the report has it; None without traffic.
    plan: dict[str, Any] | None


def preview(job: Job, asked: Asked) -> Preview:
    scene = job.look()
    live = scene.release
    if asked.version == live.stable:
        found = f"{asked.version} is the stable version already"
        return Preview(job.plan(scene, live), [found], False, None)
    images = opening.pair_of(asked, live, job.file, job.digests)
    weight = scene.weight
    progress = live.progress or Progress(documents.new_id(), (weight,))
    release = scenes.with_canary(live, asked.version, images, weight, progress)
    objects = job.plan(scene, release)
    rate = measured(job, live)
    forecast = steps_at(job.file.rollout, rate, weight)
    head = [f"rollout of {asked.version} beside {live.stable}, which it would replace"]
    head += [f"  {change.item}: {change.reason}" for change in objects.changes]
    return Preview(
        objects, [*head, *told(job.file.rollout, rate, weight, forecast)], True, _dict(forecast)
    )


def measured(job: Job, release: Release, seconds: float = _MEASURED_SECONDS) -> float:
    """Requests per second that the entry service gets now."""
    reader, counters = Reader(job.client, release, job.context, histogram_edges()), Counters()
    first = reader.take()
    counters.take(first.counts, first.at)
    time.sleep(seconds)  # what is measured is what happens in this time
    second = reader.take()
    grown = counters.take(second.counts, second.at)
    requests = sum(
        tally.attempts
        for subset, tally in grown.items()
        if subset.service == release.entry.name and subset.version in release.deployed
    )
    return requests / (second.at - first.at)


def remaining(settings: Settings, weight: int) -> list[int]:
    """The weights from the present one on."""
    return ([weight] if weight else []) + [step for step in settings.steps if step > weight]


def steps_at(settings: Settings, rate: float, weight: int) -> planning.Plan | None:
    """What each step takes at this rate; None where nothing would ever be decided, or nothing is
    left to decide."""
    weights = remaining(settings, weight)
    if rate <= 0 or not any(each < 100 for each in weights):
        return None
    return planning.plan(settings, edges_of(settings), rate, weights)


def told(settings: Settings, rate: float, weight: int, forecast: planning.Plan | None) -> list[str]:
    weights = ", ".join(f"{each}%" for each in remaining(settings, weight))
    found = [f"the canary's weights: {weights}"]
    if rate <= 0:
        found.append(
            "no request was seen: without traffic nothing is ever decided, and the rollout would "
            f"end waiting after {lines.clock(settings.maximum_seconds)}"
        )
    if forecast is None:
        return found
    found.append(f"at {rate:.1f} requests per second, if nothing is wrong with the canary:")
    found += [
        f"  {step.weight:3d}%: {step.requests} canary requests, {lines.clock(step.seconds)}; nine "
        f"in ten need at most {step.requests_most}, {lines.clock(step.seconds_most)}"
        for step in forecast.steps
    ]
    total = _sum([step.seconds for step in forecast.steps])
    most = _sum([step.seconds_most for step in forecast.steps])
    found.append(f"  in all {lines.clock(total)}; nine in ten at most about {lines.clock(most)}")
    found.append(
        "a step without a decision ends waiting for a person after "
        f"{lines.clock(settings.maximum_seconds)} or {settings.maximum_requests} canary requests"
    )
    return found


def _sum(seconds: Sequence[float]) -> float:
    return float(sum(seconds))


def _dict(forecast: planning.Plan | None) -> dict[str, Any] | None:
    return None if forecast is None else forecast.as_dict()
