# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a person decides, in the small world."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.release import lease, planning
from ansible_collections.roost.cluster.plugins.module_utils.release.envoy_filters import Fault
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout import decide, drill, engine
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.lock import Held
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.refusal import Refusal
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.store import Store
from release_samples import resolved
from release_world import CONTEXT
from rollout_site import Desk, Heart, Site, desk, site

ONLY_V1 = {"canary": None}


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Site:
    """v1 with v2 at 10%, in which time passes while somebody waits."""
    here = site()
    for module in (decide, engine):
        monkeypatch.setattr(module, "Heartbeat", lambda lock: Heart(here, lock))
    return here


def held_by_somebody(found: Site) -> Desk:
    """A rollout that runs at another desk; its job has the same clock."""
    other = desk(found)
    lock = other.lock()
    lock.acquire()
    return other


@pytest.mark.parametrize(
    ("decision", "stable", "outcome"),
    [(decide.PROMOTE, "v2", "promoted"), (decide.ROLL_BACK, "v1", "rolled back")],
)
def test_a_decision_ends_the_canary(decision: str, stable: str, outcome: str, found: Site) -> None:
    told: list[str] = []
    release, changed, _document = decide.decide(desk(found), decision, told.append)
    assert (release.stable, release.canary, changed) == (stable, None, True)
    assert found.violations == []
    stored = Store("digits", "digits").read(found)
    assert stored and (stored.document.outcome, stored.document.reason) == (
        outcome,
        "decided by ann@desk",
    )
    assert lease.held_by(found.get(lease.lease("digits", "digits"))) is None
    # Once more: there is nothing left to decide.
    assert decide.decide(desk(found), decision, told.append) == (found.live(), False, None)


def test_a_decision_takes_over_from_a_rollout_that_runs(found: Site) -> None:
    held_by_somebody(found)
    told: list[str] = []
    decided = decide.decide(desk(found), decide.ROLL_BACK, told.append)
    assert decided.release.canary is None
    assert told[0].startswith("took over from ann@desk since ")


def test_a_weight_is_moved_and_kept(found: Site) -> None:
    release, changed = decide.shift(desk(found), 37, lambda _text: None)
    assert (release.weights, changed) == ({"v1": 63, "v2": 37}, True)
    assert planning.plan(resolved(), found, CONTEXT).changes == []
    assert decide.shift(desk(found), 37, lambda _text: None)[1] is False
    assert found.violations == []


def test_a_weight_is_not_moved_while_a_rollout_runs(found: Site) -> None:
    other = held_by_somebody(found)
    clock = other.clock
    mine = desk(found)
    mine = Desk(**{**vars(mine), "clock": clock, "session": "mine"})
    lock = other.lock()
    lock._mine = found.get(lease.lease("digits", "digits"))
    clock.every(lease.RENEW_SECONDS, lock.renew)
    with pytest.raises(Held, match="a rollout of digits is steered by ann@desk"):
        decide.shift(mine, 50, lambda _text: None)
    assert found.live().weights == {"v1": 90, "v2": 10}


def test_without_a_canary_there_is_no_weight_to_move(found: Site) -> None:
    decide.decide(desk(found), decide.ROLL_BACK, lambda _text: None)
    with pytest.raises(Refusal, match="digits has no canary, v1 has the whole weight"):
        decide.shift(desk(found), 50, lambda _text: None)


def test_a_plan_of_a_decision_changes_nothing(found: Site) -> None:
    before = found.mutations
    plan = decide.planned(desk(found), lambda live: decide.weighted(live, 50))
    assert [change.item for change in plan.changes] == ["VirtualService digits/digits-gateway"]
    assert found.mutations == before


class Drilled(Site):
    """A fault that is injected makes the canary fail, as long as it is there."""

    def apply(self, item: dict[str, Any]) -> dict[str, Any]:
        if item["kind"] == "EnvoyFilter":
            self.failing["v2"] = 0.5
        return super().apply(item)

    def delete(self, item: dict[str, Any]) -> None:
        if item["kind"] == "EnvoyFilter":
            self.failing["v2"] = 0.0
        super().delete(item)


def test_a_drill_ends_in_a_rollback_and_leaves_no_fault(
    found: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    found.__class__ = Drilled
    monkeypatch.setattr(drill, "_AFTER", 0.6)
    seen = drill.drill(desk(found), Fault(abort_percent=50), lambda _text: None)
    assert seen.document.outcome == "rolled back"
    assert seen.seconds is not None
    assert 0 < seen.bad < seen.answers
    assert found.failing["v2"] == 0.0
    assert not any(key.startswith("EnvoyFilter") for key in found.store)


def test_a_drill_that_breaks_leaves_no_fault(found: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    found.__class__ = Drilled

    def broken(*_asked: Any, begun: Any) -> None:
        begun()
        raise Refusal("something")

    monkeypatch.setattr(engine, "run", broken)
    with pytest.raises(Refusal, match="something"):
        drill.drill(desk(found), Fault(abort_percent=50), lambda _text: None)
    assert not any(key.startswith("EnvoyFilter") for key in found.store)


def test_a_drill_needs_a_canary_that_gets_requests(found: Site) -> None:
    decide.shift(desk(found), 0, lambda _text: None)
    with pytest.raises(Refusal, match="has no canary that gets requests"):
        drill.drill(desk(found), Fault(abort_percent=50), lambda _text: None)
