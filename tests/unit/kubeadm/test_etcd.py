# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What keys in etcd say of a cluster; that it is asked rightly, molecule/control_plane tests."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm import etcd

CLUSTER = "/registry/configmaps/kube-system/kubeadm-config"
NODES = ("/registry/minions/control", "/registry/minions/worker-1")


def play(monkeypatch: pytest.MonkeyPatch, *keys: str) -> None:
    """An etcd with these keys."""

    def decoded(text: str) -> str:
        return base64.b64decode(text).decode()

    def ask(body: Mapping[str, Any]) -> dict[str, Any]:
        key, end = decoded(body["key"]), decoded(body["range_end"])
        if end == "\0":
            found = [name for name in keys if name >= key]
        else:
            found = [name for name in keys if key <= name < end or name == key]
        items = [{"key": base64.b64encode(name.encode()).decode()} for name in found]
        answer: dict[str, Any] = {"count": str(len(found))} if found else {}
        return answer if body.get("count_only") else {**answer, "kvs": items}

    monkeypatch.setattr(etcd, "_ask", ask)


@pytest.mark.parametrize(
    ("keys", "held"),
    [
        ((), etcd.Held(False, ())),
        (("/registry/leases/x", f"{CLUSTER}-2"), etcd.Held(False, ())),
        ((*NODES, "/registry/minionsets/x"), etcd.Held(False, ("control", "worker-1"))),
        # The API server keeps one key elsewhere.
        ((NODES[0], CLUSTER, "compact_rev_key"), etcd.Held(True, ("control",))),
    ],
)
def test_what_it_holds(
    keys: tuple[str, ...], held: etcd.Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(monkeypatch, *keys)
    assert etcd.held() == held


def test_another_prefix_is_no_empty_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch, f"/other{CLUSTER}", "compact_rev_key")
    with pytest.raises(etcd.Unreadable, match="found 2 keys and none below /registry/"):
        etcd.held()


def test_one_that_does_not_answer_is_unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(etcd, "RANGE", "https://127.0.0.1:1/v3/kv/range")
    with pytest.raises(etcd.Unreadable, match="etcd at 127.0.0.1:2379: found .*, expected an ans"):
        etcd.held()
