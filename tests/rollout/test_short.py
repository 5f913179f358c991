# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The short form: a good canary is promoted, a bad one rolled back, and what can't be is refused.

The tests stand in the order in which they run, for a promotion is what the rest begins with.
"""

from __future__ import annotations

from datetime import datetime

from ansible_collections.roost.cluster.plugins.module_utils.release.spec import read
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout import fault

from tests.command import Ran
from tests.rollout.conftest import (
    deployments,
    file,
    images,
    kubectl_plain,
    last,
    playbook,
    rollout,
    state,
    traffic,
    weights,
)

RATE = 50.0
LEAST_REQUESTS = 2_000
ROLLBACK_SECONDS = 3.0
ROLLBACK_REQUESTS = 100
STEP_SECONDS = 120.0


def seconds_of(stamp: str) -> float:
    return datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()


def test_another_canary_than_the_live_one_is_refused(cluster: Ran) -> None:
    refused = rollout("v3")
    assert refused.code != 0
    assert "v2 is the canary of digits now, at 10%" in refused.output
    assert "ansible-playbook playbooks/promote.yml" in refused.output
    assert "ansible-playbook playbooks/rollback.yml" in refused.output
    assert weights() == {"v1": 90, "v2": 10}


def test_a_good_canary_is_promoted_without_a_failed_request(cluster: Ran) -> None:
    with traffic(RATE) as seen:
        ended = rollout("v2")
        assert ended.code == 0
    summary = seen.summary
    print(summary)
    assert summary.requests >= LEAST_REQUESTS
    assert summary.failures == {}
    assert summary.mixed == 0
    found = state()
    assert found.outcome == "promoted"
    assert found.weights == (10, 25, 50, 100)
    first = found.steps[0]
    seconds = seconds_of(first["ended"]) - seconds_of(first["began"])
    print(f"the step at 10% was decided in {seconds:.0f} s")
    assert seconds < STEP_SECONDS
    assert weights() == {"v2": 100}
    assert deployments() == {"app-v2", "model-service-v2"}
    assert {sample.app for sample in seen.samples[-20:]} == {"v2"}


def test_a_canary_that_fails_every_second_request_is_rolled_back(cluster: Ran) -> None:
    release, _problems = read(file())
    assert release
    import json

    item = fault.abort(release, "v3", 50)
    kubectl_plain_stdin(json.dumps(item))
    try:
        with traffic(RATE) as seen:
            ended = rollout("v3")
    finally:
        kubectl_plain("delete", "envoyfilter", item["metadata"]["name"])
    assert ended.code != 0
    assert "rolled back" in ended.output
    found = state()
    assert found.outcome == "rolled back"
    decided = seconds_of(found.steps[-1]["ended"])
    canary = seen.of("v3")
    bad = [sample for sample in canary if (sample.status or 0) >= 500]
    print(
        f"{len(canary)} answers of the canary, the last {last(canary) - decided:.2f} s after the "
        f"decision; {len(bad)} bad"
    )
    assert last(canary) - decided <= ROLLBACK_SECONDS
    counts = found.steps[-1]["counts"]["app"]
    assert counts["canary"] <= ROLLBACK_REQUESTS
    assert weights() == {"v2": 100}
    assert deployments() == {"app-v2", "model-service-v2"}


def kubectl_plain_stdin(text: str) -> None:
    import subprocess

    from tests.command import REPOSITORY
    from tests.e2e.conftest import SETTINGS, run

    binary = run("python", "-m", "bundle", "path", "kubectl").output.strip()
    kubeconfig = REPOSITORY / ".roost" / SETTINGS["ROOST_CLUSTER"] / "kubeconfig"
    subprocess.run(
        [binary, f"--kubeconfig={kubeconfig}", "apply", "-f", "-"],
        input=text,
        text=True,
        check=True,
    )


def test_a_rollout_of_the_stable_version_changes_nothing(cluster: Ran) -> None:
    again = rollout("v2")
    assert again.code == 0
    assert again.recap["localhost"]["changed"] == 0


def test_the_file_that_was_not_edited_leaves_what_was_promoted(cluster: Ran) -> None:
    plain = playbook("release")
    assert plain.code == 0
    assert plain.recap["localhost"]["changed"] == 0
    assert weights() == {"v2": 100}


__all__ = ["images"]
