# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.traffic.load import Plan, Sample

QUANTILES = (0.5, 0.9, 0.95, 0.99)


@dataclass(frozen=True)
class Failure:
    count: int
    example: str


@dataclass(frozen=True)
class Summary:
    """What a run of requests showed; times in milliseconds."""

    requests: int
    seconds: float
    versions: dict[str, int]
    """Answers per version of the app (empty when no version header was asked for)."""
    pairs: dict[str, dict[str, int]]
    """Answers per version of the app and, within it, of the model-service."""
    failures: dict[str, Failure]
    latency: dict[str, float]
    latency_by_version: dict[str, dict[str, float]]

    @property
    def failed(self) -> int:
        return sum(failure.count for failure in self.failures.values())

    @property
    def mixed(self) -> int:
        """Answers to which an app and a model-service of different versions contributed."""
        return sum(
            count
            for app, models in self.pairs.items()
            for model, count in models.items()
            if model != app
        )

    @property
    def paired(self) -> int:
        return sum(count for models in self.pairs.values() for count in models.values())

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "failed": self.failed, "mixed": self.mixed, "paired": self.paired}


def summarize(samples: Sequence[Sample], plan: Plan, seconds: float) -> Summary:
    """Aggregate. An answer counts for its versions whatever its status; it also counts as
    failed if its status is 400 or more, or if a version header is missing that was asked for."""
    answered = [sample for sample in samples if sample.status is not None]
    versions = Counter(sample.app for sample in answered if sample.app)
    return Summary(
        requests=len(samples),
        seconds=round(seconds, 3),
        versions=dict(sorted(versions.items())),
        pairs=_pairs(answered),
        failures=_failures(samples, plan),
        latency=quantiles(sample.latency for sample in answered),
        latency_by_version={
            version: quantiles(sample.latency for sample in answered if sample.app == version)
            for version in sorted(versions)
        },
    )


def quantiles(seconds: Iterable[float]) -> dict[str, float]:
    """Nearest-rank quantiles, in milliseconds; empty without values."""
    ordered = sorted(seconds)
    if not ordered:
        return {}
    return {
        f"p{quantile * 100:g}": round(ordered[math.ceil(quantile * len(ordered)) - 1] * 1000, 1)
        for quantile in QUANTILES
    }


def _pairs(answered: Iterable[Sample]) -> dict[str, dict[str, int]]:
    counts = Counter((sample.app, sample.model) for sample in answered)
    pairs: dict[str, dict[str, int]] = {}
    for (app, model), count in counts.items():
        if app and model:
            pairs.setdefault(app, {})[model] = count
    return {app: dict(sorted(pairs[app].items())) for app in sorted(pairs)}


def _failures(samples: Iterable[Sample], plan: Plan) -> dict[str, Failure]:
    found: dict[str, Failure] = {}
    for sample in samples:
        kind = failure_kind(sample, plan)
        if kind is None:
            continue
        earlier = found.get(kind)
        if earlier is None:
            found[kind] = Failure(1, sample.detail or f"GET {plan.url}: {kind}")
        else:
            found[kind] = Failure(earlier.count + 1, earlier.example)
    return dict(sorted(found.items(), key=lambda item: -item[1].count))


def failure_kind(sample: Sample, plan: Plan) -> str | None:
    """Why this request counts as failed, or None."""
    if sample.failure is not None:
        return sample.failure
    if sample.status is None or sample.status >= 400:
        return f"HTTP {sample.status}"
    if plan.app_header and not sample.app:
        return f"no {plan.app_header} header"
    if plan.model_header and not sample.model:
        return f"no {plan.model_header} header"
    return None
