# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The statistics of one rollout: takes in looks, gives verdicts, and can be put down as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from ansible_collections.roost.cluster.plugins.module_utils.release.rollout_settings import Settings
from ansible_collections.roost.cluster.plugins.plugin_utils.decision import reasons
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.betting import Array
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.failures import FailureTest
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.latency import LatencyTest
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.looks import Look, Versions
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.verdict import (
    Bounds,
    Goals,
    MetricVerdict,
    Outcome,
    Test,
    Verdict,
)

FORMAT = 2
METRICS_PER_SERVICE = 2
_DIFFERENCES = (0.001, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.2, 0.35, 0.5, 1.0)
_RATIOS = (0.25, 0.5, 0.67, 0.8, 0.9, 1.0, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0, 2.5, 3.5, 5.0, 10.0)


def differences(margin: float) -> Array:
    """The differences of failure rates that are tested: 0 and the margin are among them."""
    return np.array(sorted({0.0, margin, *_DIFFERENCES, *(-d for d in _DIFFERENCES)}))


def ratios(margin: float) -> Array:
    """The ratios of p95 latencies that are tested: 1 and the margin are among them."""
    return np.array(sorted({margin, *_RATIOS}))


@dataclass
class Counted:
    """Requests of one service in the step that runs."""

    canary: int = 0
    canary_failed: int = 0
    stable: int = 0
    stable_failed: int = 0

    def add(self, look: Versions) -> None:
        self.canary += look.canary.attempts
        self.canary_failed += look.canary.failures
        self.stable += look.stable.attempts
        self.stable_failed += look.stable.failures


@dataclass
class _Service:
    failures: FailureTest
    latency: LatencyTest
    step: Counted = field(default_factory=Counted)


