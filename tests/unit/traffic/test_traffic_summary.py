# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.traffic.load import Plan, Sample
from ansible_collections.roost.cluster.plugins.module_utils.traffic.summary import (
    Failure,
    quantiles,
    summarize,
)

PLAN = Plan(
    url="http://app/",
    requests=10,
    time_limit=1,
    app_header="x-app-version",
    model_header="x-model-version",
)


def answer(app: str | None, model: str | None, status: int = 200, latency: float = 0.01) -> Sample:
    return Sample(latency=latency, status=status, app=app, model=model)


def test_counts_versions_pairs_and_mixed_pairs() -> None:
    samples = [answer("v1", "v1")] * 5 + [answer("v2", "v2")] * 2 + [answer("v1", "v2")]
    summary = summarize(samples, PLAN, 1.0)
    assert summary.versions == {"v1": 6, "v2": 2}
    assert summary.pairs == {"v1": {"v1": 5, "v2": 1}, "v2": {"v2": 2}}
    assert (summary.paired, summary.mixed, summary.failed) == (8, 1, 0)


def test_an_error_answer_counts_for_its_version_and_as_failed() -> None:
    summary = summarize([answer("v2", None, status=503), answer("v1", "v1")], PLAN, 1.0)
    assert summary.versions == {"v1": 1, "v2": 1}
    assert summary.failures == {"HTTP 503": Failure(1, "GET http://app/: HTTP 503")}


def test_a_missing_header_is_a_failure_only_if_it_was_asked_for() -> None:
    samples = [answer(None, None), answer("v1", None)]
    assert {kind: item.count for kind, item in summarize(samples, PLAN, 1.0).failures.items()} == {
        "no x-app-version header": 1,
        "no x-model-version header": 1,
    }
    assert summarize(samples, Plan(url="http://app/", requests=1, time_limit=1), 1.0).failed == 0


def test_failures_are_sorted_by_number_and_keep_the_first_example() -> None:
    samples = [
        Sample(latency=1, failure="timeout", detail="t"),
        Sample(latency=0, failure="connection refused", detail="first"),
        Sample(latency=0, failure="connection refused", detail="second"),
    ]
    summary = summarize(samples, PLAN, 1.0)
    assert list(summary.failures.items()) == [
        ("connection refused", Failure(2, "first")),
        ("timeout", Failure(1, "t")),
    ]
    assert summary.latency == {}


def test_quantiles_are_nearest_ranks_in_milliseconds() -> None:
    values = [number / 1000 for number in range(100, 0, -1)]
    assert quantiles(values) == {"p50": 50.0, "p90": 90.0, "p95": 95.0, "p99": 99.0}
    assert quantiles([0.0042]) == dict.fromkeys(("p50", "p90", "p95", "p99"), 4.2)
    assert quantiles([]) == {}


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_latency_is_kept_for_each_version(version: str) -> None:
    samples = [answer("v1", "v1", latency=0.01)] * 3 + [answer("v2", "v2", latency=0.03)] * 3
    found = summarize(samples, PLAN, 1.0).latency_by_version[version]
    assert found["p50"] == {"v1": 10.0, "v2": 30.0}[version]
