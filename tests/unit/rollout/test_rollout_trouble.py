# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What goes wrong around a rollout: each has an end, a name, and a way out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.api.client import Refused, Unreachable
from ansible_collections.roost.cluster.plugins.module_utils.release.envoy_filters import Fault
from ansible_collections.roost.cluster.plugins.module_utils.release.live import Unreadable
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout import (
    decide,
    drill,
    engine,
    faults,
    reports,
    status,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout import scene as scenes
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.document import (
    Document,
    Pair,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.hands import Hands, Moved
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.screen import screen
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.store import BadState
from release_world import CONTEXT
from rollout_site import Heart, Rollout, Site, desk, site

pytestmark = pytest.mark.usefixtures("no_forecast")

STATE = "ConfigMap digits/roost-digits"
QUICK = {"failure_margin": 0.5, "latency_margin": 6, "minimum_requests": 5}


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Site:
    """v1 with v2 at 10%, in which time passes while somebody waits."""
    here = site()
    for module in (decide, engine):
        monkeypatch.setattr(module, "Heartbeat", lambda lock: Heart(here, lock))
    return here


def left(found: Site) -> dict[str, Any]:
    """The state of the last rollout as it is written down."""
    block: dict[str, Any] = json.loads(found.store[STATE]["data"]["rollout"])
    return block


# -- Reports --------------------------------------------------------------------------------


def test_without_its_report_a_rollout_is_decided_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("no folder")
    found = site()
    found.failing["v2"] = 0.8
    rollout = Rollout(found, "v2", rollout=QUICK)
    rollout.job = replace(rollout.job, reports=tmp_path / "reports")
    with pytest.raises(reports.Unwritten, match=r"of v2 ended rolled back \(.*only its report"):
        rollout.go()
    assert found.live().canary is None
    assert left(found)["outcome"] == "rolled back"


def test_a_report_that_cannot_be_written_names_its_folder(tmp_path: Path, found: Site) -> None:
    decided = decide.decide(desk(found), decide.PROMOTE, lambda _text: None)
    assert decided.document
    (tmp_path / "here").write_text("no folder")
    with pytest.raises(reports.Unwritten, match=f"expected {tmp_path}/here/reports to be a folder"):
        reports.keep(tmp_path / "here" / "reports", decided.document, print)


# -- A drill's fault ------------------------------------------------------------------------


class Clumsy(Site):
    """Deletes of faults find no server so many times."""

    clumsy = 0

    def delete(self, item: dict[str, Any]) -> None:
        if item["kind"] == "EnvoyFilter" and self.clumsy:
            self.clumsy -= 1
            raise Unreachable("the API server doesn't answer")
        super().delete(item)


def be_clumsy(found: Site, times: int) -> None:
    assert isinstance(found, Clumsy)
    found.clumsy = times


def drilled(found: Site, monkeypatch: pytest.MonkeyPatch, clumsy: int) -> list[str]:
    found.__class__ = Clumsy
    be_clumsy(found, clumsy)

    def run(*_asked: Any, begun: Any) -> Document:
        begun()
        live = found.live()
        return desk(found).begun(live, Pair("v2", live.versions["v2"]))

    told: list[str] = []
    monkeypatch.setattr(engine, "run", run)
    monkeypatch.setattr(faults, "_PAUSE", 0.0)
    monkeypatch.setattr(drill, "_AFTER", 0.0)
    drill.drill(desk(found), Fault(abort_percent=50), told.append)
    return told


def faults_of(found: Site) -> list[str]:
    return [key for key in found.store if key.startswith("EnvoyFilter")]


def test_a_fault_is_removed_when_the_server_is_there_again(
    found: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "the fault is gone" in drilled(found, monkeypatch, clumsy=5)
    assert faults_of(found) == []


def test_a_fault_that_stays_is_told_of_and_the_next_rollback_removes_it(
    found: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = "kubectl delete envoyfilter app-v2-drill --namespace digits"
    with pytest.raises(faults.Left, match=command):
        drilled(found, monkeypatch, clumsy=1000)
    assert faults_of(found) == ["EnvoyFilter digits/app-v2-drill"]
    be_clumsy(found, 0)
    told: list[str] = []
    job = desk(found)
    decide.decide(job, decide.ROLL_BACK, told.append)
    assert faults_of(found) == []
    assert any("app-v2-drill, a fault that a drill had left" in line for line in told)
    removed = {"what": "EnvoyFilter digits/app-v2-drill", "why": "a fault that a drill had left"}
    assert job.made[0].as_dict() == removed


# -- The walk -------------------------------------------------------------------------------


def test_changes_of_weight_that_are_refused_have_an_end(found: Site) -> None:
    """As where Istio's webhook is away: all but the route can be written."""
    rollout = Rollout(found, "v2", rollout=QUICK)
    apply = found.apply

    def refusing(item: dict[str, Any]) -> dict[str, Any]:
        up = any("is up at" in line for line in rollout.told)
        if up and item["metadata"]["name"] == "digits-gateway":
            raise Refused(500, "failed calling webhook")
        return apply(item)

    found.apply = refusing  # type: ignore[method-assign]  # for this one object
    document = rollout.go()
    assert document.outcome == "waiting"
    assert document.reason == "10 changes of weight failed in a row: failed calling webhook"
    assert (document.weight, found.live().canary.weight) == (10, 10)
    # The next call goes on.
    found.apply = apply  # type: ignore[method-assign]
    again = Rollout(found, "v2", rollout=QUICK).go()
    assert (again.id, again.outcome) == (document.id, "promoted")


def test_a_route_that_cannot_be_read_stops_the_walk_and_is_written_down(
    found: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    rollout = Rollout(found, "v2", rollout={**QUICK, "minimum_requests": 200})

    def unreadable(*_asked: Any) -> None:
        raise Unreadable("the weights [('v1', 80)]")

    def spoil(_pause: int) -> None:
        # The state can't be written once, so that it is looked at what is live.
        if any("is up at" in line for line in rollout.told):
            monkeypatch.setattr(scenes, "look", unreadable)
            rollout.meanwhile = lambda _pause: None
            found.away["apply"] = 1

    rollout.meanwhile = lambda pause: spoil(pause)
    document = rollout.go()
    assert (document.outcome, document.reason) == ("stopped", "the weights [('v1', 80)]")
    assert left(found)["outcome"] == "stopped"


def test_a_route_that_somebody_changes_meanwhile_is_not_written_over(found: Site) -> None:
    job = desk(found)
    scene = job.look()
    wanted = decide.weighted(scene.release, 40)

    class Watching(Site):
        def apply(self, item: dict[str, Any]) -> dict[str, Any]:
            wanted = item["metadata"].get("resourceVersion")
            if item["metadata"]["name"] == "digits-gateway" and wanted == "changed-since":
                raise Refused(409, "the object has been modified")
            return super().apply(item)

    found.__class__ = Watching
    read = {**scene.route, "metadata": {**scene.route["metadata"]}}
    read["metadata"]["resourceVersion"] = "changed-since"
    hands = Hands(found, CONTEXT, 300.0, lambda: None, lambda _s: found.tick())
    with pytest.raises(Moved):
        hands.bring(scene.with_route(scene.release, read), wanted)
    assert found.live().weights == {"v1": 90, "v2": 10}


# -- What is written down -------------------------------------------------------------------


def spoiled(found: Site, key: str, text: str) -> None:
    found.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "roost-digits", "namespace": "digits"},
            "data": {"rollout": "{}", **{key: text}},
        }
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"format": 99}', "got format 99; expected 1"),
        ("{", "Expecting property name"),
        ('{"format": 1}', "it has no 'stable'"),
        ("[]", "list"),
    ],
)
def test_a_state_of_another_version_is_refused_with_the_ways_out(
    text: str, said: str, found: Site
) -> None:
    spoiled(found, "rollout", text)
    with pytest.raises(BadState, match=said) as refused:
        Rollout(found, "v2").go()
    assert "ConfigMap digits/roost-digits" in str(refused.value)
    assert "playbooks/rollback.yml" in str(refused.value)
    assert found.live().weights == {"v1": 90, "v2": 10}
    shown = "\n".join(screen(status.status(desk(found), 0.01)))
    assert said in shown
    # Both are ways out indeed.
    told: list[str] = []
    decide.decide(desk(found), decide.ROLL_BACK, told.append)
    assert any("It is replaced" in line for line in told)
    assert left(found)["outcome"] == "rolled back"


def test_evidence_of_another_version_is_refused_with_the_ways_out(found: Site) -> None:
    rollout = Rollout(found, "v2", quiet=True, rollout={"maximum_seconds": 1, "look_seconds": 1})
    assert rollout.go().outcome == "waiting"
    data = found.store[STATE]["data"]
    data["comparison"] = json.dumps({**json.loads(data["comparison"]), "format": 99})
    with pytest.raises(BadState, match="the evidence: got format 99; expected"):
        Rollout(found, "v2").go()


def test_without_a_canary_a_state_of_another_version_is_in_nobodys_way(found: Site) -> None:
    decide.decide(desk(found), decide.ROLL_BACK, lambda _text: None)
    spoiled(found, "rollout", '{"format": 99}')
    document = Rollout(found, "v2", rollout=QUICK).go()
    assert document.outcome == "promoted"
