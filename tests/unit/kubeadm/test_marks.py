# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Labels and taints: set what is described, take away what is ours, touch nothing else."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.commands import KubeadmError
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.marks import (
    BY_KUBEADM,
    CONTROL_PLANE_TAINT,
    RECORD,
    apply,
    plan,
    problems,
)

DISK = {"disk": "fast"}
GPU = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}
NOT_READY = {
    "key": "node.kubernetes.io/not-ready",
    "effect": "NoExecute",
    "timeAdded": "2026-01-01T00:00:00Z",
}


def node(labels: Any = (), taints: Any = ()) -> dict[str, Any]:
    return {
        "metadata": {"labels": dict(labels), "annotations": {}, "resourceVersion": "7"},
        "spec": {"taints": [dict(taint) for taint in taints]},
    }


def patched(before: dict[str, Any], patch: Any) -> dict[str, Any]:
    """A merge patch, as the API server applies it."""

    def merge(old: Any, new: Any) -> Any:
        if not isinstance(new, dict):
            return new
        result = dict(old) if isinstance(old, dict) else {}
        for key, value in new.items():
            if value is None:
                result.pop(key, None)
            else:
                result[key] = merge(result.get(key), value)
        return result

    after: dict[str, Any] = merge(copy.deepcopy(before), patch)
    return after


def applied(before: dict[str, Any], labels: Any, taints: Any) -> dict[str, Any]:
    """The node after a run, after which another one has nothing to do."""
    after = patched(before, plan(before, labels, taints).patch or {})
    assert plan(after, labels, taints).changes == []
    assert plan(after, labels, taints).patch is None
    return after


def whats(before: dict[str, Any], labels: Any, taints: Any) -> list[str]:
    return [change["what"] for change in plan(before, labels, taints).changes]


def test_nothing_described_and_nothing_ours_is_nothing_to_do() -> None:
    found = plan(node({"theirs": "1"}, [NOT_READY]), {}, [])
    assert (found.changes, found.patch) == ([], None)


def test_what_is_described_is_set_beside_what_others_have_set() -> None:
    before = node({"theirs": "1"}, [NOT_READY])
    assert whats(before, DISK, [GPU]) == ["label disk", "taint gpu:NoSchedule"]
    after = applied(before, DISK, [GPU])
    assert after["metadata"]["labels"] == {"theirs": "1", "disk": "fast"}
    assert after["spec"]["taints"] == [NOT_READY, GPU]


def test_what_left_the_description_goes_and_others_stay() -> None:
    before = applied(node({"theirs": "1"}, [NOT_READY]), DISK, [GPU])
    found = plan(before, {}, [])
    assert [change["why"] for change in found.changes] == [
        "set by an earlier run, and not described any more"
    ] * 2
    after = applied(before, {}, [])
    assert after["metadata"]["labels"] == {"theirs": "1"}
    assert after["spec"]["taints"] == [NOT_READY]


def test_the_last_taint_goes_too() -> None:
    after = applied(applied(node(), {}, [GPU]), {}, [])
    assert after["spec"].get("taints") is None


def test_what_somebody_has_changed_meanwhile_is_theirs() -> None:
    before = applied(node(), DISK, [GPU])
    before["metadata"]["labels"]["disk"] = "slow"
    before["spec"]["taints"][0]["value"] = "no"
    after = applied(before, {}, [])
    assert after["metadata"]["labels"] == {"disk": "slow"}
    assert after["spec"]["taints"] == [{**GPU, "value": "no"}]


def test_a_drift_is_named_alone_and_put_right() -> None:
    before = applied(node(), {**DISK, "zone": "a"}, [GPU])
    before["metadata"]["labels"]["zone"] = "b"
    [change] = plan(before, {**DISK, "zone": "a"}, [GPU]).changes
    assert change == {
        "what": "label zone",
        "why": "b → a, as described",
        "before": "b",
        "after": "a",
    }
    del before["metadata"]["labels"]["zone"]
    assert whats(before, {**DISK, "zone": "a"}, [GPU]) == ["label zone"]


def test_the_value_of_a_taint_changes_in_its_place() -> None:
    before = applied(node(taints=[GPU, NOT_READY]), {}, [GPU])
    after = applied(before, {}, [{**GPU, "value": ""}])
    assert after["spec"]["taints"] == [{"key": "gpu", "effect": "NoSchedule"}, NOT_READY]


