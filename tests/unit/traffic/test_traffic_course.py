# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the tests of faults say that users saw."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime, timezone

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.traffic.load import Plan, Sample

from tests import course

PLAN = Plan(url="http://127.0.0.1/", requests=400, time_limit=10, rate=course.RATE)
START = 1_000_000.0
SPAN = course.Span(START, fault=START + 3, end=START + 10)
GOOD = [Sample(latency=0.01, at=START + index / 40 + 0.01, status=200) for index in range(400)]


def due(sample: Sample) -> float:
    return round(sample.at - sample.latency - START, 3)


def test_nothing_is_seen_where_nothing_fails() -> None:
    found = course.course_of(GOOD, PLAN, SPAN)
    assert (found.failed, found.slow, found.normal_after, found.before) == (0, 0, 0.0, 0)
    assert found.gap == pytest.approx(0.025)


def test_an_outage_is_measured() -> None:
    # From 4 s to 6 s nothing is answered, and a single request fails at 7 s.
    def outcome(sample: Sample) -> Sample:
        if 4 <= due(sample) < 6 or due(sample) == 7:
            return replace(sample, status=None, failure="connection refused")
        return sample

    found = course.course_of([outcome(sample) for sample in GOOD], PLAN, SPAN)
    assert found.failed == 81
    assert found.kinds == {"connection refused": 81}
    assert found.gap == pytest.approx(2.025)
    assert found.normal_after == pytest.approx(4.025)


def test_slow_answers_are_seen_too_and_those_under_way_at_the_fault_count() -> None:
    late = replace(GOOD[100], latency=2.5, at=GOOD[100].at + 2.49)
    found = course.course_of([*GOOD[:100], late, *GOOD[101:]], PLAN, SPAN)
    assert (found.failed, found.slow, found.before) == (0, 1, 0)
    assert found.normal_after == 0.0


def test_what_was_wrong_before_the_fault_is_told() -> None:
    samples = [replace(GOOD[0], status=503), *GOOD[1:]]
    assert course.course_of(samples, PLAN, SPAN).before == 1


def test_an_end_without_answers_is_a_gap() -> None:
    assert course.course_of(GOOD[:200], PLAN, SPAN).gap == pytest.approx(5.015)


@pytest.mark.parametrize(
    ("state", "restarted", "is_ready"),
    [
        ({"running": {"startedAt": "2026-01-01T00:00:10Z"}}, {}, True),
        ({"running": {"startedAt": "2026-01-01T00:00:10Z"}}, {"worker-1": 10.9}, True),
        # Told of the time before its node went.
        ({"running": {"startedAt": "2026-01-01T00:00:10Z"}}, {"worker-1": 20}, False),
        ({"running": {"startedAt": "2026-01-01T00:00:10Z"}}, {"worker-2": 20}, True),
        ({"waiting": {"reason": "ContainerCreating"}}, {}, False),
    ],
)
def test_what_is_told_from_before_a_restart_is_not_taken_for_ready(
    state: dict[str, dict[str, str]], restarted: dict[str, float], is_ready: bool
) -> None:
    pod = {
        "metadata": {"name": "app-1"},
        "spec": {"nodeName": "worker-1"},
        "status": {"containerStatuses": [{"state": state}]},
    }
    midnight = datetime(2026, 1, 1, tzinfo=timezone.utc).timestamp()
    moments = {node: midnight + seconds for node, seconds in restarted.items()}

    def kubectl(*words: str) -> str:
        return json.dumps({"items": [pod]}) if words[0] == "get" else ""

    with nullcontext() if is_ready else pytest.raises(AssertionError):
        course.ready(kubectl, moments)
