# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which results are changes, and where their reasons come from."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.plugin_utils.plan.changes import Collected, Place
from ansible_collections.roost.cluster.plugins.plugin_utils.plan.report import (
    Run,
    document,
    lines,
)

PLACE = Place("control", "node", "Prepare")
APPLY = Place("control", "node", "Apply")
ONE = {"what": "/etc/a", "why": "missing"}
TWO = {"what": "/etc/b", "why": "mode 0600 → 0644"}


def collect(*results: dict[str, Any]) -> Collected:
    collected = Collected()
    for result in results:
        collected.add(PLACE, result)
    return collected


def told(collected: Collected) -> list[dict[str, Any]]:
    return [change.as_dict() for change in collected.changes]


def config_map(name: str) -> dict[str, Any]:
    return {"kind": "ConfigMap", "metadata": {"name": name, "namespace": "x"}}


def applied(*names: str, changed: tuple[bool, ...]) -> dict[str, Any]:
    """A result as kubernetes.core.k8s gives it: of one object another one than of several."""
    items: Any = [config_map(name) for name in names]
    outcomes: list[dict[str, Any]] = [{"changed": each, "result": {}} for each in changed]
    result = outcomes[0] if len(outcomes) == 1 else {"result": {"results": outcomes}}
    given = {"invocation": {"module_args": {"resource_definition": items}}}
    return {**result, **given, "changed": any(changed)}


def test_what_changes_nothing_is_no_change() -> None:
    collected = collect({"changed": False}, {"changed": False, "changes": [ONE]}, {})
    assert told(collected) == []
    assert collected.without_reason == []


def test_a_diff_belongs_to_its_change() -> None:
    diff = [{"before": "", "after": "x\n", "after_header": "a"}, {"before": "", "after": ""}]
    collected = collect({"changed": True, "changes": [ONE, TWO], "diff": diff})
    assert told(collected) == [{**ONE, "before": "", "after": "x\n"}, TWO]
    one = collect({"changed": True, "changes": [ONE], "diff": {"before": "1", "after": "2"}})
    assert told(one) == [{**ONE, "before": "1", "after": "2"}]


@pytest.mark.parametrize(
    "diff", [{"prepared": "text"}, [{"before": "", "after": "x"}], None, ["text", "text"]]
)
def test_a_diff_that_fits_no_change_is_left_out(diff: Any) -> None:
    assert told(collect({"changed": True, "changes": [ONE, TWO], "diff": diff})) == [ONE, TWO]


def test_values_are_kept_as_they_are() -> None:
    change = {"what": "maxPods", "why": "the inventory says so", "before": 110, "after": 120}
    diff = {"before": "110\n", "after": "120\n"}
    assert told(collect({"changed": True, "changes": [change], "diff": diff})) == [change]


@pytest.mark.parametrize(
    "result",
    [
        {"changed": True},
        {"changed": True, "changes": []},
        {"changed": True, "changes": [{"what": "a"}]},
        {"changed": True, "changes": "a"},
    ],
)
def test_a_change_without_a_reason_is_listed(result: dict[str, Any]) -> None:
    assert collect(result).without_reason == [PLACE]


@pytest.mark.parametrize("count", [1, 2])
def test_applied_objects_have_the_reasons_that_were_announced(count: int) -> None:
    names = ("a", "b")[:count]
    changes = [{"what": f"ConfigMap x/{name}", "why": f"new {name}"} for name in names]
    collected = collect({"changed": False, "changes": changes})
    collected.add(APPLY, applied(*names, changed=(True,) * count))
    assert told(collected) == changes
    assert collected.without_reason == []


def test_what_an_apply_did_not_change_is_no_change() -> None:
    changes = [{"what": f"ConfigMap x/{name}", "why": "new"} for name in ("a", "b")]
    collected = collect({"changed": False, "changes": changes})
    collected.add(APPLY, applied("a", "b", changed=(False, True)))
    assert told(collected) == changes[1:]


def test_an_object_that_nobody_announced_has_no_reason() -> None:
    collected = collect({"changed": False, "changes": [{"what": "ConfigMap x/a", "why": "new"}]})
    elsewhere = Place("control", "istio", "Apply")
    collected.add(elsewhere, applied("a", changed=(True,)))
    collected.add(APPLY, applied("a", changed=(True,)))
    collected.add(APPLY, applied("a", changed=(True,)))
    assert collected.without_reason == [elsewhere, APPLY]
    assert len(collected.changes) == 1


# -- The report -----------------------------------------------------------------------------


def run_of(*results: tuple[Place, dict[str, Any]], **known: Any) -> Run:
    run = Run(check_mode=True, cluster="lab", ended=True, **known)
    for place, result in results:
        run.collected.add(place, result)
    return run


def test_an_empty_plan() -> None:
    run = run_of()
    assert document(run) == {
        "version": 1,
        "cluster": "lab",
        "check_mode": True,
        "complete": True,
        "summary": {"changes": 0, "hosts": {}},
        "hosts": {},
        "without_reason": [],
        "notes": [],
        "unknown": [],
        "failed": [],
    }
    assert lines(run) == ["plan: nothing would change"]


def test_changes_are_counted_by_host_and_kept_by_role() -> None:
    worker = Place("worker-1", "kubelet", "Install")
    run = run_of(
        (PLACE, {"changed": True, "changes": [ONE, TWO]}),
        (worker, {"changed": True, "changes": [ONE]}),
    )
    written = document(run)
    assert written["summary"] == {"changes": 3, "hosts": {"control": 2, "worker-1": 1}}
    assert written["hosts"] == {"control": {"node": [ONE, TWO]}, "worker-1": {"kubelet": [ONE]}}
    assert lines(run) == [
        "plan: 3 changes on 2 hosts",
        "  control",
        "    node",
        "      /etc/a: missing",
        "      /etc/b: mode 0600 → 0644",
        "  worker-1",
        "    kubelet",
        "      /etc/a: missing",
    ]


def test_many_changes_for_one_reason_are_one_line() -> None:
    why = "new, because there is no cluster yet"
    changes = [{"what": f"ConfigMap x/{name}", "why": why} for name in "abcd"]
    told = lines(run_of((PLACE, {"changed": True, "changes": [*changes, ONE]})))
    assert told[-2:] == [
        f"      {why} (4): ConfigMap x/a, ConfigMap x/b, ConfigMap x/c, ConfigMap x/d",
        "      /etc/a: missing",
    ]


def test_a_failure_makes_it_incomplete() -> None:
    run = run_of(failed=[(PLACE, "no disk")])
    assert document(run)["complete"] is False
    assert document(run)["failed"] == [
        {"host": "control", "role": "node", "task": "Prepare", "message": "no disk"}
    ]
    assert "not complete" in lines(run)[0]


def test_what_could_not_be_looked_at_is_not_nothing() -> None:
    run = run_of(unknown=[(PLACE, "the API server doesn't answer")])
    assert document(run)["complete"] is False
    assert document(run)["unknown"][0]["message"] == "the API server doesn't answer"
    assert lines(run) == [
        "plan: no change so far; not complete, for something could not be looked at",
        "  not known: control, node: the API server doesn't answer",
    ]


def test_what_gives_no_reason_is_not_nothing() -> None:
    run = run_of((PLACE, {"changed": True}))
    assert "nothing" not in lines(run)[0]
    assert lines(run)[1:] == ["  control, node: Prepare: it gives no reason"]
    assert document(run)["without_reason"][0]["task"] == "Prepare"