def test_what_is_there_already_is_only_recorded() -> None:
    before = node(DISK, [GPU])
    found = plan(before, DISK, [GPU])
    assert [change["what"] for change in found.changes] == ["record of labels and taints"]
    assert "spec" not in (found.patch or {})
    assert applied(before, {}, [])["metadata"]["labels"] == DISK
    assert applied(applied(before, DISK, [GPU]), {}, [])["metadata"]["labels"] == {}


def test_a_list_of_taints_is_replaced_only_as_it_was_read() -> None:
    assert (plan(node(), {}, [GPU]).patch or {})["metadata"]["resourceVersion"] == "7"
    assert "resourceVersion" not in (plan(node(), DISK, []).patch or {})["metadata"]


def test_the_taint_of_a_control_plane_is_kubeadms_and_ours() -> None:
    before = node(taints=[CONTROL_PLANE_TAINT])
    assert plan(before, {}, [CONTROL_PLANE_TAINT], BY_KUBEADM).changes == []
    found = plan(before, {}, [], BY_KUBEADM)
    assert [change["what"] for change in found.changes] == [
        "taint node-role.kubernetes.io/control-plane:NoSchedule"
    ]
    after = patched(before, found.patch)
    assert after["spec"].get("taints") is None
    # From now on the record says that there is nothing of ours, not even what kubeadm sets.
    after["spec"]["taints"] = [CONTROL_PLANE_TAINT]
    assert plan(after, {}, [], BY_KUBEADM).changes == []


def test_a_node_that_is_yet_to_be_loses_its_taint() -> None:
    """A control plane without taints, before kubeadm has made it."""
    imagined = {"metadata": {}, "spec": {"taints": [CONTROL_PLANE_TAINT]}}
    told = [change["what"] for change in plan(imagined, {}, [], BY_KUBEADM).changes]
    assert told == [f"taint {CONTROL_PLANE_TAINT['key']}:NoSchedule"]


def test_a_node_that_changes_meanwhile_is_read_again() -> None:
    seen = [node(), node(taints=[NOT_READY])]
    sent: list[Any] = []

    def patch(content: Any) -> bool:
        sent.append(content)
        return len(sent) == 2

    apply(lambda: seen[len(sent)], patch, {}, [GPU])
    assert sent[1]["spec"]["taints"] == [NOT_READY, GPU]


def test_a_node_that_never_rests_is_an_error() -> None:
    with pytest.raises(KubeadmError, match="run the same again"):
        apply(node, lambda _content: False, DISK, [])


@pytest.mark.parametrize("text", ["{", "[]", '{"labels": 1}', '"x"'])
def test_a_record_that_can_not_be_read_owns_nothing(text: str) -> None:
    before = node(DISK)
    before["metadata"]["annotations"][RECORD] = text
    assert plan(before, {}, []).changes == [] or "record" in whats(before, {}, [])[0]
    assert applied(before, {}, [])["metadata"]["labels"] == DISK


@pytest.mark.parametrize(
    ("labels", "taints", "told"),
    [
        ({"disk": True}, [], "label disk: its value is True, expected text; put it in quotes"),
        ({"-disk": "x"}, [], "label -disk: expected a key"),
        ({"disk": "a b"}, [], "label disk: its value is 'a b'"),
        ({"kubernetes.io/hostname": "x"}, [], "kubelet sets it itself"),
        ({}, [{**GPU, "effect": "Never"}], "its effect is 'Never', expected one of NoSchedule"),
        ({}, [{**GPU, "value": 1}], "taint gpu: its value is 1, expected text"),
        ({}, [{**GPU, "key": "node.kubernetes.io/x"}], "Kubernetes sets and removes it itself"),
        ({}, [GPU, {**GPU, "value": "no"}], "taint gpu: named twice"),
    ],
)
def test_what_is_wrong_is_named(labels: Any, taints: Any, told: str) -> None:
    assert told in "\n".join(problems(labels, taints))


def test_what_is_right_has_no_problems() -> None:
    labels = {"disk": "fast", "example.org/zone": "a-1", "node-role.kubernetes.io/worker": ""}
    assert problems(labels, [GPU, {"key": "gpu", "effect": "NoExecute"}]) == []
