# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Everything else that a rollout has to show, each from what the file describes."""

from __future__ import annotations

import signal
import time

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.release.envoy_filters import Fault

from tests.rollout.conftest import (
    QUICK,
    broken,
    deployments,
    file,
    playbook,
    rollout,
    running,
    seconds_of,
    site,
    state,
    traffic,
    weights,
)

RATE = 100.0
LEAST_REQUESTS = 10_000
ROLLBACK_SECONDS = 3.0

pytestmark = pytest.mark.usefixtures("release")


def quick(**changes: object) -> dict[str, object]:
    return file(rollout={**QUICK, **changes})


def test_ten_thousand_requests_during_promotion_and_none_fails_or_mixes() -> None:
    with traffic(RATE) as seen:
        assert rollout("v2").code == 0
        seen.go_on_until(LEAST_REQUESTS)
    summary = seen.summary
    print(summary)
    assert summary.requests >= LEAST_REQUESTS
    assert summary.failures == {}
    assert summary.mixed == 0


def test_a_slow_canary_is_rolled_back() -> None:
    with broken("v2", Fault(delay_percent=100, delay_seconds=0.3)), traffic(50.0) as seen:
        ended = rollout("v2")
    assert ended.code != 0
    found = state()
    assert found.outcome == "rolled back"
    assert "p95 latency" in found.reason
    late = seen.last_of("v2") - seconds_of(found.steps[-1]["ended"])
    print(f"last answer {late:.2f} s after the decision")
    assert late <= ROLLBACK_SECONDS
    assert seen.summary.failures == {}
    assert deployments() == {"app-v1", "model-service-v1"}


@pytest.mark.parametrize(
    ("number", "line"),
    [
        (signal.SIGKILL, "v2 gets 25%"),
        (signal.SIGINT, "v2 gets 50%"),
    ],
)
def test_killed_the_weight_stays_and_the_next_call_goes_on(number: int, line: str) -> None:
    with traffic(50.0) as seen:
        with running("rollout", version="v2", release=quick()) as first:
            first.await_line(line)
            first.end(number)
        # What is left of a killed playbook notices that within this time.
        time.sleep(2)
        stands = weights()
        left = state()
        assert stands == {"v1": 100 - left.weight, "v2": left.weight}
        again = rollout("v2", release=quick())
    assert again.code == 0
    assert f"going on with rollout {left.id}" in again.output
    assert (state().id, state().outcome) == (left.id, "promoted")
    assert seen.summary.failures == {}
    assert seen.summary.mixed == 0


def test_a_weight_that_was_moved_by_hand_survives_site_yml() -> None:
    moved = playbook("shift", weight=37)
    assert moved.code == 0
    assert "canary: {version: v2, weight: 37}" in moved.output
    again = site()
    assert again.code == 0
    assert {host: counts["changed"] for host, counts in again.recap.items()} == dict.fromkeys(
        again.recap, 0
    )
    assert weights() == {"v1": 63, "v2": 37}


def test_two_at_once_are_refused_and_a_decision_ends_the_first() -> None:
    with traffic(20.0), running("rollout", version="v2") as first:
        first.await_line("v2  10%")
        second = rollout("v2")
        assert second.code != 0
        assert "a rollout of digits is steered by" in second.output
        shifted = playbook("shift", weight=50)
        assert "a rollout of digits is steered by" in shifted.output
        edited = file(
            services={**file()["services"], "app": {"port": 8080, "replicas": 3, "entry": True}}
        )
        refused = playbook("release", release=edited)
        assert refused.code != 0
        assert "a rollout is steered by" in refused.output
        decided = playbook("rollback")
        assert decided.code == 0
        assert "took over from" in decided.output
        ended = first.wait()
    assert ended.code != 0
    assert "took over" in ended.output
    assert weights() == {"v1": 100}
    assert state().outcome == "rolled back"


def test_no_traffic_is_never_health() -> None:
    waited = rollout("v2", release=quick(maximum_seconds=5))
    assert waited.code != 0
    found = state()
    assert found.outcome == "waiting"
    assert "canary requests are still missing" in found.reason
    assert weights() == {"v1": 90, "v2": 10}


def test_a_plan_touches_nothing() -> None:
    with traffic(50.0):
        planned = rollout("v2", "--check", "--diff")
    assert planned.code == 0
    assert "requests per second, if nothing is wrong with the canary" in planned.output
    assert weights() == {"v1": 90, "v2": 10}
    with pytest.raises(Exception, match="non-zero exit status"):
        state()


@pytest.mark.parametrize("fault", ["abort", "delay"])
def test_a_drill_reports_what_users_saw_and_leaves_no_fault(fault: str) -> None:
    with traffic(50.0):
        drilled = playbook("drill", drill_fault=fault)
    assert drilled.code == 0
    assert "s from the injection to the canary's last answer" in drilled.output
    assert "the fault is gone" in drilled.output
    assert weights() == {"v1": 100}


def test_the_same_images_again_and_unknown_versions_are_refused() -> None:
    assert playbook("rollback").code == 0
    unknown = playbook("rollout", version="v9")
    assert "v9 is none of the release's versions" in unknown.output
    same = file()["versions"]["v1"]
    again = playbook(
        "rollout", version="v9", app_image=same["app"], model_image=same["model-service"]
    )
    assert "v9 has the same images as v1" in again.output
    assert weights() == {"v1": 100}


def test_a_status_has_everything_on_one_screen() -> None:
    with traffic(50.0):
        found = playbook("status", window=5)
    assert found.code == 0
    for text in ("wanted 10%", "99.9% interval", "pairs: 0 mixed of", "p95", "no rollout yet"):
        assert text in found.output
