# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The short form: a good canary is promoted, a bad one rolled back, and what can't be is refused.

The tests stand in the order in which they run: what one leaves is what the next begins with.
"""

from __future__ import annotations

from ansible_collections.roost.cluster.plugins.module_utils.release.envoy_filters import Fault

from tests.rollout.conftest import (
    broken,
    deployments,
    playbook,
    rollout,
    seconds_of,
    state,
    traffic,
    weights,
)

RATE = 50.0
# Of healthy steps at this rate 99% are decided within 165 s, when played (docs/statistics.md).
STEP_SECONDS = 300.0
ROLLBACK_SECONDS = 3.0
ROLLBACK_REQUESTS = 100


def test_a_version_beside_another_canary_is_refused_with_both_ways_out(cluster: None) -> None:
    refused = rollout("v3")
    assert refused.code != 0
    assert "v2 is the canary of digits now, at 10%" in refused.output
    assert "ansible-playbook playbooks/promote.yml" in refused.output
    assert "ansible-playbook playbooks/rollback.yml" in refused.output
    assert weights() == {"v1": 90, "v2": 10}


def test_a_good_canary_is_promoted_without_a_failed_or_mixed_request(cluster: None) -> None:
    with traffic(RATE) as seen:
        ended = rollout("v2")
    assert ended.code == 0
    assert seen.summary.failures == {}
    assert seen.summary.mixed == 0
    assert seen.samples[-1].app == "v2"
    found = state()
    assert (found.outcome, found.weights) == ("promoted", (10, 25, 50, 100))
    first = found.steps[0]
    seconds = seconds_of(first["ended"]) - seconds_of(first["began"])
    print(f"{seen.summary.requests} requests; the step at 10% took {seconds:.0f} s")
    assert seconds < STEP_SECONDS
    assert weights() == {"v2": 100}
    assert deployments() == {"app-v2", "model-service-v2"}


def test_a_file_that_was_not_edited_leaves_what_was_promoted(cluster: None) -> None:
    plain = playbook("release")
    assert plain.code == 0
    assert plain.recap["localhost"]["changed"] == 0
    assert weights() == {"v2": 100}


def test_a_canary_that_fails_every_second_request_is_rolled_back_at_once(cluster: None) -> None:
    with broken("v3", Fault(abort_percent=50)), traffic(RATE) as seen:
        ended = rollout("v3")
    assert ended.code != 0
    found = state()
    assert found.outcome == "rolled back"
    late = seen.last_of("v3") - seconds_of(found.steps[-1]["ended"])
    requests = found.steps[-1]["counts"]["app"]["canary"]
    print(f"last answer {late:.2f} s after the decision, which took {requests} canary requests")
    print(f"{len(seen.bad)} bad answers of {seen.summary.requests}")
    assert late <= ROLLBACK_SECONDS
    assert requests <= ROLLBACK_REQUESTS
    assert weights() == {"v2": 100}
    assert deployments() == {"app-v2", "model-service-v2"}


def test_a_rollout_of_the_stable_version_changes_nothing(cluster: None) -> None:
    again = rollout("v2")
    assert again.code == 0
    assert again.recap["localhost"]["changed"] == 0
