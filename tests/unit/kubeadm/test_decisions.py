# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is to be done about a control plane, in every state that a killed run can leave."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm import (
    causes,
    control_plane,
    etcd,
    kubelet,
)
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.commands import (
    Done,
    KubeadmError,
    wrong_images,
)
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.observed import by_name
from ansible_collections.roost.cluster.plugins.modules import control_plane as module

NODE = "control"
ALL = control_plane.LEFT_BY_INIT


PARAMETERS = {
    "documents": [
        {
            "nodeRegistration": {"name": NODE},
            "localAPIEndpoint": {"advertiseAddress": "127.0.0.1"},
        }
    ],
    "images": {},
}


def state(
    nodes: tuple[str, ...] = (), left: tuple[str, ...] = (), **given: Any
) -> control_plane.State:
    objects: dict[str, Any] = {name: {} for name in (*(f"Node/{node}" for node in nodes), *left)}
    return control_plane.State(**given, objects=objects)


RUNNING = {
    "manifests": True,
    "etcd_data": True,
    "admin_conf": True,
    "api": True,
    "running": True,
}


@pytest.mark.parametrize(
    ("seen", "action"),
    [
        (state(), "init"),
        (state(manifests=True), "reset"),
        (state(admin_conf=True), "reset"),
        (state(manifests=True, etcd_data=True), "recover"),
        (state(manifests=True, etcd_data=True, admin_conf=True), "recover"),
        (state(reset_begun=True), "reset"),
        (state(etcd_data=True, admin_conf=True, reset_begun=True), "reset"),
        (state(**RUNNING), "reset"),
        (state(**RUNNING, nodes=(NODE,)), "reset"),
        (state(**RUNNING, nodes=(NODE,), left=ALL[:1]), "finish"),
        (state(**RUNNING, nodes=(NODE,), left=ALL[:-1]), "finish"),
        (state(**RUNNING, left=ALL), "finish"),
        (state(**RUNNING, nodes=(NODE,), left=ALL), "nothing"),
        (state(**RUNNING, nodes=(NODE, "worker-1"), left=ALL), "nothing"),
        (state(**{**RUNNING, "running": False}, nodes=(NODE,), left=ALL), "start"),
    ],
)
def test_control_plane(seen: control_plane.State, action: str) -> None:
    plan = control_plane.decide(seen, NODE)
    assert plan.action == action
    assert bool(plan.why) == (action != "nothing")


def test_a_worker_of_another_cluster_is_left_alone() -> None:
    with pytest.raises(KubeadmError, match="a worker of the cluster at https://b:6443, expected"):
        control_plane.decide(state(server="https://b:6443"), NODE)


LOST = "/var/lib/etcd: expected the data of the cluster.*found none of it, so nothing was reset"


@pytest.mark.parametrize(
    "seen",
    [
        # The disk with etcd's data isn't mounted, and etcd has begun with nothing or hasn't.
        state(manifests=True, admin_conf=True, recorded=True),
        state(**RUNNING, recorded=True),
    ],
)
def test_a_cluster_that_was_finished_is_never_reset(seen: control_plane.State) -> None:
    with pytest.raises(KubeadmError, match=LOST):
        control_plane.decide(seen, NODE)


def test_nor_one_that_has_lost_its_record() -> None:
    with pytest.raises(KubeadmError, match="kubeadm-config: expected .* control belong to the"):
        control_plane.decide(state(**RUNNING, nodes=(NODE,), recorded=True), NODE)


def test_nor_where_only_etcd_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = state(manifests=True, etcd_data=True, recorded=True)
    monkeypatch.setattr(control_plane, "look", lambda: seen)
    monkeypatch.setattr(etcd, "held", lambda: etcd.Held(False, ()))
    with pytest.raises(KubeadmError, match=LOST):
        control_plane._recovered(NODE)


@pytest.mark.parametrize(
    ("content", "recorded"),
    [
        (None, False),
        ("client-certificate-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t", False),
        ("client-certificate: /var/lib/kubelet/pki/kubelet-client-current.pem", True),
    ],
)
def test_kubelets_credentials_tell_how_far_init_came(
    tmp_path: Path, content: str | None, recorded: bool
) -> None:
    kubeconfig = tmp_path / "kubelet.conf"
    if content is not None:
        kubeconfig.write_text(content)
    assert control_plane._recorded(kubeconfig) == recorded


def test_what_is_missing_is_told() -> None:
    left = tuple(name for name in ALL if name != "Service/kube-dns")
    plan = control_plane.decide(state(**RUNNING, nodes=(NODE,), left=left), NODE)
    assert plan.missing == ("Service/kube-dns",)
    assert plan.why == "an earlier run ended before Service/kube-dns"


def test_half_an_answer_is_no_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    admin = tmp_path / "admin.conf"
    admin.write_text("")

    def kubectl(_kubeconfig: str, *arguments: str) -> Done:
        if "nodes" in arguments:
            node = {"kind": "Node", "metadata": {"name": "control"}}
            return Done(0, json.dumps({"kind": "List", "items": [node]}), "")
        return Done(0, "ok", "") if "--raw" in arguments else Done(1, "", "Timeout")

    monkeypatch.setattr(control_plane, "ADMIN_CONF", str(admin))
    monkeypatch.setattr(control_plane, "kubectl", kubectl)
    seen = control_plane.look()
    assert seen.admin_conf
    assert not seen.api


