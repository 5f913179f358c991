# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whole rollouts in the small world: what is live never breaks a rule, wherever it is killed."""

from __future__ import annotations

import html
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.release import objects, planning
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout import (
    decide,
    preview,
    readings,
    reports,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout import scene as scenes
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.store import Store
from release_samples import resolved
from release_world import CONTEXT
from rollout_site import Heart, Rollout, desk, killed_after, site

SEEDS = range(3)
ONLY_V1 = {"canary": None}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_good_canary_is_promoted(seed: int, no_forecast: None) -> None:
    found = site(seed)
    document = Rollout(found, "v2").go()
    assert document.outcome == "promoted", document.reason
    assert document.weights == (10, 25, 50, 100)
    assert found.violations == []
    live = found.live()
    assert (live.stable, live.canary, live.progress) == ("v2", None, None)
    assert not any("v1" in key for key in found.store if key.startswith("Deployment"))


def test_a_report_has_the_verdict_and_can_be_read_by_people_and_programs(tmp_path: Path) -> None:
    found = site()
    found.failing["v2"] = 0.5
    rollout = Rollout(found, "v2")
    rollout.job = replace(rollout.job, reports=tmp_path / "reports")
    document = rollout.go()
    page, data = sorted((tmp_path / "reports").iterdir())
    assert (page.name, data.name) == (f"digits-{document.id}.html", f"digits-{document.id}.json")
    assert json.loads(data.read_text())["outcome"] == "rolled back"
    assert html.escape(document.reason) in page.read_text()
    assert f"report: {page}" in rollout.told


@pytest.mark.parametrize("seed", SEEDS)
def test_a_version_without_pods_is_brought_up_first(seed: int, no_forecast: None) -> None:
    found = site(seed, **ONLY_V1)
    document = Rollout(found, "v3", **ONLY_V1).go()
    assert document.outcome == "promoted", document.reason
    assert document.weights == (5, 10, 25, 50, 100)
    assert found.violations == []


@pytest.mark.parametrize("seed", SEEDS)
def test_a_canary_that_fails_is_rolled_back(seed: int) -> None:
    found = site(seed)
    found.failing["v2"] = 0.5
    document = Rollout(found, "v2").go()
    assert document.outcome == "rolled back"
    assert found.violations == []
    live = found.live()
    assert (live.stable, live.canary) == ("v1", None)
    assert live.ended == (document.id,)
    assert document.steps[-1]["counts"]["app"]["canary"] <= 100


def test_a_slow_canary_is_rolled_back(monkeypatch: pytest.MonkeyPatch) -> None:
    steps_at = preview.steps_at
    # The world's requests come much faster than real ones.
    monkeypatch.setattr(preview, "steps_at", lambda known, _rate, at: steps_at(known, 40.0, at))
    found = site()
    found.slow["v2"] = 0.6
    rollout = Rollout(found, "v2")
    document = rollout.go()
    assert document.outcome == "rolled back"
    assert "latency" in document.reason
    # Until then it told what it would take with a good one.
    assert document.plan and [step["weight"] for step in document.plan["steps"]] == [10, 25, 50]
    assert any("if nothing is wrong with the canary" in line for line in rollout.told)


def test_no_traffic_is_never_health(monkeypatch: pytest.MonkeyPatch) -> None:
    found = site()
    # The seconds between readings are the world's.
    monkeypatch.setattr(readings, "time", SimpleNamespace(time=found.clock, monotonic=found.clock))
    rollout = Rollout(found, "v2", quiet=True, rollout={"maximum_seconds": 20})
    document = rollout.go()
    assert document.outcome == "waiting"
    assert "no sign of health" in document.reason
    assert "canary requests are still missing" in document.reason
    assert found.live().canary.weight == 10


# Decided at the first look of each step, so that most of what happens are changes.
QUICK = {**ONLY_V1, "rollout": {"failure_margin": 0.5, "latency_margin": 6, "minimum_requests": 5}}


@pytest.mark.parametrize("bad", [False, True])
@pytest.mark.parametrize("calls", range(1, 44, 3))
def test_killed_anywhere_the_next_call_ends_it(calls: int, bad: bool, no_forecast: None) -> None:
    found = site(**ONLY_V1)
    found.failing["v3"] = 0.8 * bad
    wanted = "v1" if bad else "v3"
    assert killed_after(found, "v3", calls, **QUICK) or bad
    calm = (found.live().stable, found.live().canary) == ("v3", None)
    if not calm:
        # What the next call doesn't go on with, because it is over, it would begin anew.
        document = Rollout(found, "v3", **QUICK).go()
        assert document.outcome == ("rolled back" if bad else "promoted"), document.reason
    assert found.violations == []
    assert found.live().stable == wanted


def test_a_rollback_that_was_killed_is_finished_and_not_begun_anew(no_forecast: None) -> None:
    for calls in range(20, 60):
        found = site(**ONLY_V1)
        found.failing["v3"] = 0.8
        if killed_after(found, "v3", calls, **QUICK) and found.live().ended:
            break
    else:
        raise AssertionError("it was never killed between the weight and the end")
    left = Store("digits", "digits").read(found)
    assert left and left.document.outcome == "running"
    # By now it would pass for a good one.
    found.failing["v3"] = 0.0
    document = Rollout(found, "v3", **QUICK).go()
    assert (document.id, document.outcome) == (left.document.id, "rolled back")
    assert "failures" in document.reason
    assert not any("v3" in key for key in found.store if key.startswith("Deployment"))
    assert found.violations == []


@pytest.mark.parametrize("failing", [0.0, 0.5])
def test_afterwards_an_unedited_file_changes_nothing(failing: float, no_forecast: None) -> None:
    found = site()
    found.failing["v2"] = failing
    Rollout(found, "v2").go()
    plan = planning.plan(resolved(), found, CONTEXT)
    assert plan.changes == []
    assert any("live differs from the file" in note for note in plan.notes)


@pytest.mark.parametrize("sticky", [True, False])
def test_a_report_of_users_who_keep_their_version_says_what_that_means(
    sticky: bool, tmp_path: Path
) -> None:
    found = site(sticky=sticky)
    found.failing["v2"] = 0.5
    document = Rollout(found, "v2").go()
    page, _data = reports.write(tmp_path, document)[::-1]
    text = Path(page).read_text()
    assert ("the guarantee is approximate" in text) is sticky


def test_users_who_keep_their_version_are_walked_along_and_let_go(no_forecast: None) -> None:
    changes = {**QUICK, "sticky": True}
    found = site(**changes)
    seen: list[tuple[int, ...]] = []
    rollout = Rollout(found, "v2", **changes)
    apply = found.apply

    def noting(item: dict[str, Any]) -> dict[str, Any]:
        after = apply(item)
        if item["kind"] == "VirtualService" and found.live().progress:
            seen.append(found.live().progress.weights)
        return after

    found.apply = noting  # type: ignore[method-assign]  # to see every route
    document = rollout.go()
    assert document.outcome == "promoted"
    walked = (0, 5, 10, 25, 50)
    assert list(dict.fromkeys(seen)) == [walked[: count + 1] for count in range(len(walked))]
    assert found.violations == []


@pytest.mark.parametrize("call", ["list", "apply"])
@pytest.mark.parametrize("pause", range(2, 16, 2))
def test_a_server_that_is_away_for_a_moment_only_holds_it_up(
    call: str, pause: int, no_forecast: None
) -> None:
    found = site()
    rollout = Rollout(found, "v2", rollout={**QUICK["rollout"], "minimum_requests": 150})

    def away(number: int) -> None:
        # Not while pods are brought up or end: then it stops, and the next call goes on.
        walking = any("is up at" in line for line in rollout.told)
        ending = any("promoting" in line for line in rollout.told)
        if number == pause and walking and not ending:
            found.away[call] = 3

    rollout.meanwhile = away
    document = rollout.go()
    assert dict(found.away) == {call: 0}, "it was away while the canary was walked, and noticed"
    assert document.outcome == "promoted", document.reason
    assert document.weights == (10, 25, 50, 100)
    assert found.violations == []


def test_a_weight_that_somebody_moves_meanwhile_is_where_it_goes_on(no_forecast: None) -> None:
    found = site()
    rollout = Rollout(found, "v2", rollout={**QUICK["rollout"], "minimum_requests": 150})
    moved = []

    def move(_pause: int) -> None:
        if any("v2 gets 25%" in line for line in rollout.told) and not moved:
            live = found.live()
            by_hand = decide.weighted(live, 40)
            record = scenes.look(found, "digits", "digits", CONTEXT).record
            name = "digits-gateway"
            moved.extend(
                found.apply(item)
                for item in objects.derive(by_hand, CONTEXT, record)
                if item["metadata"]["name"] == name
            )

    rollout.meanwhile = move
    document = rollout.go()
    assert moved
    assert document.outcome == "promoted", document.reason
    assert document.weights == (10, 25, 40, 50, 100)
    assert found.violations == []


def test_a_rollback_is_tried_until_the_server_is_there_again(no_forecast: None) -> None:
    found = site()
    found.failing["v2"] = 0.8
    rollout = Rollout(found, "v2", rollout=QUICK["rollout"])

    class Lines(list[str]):
        def append(self, text: str) -> None:
            super().append(text)
            if text.startswith("rolling back"):
                found.away["apply"] = 3

    rollout.told = Lines()
    document = rollout.go()
    assert document.outcome == "rolled back"
    # Renewing the lock found no server either, and put up with it.
    assert any("not taken away yet" in line for line in rollout.told)
    assert found.live().canary is None


def test_who_lost_the_lock_does_not_write_over_the_end_that_another_wrote(
    monkeypatch: pytest.MonkeyPatch, no_forecast: None
) -> None:
    """Between a decision of somebody else and the next renewal of the lock."""
    found = site()
    monkeypatch.setattr(decide, "Heartbeat", lambda lock: Heart(found, lock))
    rollout = Rollout(found, "v2")

    def roll_back(_pause: int) -> None:
        if any("is up at" in line for line in rollout.told):
            rollout.meanwhile = lambda _pause: None
            other = replace(desk(found), who="bob@lab", session="another")
            decide.decide(other, decide.ROLL_BACK, lambda _text: None)

    rollout.meanwhile = lambda pause: roll_back(pause) if found.live().canary else None
    document = rollout.go()
    assert document.outcome == "stopped"
    assert "somebody else took over, and is done already" in document.reason
    left = Store("digits", "digits").read(found)
    assert left and (left.document.outcome, left.document.who) == ("rolled back", "ann@desk")
