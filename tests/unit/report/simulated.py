# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documents of rollouts with simulated traffic, judged by what judges real ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
from ansible_collections.roost.cluster.plugins.module_utils.release.rollout_settings import Settings
from ansible_collections.roost.cluster.plugins.module_utils.release.telemetry import (
    histogram_edges,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.comparison import Comparison
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.looks import (
    Look,
    Tally,
    Versions,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.planning import plan
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.rehearsal import (
    Quality,
    Rehearsal,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.verdict import Outcome, Verdict

SERVICES = ("app", "model-service")
STEPS = (5, 10, 25, 50)
EDGES = histogram_edges()
BEGAN = datetime(2026, 3, 14, 9, 30, tzinfo=timezone.utc)
DIGEST = "sha256:" + "0123456789abcdef" * 4
# The weight and the number of the look; one quality for each service's canary.
Canary = Callable[[int, int], tuple[Quality, Quality]]

HEALTHY = (Quality(), Quality(median_ms=8.0))


def healthy(_weight: int, _look: int) -> tuple[Quality, Quality]:
    return HEALTHY


def slow_from_25(weight: int, _look: int) -> tuple[Quality, Quality]:
    """The model-service can't take the load of the third step."""
    slow = replace(HEALTHY[1], median_ms=HEALTHY[1].median_ms * 2)
    return HEALTHY[0], slow if weight >= 25 else HEALTHY[1]


def stamp(seconds: float) -> str:
    return (BEGAN + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


class Rollout:
    """Walks the steps and writes down what the document of a rollout has."""

    def __init__(self, canary: Canary, rate: float = 50.0, seed: int = 1) -> None:
        self.canary, self.rate = canary, rate
        self.settings = Settings()
        self.random = np.random.default_rng(seed)
        self.comparison = Comparison(self.settings, EDGES, SERVICES)
        self.shares = Rehearsal(self.settings, STEPS, np.array(EDGES), 1, seed).shares
        self.now = 20.0
        self.steps: list[dict[str, Any]] = []
        self.looks: list[dict[str, Any]] = []
        self.verdict: Verdict | None = None

    def document(self, most_looks: int = 400) -> dict[str, Any]:
        outcome, reason = self._walk(most_looks)
        return {
            "format": 1,
            "id": "k3v9x2ab",
            "release": "digits",
            "namespace": "digits",
            "who": "ada@lab-1",
            "began": stamp(0),
            "ended": stamp(self.now),
            "outcome": outcome,
            "reason": reason,
            "stable": _pair("v1"),
            "canary": _pair("v2"),
            "settings": self.settings.as_block(),
            "plan": plan(self.settings, EDGES, self.rate, STEPS).as_dict() if self.rate else None,
            "steps": self.steps,
            "looks": self.looks,
            "looks_left_out": 0,
            "verdict": self.verdict.as_dict() if self.verdict else None,
            "override_share": {"model-service": 0.031},
            "sources": "Envoy's counters of each subset, of every gateway and every app's sidecar",
        }

    def _walk(self, most_looks: int) -> tuple[str, str]:
        for weight in STEPS:
            self.comparison.begin_step(weight)
            self.steps.append(
                {
                    "weight": weight,
                    "began": stamp(self.now),
                    "ended": None,
                    "outcome": None,
                    "reason": "",
                    "counts": {},
                }
            )
            verdict = self._look()
            while verdict.outcome is Outcome.WAIT and len(self.looks) < most_looks:
                verdict = self._look()
            self.steps[-1] |= {
                "ended": stamp(self.now),
                "outcome": verdict.outcome.value,
                "reason": verdict.reason,
            }
            if verdict.outcome is not Outcome.ADVANCE:
                ended = "rolled back" if verdict.outcome is Outcome.ROLL_BACK else "waiting"
                return ended, verdict.reason
        return "promoted", verdict.reason

    def _look(self) -> Verdict:
        weight = self.comparison.weight
        qualities = zip(HEALTHY, self.canary(weight, len(self.looks)), strict=True)
        services = {
            name: Versions(
                self._tally(self.rate * 5 * weight / 100, new),
                self._tally(self.rate * 5 * (1 - weight / 100), good),
            )
            for name, (good, new) in zip(SERVICES, qualities, strict=True)
        }
        self.now += 5.0
        self.comparison.observe(Look(5.0, services))
        verdict = self.verdict = self.comparison.verdict()
        self.steps[-1]["counts"] = {
            name: asdict(service.step) for name, service in self.comparison.services.items()
        }
        self.looks.append(_look(stamp(self.now), weight, services, verdict))
        return verdict

    def _tally(self, expected: float, quality: Quality) -> Tally:
        count = int(self.random.poisson(expected))
        failed = int(self.random.binomial(count, quality.failure_rate))
        histogram = self.random.multinomial(count, self.shares(quality))
        return Tally(count, failed, tuple(int(part) for part in histogram))


def _look(at: str, weight: int, services: dict[str, Versions], verdict: Verdict) -> dict[str, Any]:
    return {
        "at": at,
        "weight": weight,
        "seconds": 5.0,
        "services": {
            name: {
                "canary": [versions.canary.attempts, versions.canary.failures],
                "stable": [versions.stable.attempts, versions.stable.failures],
            }
            for name, versions in services.items()
        },
        "metrics": [
            [
                metric.service,
                metric.metric,
                metric.canary,
                metric.stable,
                metric.estimate,
                metric.lower,
                metric.upper,
                metric.evidence_worse,
                metric.evidence_within,
            ]
            for metric in verdict.metrics
        ],
    }


def _pair(version: str) -> dict[str, Any]:
    images = {name: f"roost/{name}:{version}@{DIGEST}" for name in SERVICES}
    return {"version": version, "images": images}