@pytest.mark.parametrize(
    ("seen", "found"),
    [
        (state(manifests=True, etcd_data=True, admin_conf=True), "found no answer after it had"),
        (state(**RUNNING, left=ALL), "found that it lacks Node/control after"),
        (state(**RUNNING, nodes=(NODE,), left=ALL[1:]), "lacks ConfigMap/kubeadm-config after"),
    ],
)
def test_an_api_that_goes_away_again_is_told(
    seen: control_plane.State, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between what was done and what is compared."""
    states = iter([state(manifests=True, etcd_data=True, admin_conf=True), seen])
    monkeypatch.setattr(module, "look", lambda: next(states))
    monkeypatch.setattr(control_plane, "look", lambda: next(states))
    monkeypatch.setattr(module, "act", lambda *_given: None)
    monkeypatch.setattr(module.unproved, "take_back", lambda _check_mode: [])
    monkeypatch.setattr(causes, "sources", dict)
    with pytest.raises(KubeadmError, match=found):
        module.start(PARAMETERS, False, NODE)


@pytest.mark.parametrize("check_mode", [True, False])
def test_a_kubelet_that_is_stopped_is_started_and_the_rest_compared(
    check_mode: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    stopped = state(**{**RUNNING, "running": False}, nodes=(NODE,), left=ALL)
    monkeypatch.setattr(module, "look", lambda: stopped)
    monkeypatch.setattr(control_plane, "look", lambda: stopped)
    monkeypatch.setattr(kubelet, "start", lambda: started.append("kubelet"))
    monkeypatch.setattr(module.unproved, "take_back", lambda _check_mode: [])
    monkeypatch.setattr(module.observed, "control_plane", lambda *_given: "all")
    assert module.start(PARAMETERS, check_mode, NODE) == {
        "changed": True,
        "changes": [{"what": "control plane: start", "why": "kubelet doesn't run"}],
        "seen": "all",
    }
    assert started == ([] if check_mode else ["kubelet"])


@pytest.mark.parametrize("count", [0, 1, 2])
def test_objects_are_found_by_kind_and_name(count: int) -> None:
    """kubectl prints nothing, an object, or a list."""
    items = [{"kind": "Node", "metadata": {"name": name}} for name in ("a", "b")[:count]]
    many = json.dumps({"kind": "List", "items": items})
    text = ["", json.dumps(items[0]) if items else "", many][count]
    assert list(by_name(text)) == ["Node/a", "Node/b"][:count]


WAYS = "run `kubeadm reset` on the machine, or `make down` where `make up` has made it"


def test_a_cluster_with_workers_is_never_reset() -> None:
    with pytest.raises(KubeadmError, match=f"worker-1 belong to the cluster, .*{WAYS}"):
        control_plane.decide(state(**RUNNING, nodes=(NODE, "worker-1")), NODE)


def test_a_silence_that_lasts_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_plane, "RECOVERY_SECONDS", -1)
    monkeypatch.setattr(control_plane, "_recovered", lambda _node: (None, "it is mute"))
    monkeypatch.setattr(kubelet, "start", lambda: None)
    monkeypatch.setattr(causes, "sources", dict)
    with pytest.raises(KubeadmError, match=f"it is mute, so nothing was reset.*{WAYS}"):
        control_plane.act(control_plane.Plan("recover"), PARAMETERS["documents"], {})


@pytest.mark.parametrize(
    ("held", "action", "said"),
    [
        (etcd.Held(False, ()), "reset", ""),
        (etcd.Held(False, (NODE,)), "reset", ""),
        (etcd.Held(True, (NODE,)), "", "and etcd holds a cluster with control"),
        (None, "", "etcd's directory /var/lib/etcd holds data: it is mute"),
    ],
)
def test_etcd_decides_where_the_api_is_silent(
    held: etcd.Held | None, action: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked() -> etcd.Held:
        if held is None:
            raise etcd.Unreadable("it is mute")
        return held

    monkeypatch.setattr(control_plane, "look", lambda: state(manifests=True, etcd_data=True))
    monkeypatch.setattr(etcd, "held", asked)
    plan, silence = control_plane._recovered(NODE)
    assert (plan.action if plan else "") == action
    assert said in silence
    assert bool(silence) == (plan is None)


def test_nodes_in_etcd_keep_it_from_being_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_plane, "look", lambda: state(manifests=True, etcd_data=True))
    monkeypatch.setattr(etcd, "held", lambda: etcd.Held(False, (NODE, "worker-1")))
    with pytest.raises(KubeadmError, match="worker-1 belong to the cluster"):
        control_plane._recovered(NODE)


def test_wrong_images_are_named() -> None:
    wanted = {"a:1": "sha256:aa", "b:1": "sha256:bb", "c:1": "sha256:cc"}
    present = {"a:1": "sha256:aa", "b:1": "sha256:00"}
    assert wrong_images(wanted, present) == [
        "b:1: expected sha256:bb, found sha256:00",
        "c:1: expected sha256:cc, found nothing",
    ]


def test_a_random_token_has_the_form_that_kubernetes_wants() -> None:
    tokens = {control_plane.random_token() for _ in range(100)}
    assert len(tokens) == 100
    for token in tokens:
        first, _, second = token.partition(".")
        assert (len(first), len(second)) == (6, 16)
        assert (first + second).isalnum()
        assert token == token.lower()