class Comparison:
    def __init__(self, settings: Settings, edges: Sequence[float], services: Sequence[str]) -> None:
        self.settings = settings
        self.edges = np.array(edges, dtype=float)
        if len(edges) < 2 or not (np.diff(self.edges) > 0).all() or self.edges[0] <= 0:
            raise ValueError(f"edges: got {list(edges)!r}; expected rising positive milliseconds")
        self.services = {name: self._service() for name in services}
        self.weight = 0
        self.seconds = 0.0
        self.looks = 0

    def _service(self) -> _Service:
        return _Service(
            FailureTest(differences(self.settings.failure_margin)),
            LatencyTest(self.edges, ratios(self.settings.latency_margin)),
        )

    def begin_step(self, weight: int) -> None:
        """The canary's weight changes. What was learned stays; the step's own counts begin."""
        self.weight = weight
        self.seconds = 0.0
        for service in self.services.values():
            service.step = Counted()

    def observe(self, look: Look) -> None:
        for name in look.services:
            if name not in self.services:
                known = ", ".join(sorted(self.services))
                raise ValueError(f"look: got the service {name!r}; expected one of {known}")
        self.seconds += look.seconds
        self.looks += 1
        for name, versions in look.services.items():
            self._observe(self.services[name], versions)

    def _observe(self, service: _Service, versions: Versions) -> None:
        service.step.add(versions)
        canary, stable = versions.canary, versions.stable
        # A request that began in one look and failed in the next may make failures outnumber
        # attempts; each failure is a request at least.
        service.failures.observe(
            np.array(float(max(canary.attempts, canary.failures))),
            np.array(float(canary.failures)),
            np.array(float(max(stable.attempts, stable.failures))),
            np.array(float(stable.failures)),
        )
        service.latency.observe(
            self._histogram(canary.histogram), self._histogram(stable.histogram)
        )

    def _histogram(self, counts: tuple[int, ...]) -> Array:
        size = len(self.edges) + 1
        if counts and len(counts) != size:
            raise ValueError(f"histogram: got {len(counts)} counts; expected {size}")
        return np.array(counts or (0,) * size, dtype=float)

    def verdict(self, holds: Mapping[str, str] | None = None) -> Verdict:
        """What has been shown so far. `holds` names services that may not advance now, and why."""
        goals = Goals.of(self.settings, METRICS_PER_SERVICE * len(self.services))
        metrics = tuple(
            self._metric(name, words, goals)
            for name in self.services
            for words in (reasons.FAILURES, reasons.LATENCY)
        )
        blocked = self._blocked(holds or {})
        if any(metric.outcome is Outcome.ROLL_BACK for metric in metrics):
            outcome = Outcome.ROLL_BACK
        elif blocked or any(metric.outcome is Outcome.WAIT for metric in metrics):
            outcome = Outcome.WAIT
        else:
            outcome = Outcome.ADVANCE
        missing, seconds = self._missing(metrics)
        exhausted = self._exhausted() if outcome is Outcome.WAIT else ""
        reason = reasons.of_all(outcome, metrics, blocked, exhausted)
        if outcome is not Outcome.WAIT:
            missing, seconds = 0, 0.0
        return Verdict(outcome, reason, metrics, missing, seconds, bool(exhausted))

    def _metric(self, name: str, words: reasons.Words, goals: Goals) -> MetricVerdict:
        service, settings = self.services[name], self.settings
        test: Test
        if words is reasons.FAILURES:
            test, margin = service.failures, settings.failure_margin
            weight, values = service.failures.recent[0], service.failures.rates()
        else:
            test, margin = service.latency, settings.latency_margin
            weight, values = service.latency.weight, service.latency.quantiles()
        bounds = Bounds.of(test, goals)
        outcome = Outcome.WAIT
        if bounds.worse(test.neutral, margin):
            outcome = Outcome.ROLL_BACK
        elif bounds.within(margin):
            outcome = Outcome.ADVANCE
        at_margin = int(np.searchsorted(test.grid, margin))
        at_neutral = int(np.searchsorted(test.grid, test.neutral))
        missing = test.requests_until_below(goals.within, self._share(service))[at_margin]
        found = MetricVerdict(
            service=name,
            metric=words.metric,
            outcome=outcome,
            reason="",
            canary=float(values[0]) if weight > 0 else None,
            stable=float(values[1]) if weight > 0 else None,
            estimate=float(bounds.estimate),
            lower=_number(bounds.lower),
            upper=_number(bounds.upper),
            margin=margin,
            evidence_worse=_decimal(test.evidence_above()[at_neutral]),
            evidence_within=_decimal(test.evidence_below()[at_margin]),
            goal_worse=_decimal(goals.worse),
            goal_within=_decimal(goals.within),
            missing=math.ceil(missing) if missing <= settings.maximum_requests else None,
        )
        return replace(found, reason=reasons.of_metric(words, found))

    def _share(self, service: _Service) -> float:
        """The canary's share of this service's requests, as it is or as it should be."""
        counted = service.step
        if counted.canary and counted.stable:
            return counted.canary / (counted.canary + counted.stable)
        return min(max(self.weight / 100, 0.01), 0.99)

    def _blocked(self, holds: Mapping[str, str]) -> str:
        """Why the step may not end although every metric would allow it; empty if it may."""
        for name, why in holds.items():
            return f"{name} can't advance: {why}"
        least = self.settings.minimum_requests
        for name, service in self.services.items():
            if service.step.canary < least:
                return (
                    f"{name} had {service.step.canary} canary requests in this step; "
                    f"expected at least {least}"
                )
        return ""

    def _missing(self, metrics: Sequence[MetricVerdict]) -> tuple[int | None, float | None]:
        """Canary requests of the service that needs most, and how long they take to come."""
        most, longest = 0, 0.0
        for name, service in self.services.items():
            counted = service.step.canary
            needed = [m.missing for m in metrics if m.service == name]
            needed.append(max(self.settings.minimum_requests - counted, 0))
            known = [count for count in needed if count is not None]
            if len(known) < len(needed):
                return None, None
            most = max(most, *known)
            rate = counted / self.seconds if self.seconds else 0.0
            longest = max(longest, max(known) / rate if rate else math.inf if max(known) else 0.0)
        return most, longest if math.isfinite(longest) else None

    def _exhausted(self) -> str:
        settings = self.settings
        if self.seconds >= settings.maximum_seconds:
            return f"no decision within the longest wait of {settings.maximum_seconds} s"
        exposed = max(service.step.canary for service in self.services.values())
        if exposed >= settings.maximum_requests:
            return f"no decision within {settings.maximum_requests} canary requests of a step"
        return ""

    def as_dict(self) -> dict[str, Any]:
        """Everything that the next verdict depends on, as JSON has it."""
        return {
            "format": FORMAT,
            "settings": self.settings.as_block(),
            "edges": self.edges.tolist(),
            "weight": self.weight,
            "seconds": self.seconds,
            "looks": self.looks,
            "services": {
                name: {
                    "step": asdict(service.step),
                    "failures": _lists(service.failures.arrays()),
                    "latency": _lists(service.latency.arrays()),
                }
                for name, service in self.services.items()
            },
        }

    @classmethod
    def from_dict(cls, block: Mapping[str, Any]) -> Comparison:
        if block.get("format") != FORMAT:
            raise ValueError(f"the evidence: got format {block.get('format')!r}; expected {FORMAT}")
        services = block["services"]
        found = cls(Settings(**block["settings"]), block["edges"], list(services))
        found.weight, found.seconds = block["weight"], block["seconds"]
        found.looks = block["looks"]
        for name, service in found.services.items():
            service.step = Counted(**services[name]["step"])
            service.failures.restore(_arrays(services[name]["failures"]))
            service.latency.restore(_arrays(services[name]["latency"]))
        return found


def _lists(arrays: Mapping[str, Array]) -> dict[str, Any]:
    return {name: array.tolist() for name, array in arrays.items()}


def _arrays(lists: Mapping[str, Any]) -> dict[str, Array]:
    return {name: np.array(values, dtype=float) for name, values in lists.items()}


def _number(value: Array) -> float | None:
    return None if np.isnan(value) else float(value)


def _decimal(logarithm: float) -> float:
    return float(logarithm) / math.log(10)
