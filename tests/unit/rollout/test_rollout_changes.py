# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the actions that steer a release tell of their changes, for the plan of a run."""

from __future__ import annotations

import importlib
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.roost.cluster.plugins.plugin_utils.plan.changes import Collected, Place
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout import (
    decide,
    drill,
    engine,
    hands,
    preview,
    steering,
)
from rollout_site import Heart, Site, desk, site
from test_rollout_decide import Drilled

PLACE = Place("localhost", "playbook", "Steer")
ROUTE = "VirtualService digits/digits-gateway"
# Decided at the first look of each step.
QUICK = {"failure_margin": 0.5, "latency_margin": 6, "minimum_requests": 5}


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Site:
    """v1 with v2 at 10%; of Ansible, there is only what an action asks for."""
    here = site()
    for module in (decide, engine):
        monkeypatch.setattr(module, "Heartbeat", lambda lock: Heart(here, lock))
    monkeypatch.setattr(preview, "steps_at", lambda *_asked: None)
    monkeypatch.setattr(preview, "measured", lambda *_asked: 0.0)
    monkeypatch.setattr(steering.signal, "signal", lambda *_given: None)
    monkeypatch.setattr(ActionBase, "run", lambda *_given: {})
    return here


def steer(found: Site, name: str, check: bool = False, **wanted: Any) -> dict[str, Any]:
    """The result of one task."""
    module = importlib.import_module(f"ansible_collections.roost.cluster.plugins.action.{name}")
    action = module.ActionModule.__new__(module.ActionModule)
    defaults = {name: option.get("default") for name, option in module.ARGUMENTS.items()}
    action._task = SimpleNamespace(check_mode=check)
    action.validate_argument_spec = lambda argument_spec: (None, {**defaults, **wanted})
    action._job = lambda *_given: desk(found, rollout=QUICK)
    result: dict[str, Any] = action.run()
    return result


def planned(result: dict[str, Any]) -> list[tuple[str, str]]:
    """The changes that the plan of the run has; each with its reason."""
    collected = Collected()
    collected.add(PLACE, result)
    assert collected.without_reason == []
    return [(change.what, change.why) for change in collected.changes]


@pytest.mark.parametrize("check", [True, False])
def test_a_weight_that_is_moved_is_a_change_of_the_route(check: bool, found: Site) -> None:
    [(what, why)] = planned(steer(found, "rollout_shift", check, weight=37))
    assert what == ROUTE
    assert "weight: 10 → 37" in why
    result = steer(found, "rollout_shift", check, weight=10 if check else 37)
    assert (result["changed"], result["changes"]) == (False, [])


def test_a_rollback_takes_the_weight_and_then_the_pods(found: Site) -> None:
    changes = planned(steer(found, "rollout_decision", decision=decide.ROLL_BACK))
    assert changes[0] == (ROUTE, "v1 90%, v2 10% → v1 100%")
    assert {"Deployment digits/app-v2", "Deployment digits/model-service-v2"} <= dict(
        changes[1:]
    ).keys()
    result = steer(found, "rollout_decision", decision=decide.ROLL_BACK)
    assert (result["changed"], result["changes"]) == (False, [])


def test_a_plan_of_a_promotion_has_what_it_would_change(found: Site) -> None:
    changes = planned(steer(found, "rollout_decision", check=True, decision=decide.PROMOTE))
    assert ROUTE in dict(changes)
    assert found.live().stable == "v1"


def test_a_rollout_is_a_change_of_its_own_before_those_that_it_makes(found: Site) -> None:
    result = steer(found, "rollout", version="v2")
    (what, why), *made = planned(result)
    assert (what, why) == ("release digits", f"rollout {result['id']} of v2: promoted")
    assert (ROUTE, "v1 90%, v2 10% → v1 75%, v2 25%") in made
    assert "Deployment digits/app-v1" in dict(made)


HEAD = "inventory/group_vars/all/release.yml should say now, in `release`:"


def test_a_rollout_tells_what_the_file_has_to_say_afterwards(found: Site) -> None:
    result = steer(found, "rollout", version="v2")
    assert result["commit"] == [HEAD, "  stable: v2", "  and no key canary"]


def test_a_version_that_the_file_lacks_is_told_with_the_images_that_were_given(
    found: Site,
) -> None:
    steer(found, "rollout_decision", decision=decide.ROLL_BACK)
    images = {key: f"shop.example/{key}@sha256:{'3' * 64}" for key in ("app", "model-service")}
    given = {"app_image": images["app"], "model_image": images["model-service"]}
    result = steer(found, "rollout", version="v4", **given)
    assert result["commit"] == [
        *(HEAD, "  stable: v4", "  and no key canary", "  versions.v4:"),
        *(f"    {service}: {image}" for service, image in images.items()),
    ]


def test_a_plan_of_a_rollout_has_its_walk(found: Site) -> None:
    (what, why), *_objects = planned(steer(found, "rollout", check=True, version="v2"))
    assert (what, why) == ("release digits", "rollout of v2 beside v1, which it would replace")
    assert steer(found, "rollout", check=True, version="v1")["changes"] == []


def test_a_drill_is_told_with_the_rollout_that_it_ends_in(
    found: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    found.__class__ = Drilled
    monkeypatch.setattr(drill, "_AFTER", 0.6)
    (what, why), *made = planned(steer(found, "rollout_drill"))
    assert what == "release digits"
    assert why.endswith(" of v2: rolled back")
    assert (ROUTE, "v1 90%, v2 10% → v1 100%") in made


def test_what_was_changed_before_a_failure_is_told(
    found: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(self: hands.Hands, *_given: Any) -> list[str]:
        if self.made:
            raise hands.Late("the gateways don't draw so yet")
        return []

    monkeypatch.setattr(hands.Hands, "_wait", late)
    with pytest.raises(AnsibleActionFail, match="don't draw so yet") as failed:
        steer(found, "rollout_shift", weight=37)
    assert [what for what, _why in planned(failed.value.result)] == [ROUTE]
