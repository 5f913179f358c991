# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.verify.envoy_stats import (
    Cluster,
    Counts,
    by_subset,
    parse,
)

# Recorded from a stock Envoy 1.40 with Istio's statistics tags: 60 requests to each of 18 clusters,
# whose upstreams answer 503, reset, cut the body, hang, refuse, … each once with
# "retry on 5xx, reset, connect-failure, twice" and once without. The subset's name says which.
RECORDED = parse((Path(__file__).parent / "data/envoy_stats.prom").read_text())


def counts(subset: str) -> Counts:
    return RECORDED[Cluster(8080, subset, "app.digits.svc.cluster.local")]


@pytest.mark.parametrize(
    ("subset", "attempts", "failures"),
    [
        ("fine", 60, 0),
        ("fine-retried", 60, 0),
        # A 4xx is an answer.
        ("404", 60, 0),
        ("503", 60, 28),
        # The client saw 3 failures; 32 more attempts failed and were repeated.
        ("503-retried", 92, 3 + 32),
        ("reset", 60, 16),
        # Retried resets got no answer: they show only as retries without one.
        ("reset-retried", 80, 2 + 20),
        # The answers were counted as 200 before their bodies were cut off.
        ("broken-body", 60, 14),
        ("broken-body-retried", 60, 17),
        ("slow", 60, 19),
        ("slow-retried", 84, 24),
        # Attempts that found no connection are not in upstream_rq_total.
        ("refused", 60, 60),
        ("refused-retried", 180, 180),
        ("half-refused", 60, 30),
        ("half-refused-retried", 120, 60),
        ("empty", 60, 60),
        ("empty-retried", 60, 60),
    ],
)
def test_attempts_and_failures(subset: str, attempts: int, failures: int) -> None:
    assert (counts(subset).attempts, counts(subset).failures) == (attempts, failures)


def test_answers_are_what_the_client_saw() -> None:
    assert len(RECORDED) == 18
    assert {found.answers for found in RECORDED.values()} == {60}


def test_each_attempt_ended_as_an_answer_or_was_retried() -> None:
    for cluster, found in RECORDED.items():
        assert found.attempts == found.answers + found.retries, cluster


def test_code_and_class_lines_of_one_metric_are_not_added_up() -> None:
    name = 'cluster_name="outbound|8080|v2|app.digits.svc.cluster.local"'
    text = "\n".join(
        [
            "# TYPE envoy_cluster_upstream_rq counter",
            f'envoy_cluster_upstream_rq{{{name},response_code="503"}} 7',
            f'envoy_cluster_upstream_rq{{{name},response_code="500"}} 2',
            f'envoy_cluster_upstream_rq{{{name},response_code_class="5xx"}} 9',
            f'envoy_cluster_upstream_rq{{{name},response_code_class="2xx"}} 90',
            f"envoy_cluster_upstream_rq_completed{{{name}}} 99",
        ]
    )
    (found,) = parse(text).values()
    assert (found.answers, found.answers_5xx) == (99, 9)


def test_subsets_of_one_service_in_one_namespace() -> None:
    def line(name: str, value: int) -> str:
        return f'envoy_cluster_upstream_rq_completed{{cluster_name="{name}"}} {value}'

    text = "\n".join(
        [
            line("outbound|8080|v1|app.digits.svc.cluster.local", 90),
            line("outbound|8080|v2|app.digits.svc.cluster.local;", 10),
            line("outbound|8080||app.digits.svc.cluster.local", 1),
            line("outbound|8080|v1|app.other.svc.cluster.local", 5),
            line("outbound|8080|v1|my-app.digits.svc.cluster.local", 5),
            line("inbound|8080||", 5),
            line("xds-grpc", 5),
        ]
    )
    found = by_subset(parse(text), "app", "digits")
    assert {subset: item.answers for subset, item in found.items()} == {"v1": 90, "v2": 10, "": 1}
