# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a former cluster's pod network has left is gone before a machine becomes a node again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm import (
    control_plane,
    pod_network,
    trial,
    worker,
)

REMOVED = [("ip", "link", "delete", "cni0"), ("ip", "link", "delete", "flannel.1")]


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """A machine with what is left; what was called on it."""
    done: list[tuple[str, ...]] = []
    files = tmp_path / "subnet.env", tmp_path / "10-flannel.conflist"
    for path in (*files, tmp_path / "cbr0" / "10.244.1.2", tmp_path / "podman" / "10.88.0.2"):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    for name in ("cni0", "flannel.1", "eth0", "cni-podman0"):
        (tmp_path / "net" / name).mkdir(parents=True)
    monkeypatch.setattr(pod_network, "INTERFACES", tmp_path / "net")
    monkeypatch.setattr(pod_network, "FILES", files)
    monkeypatch.setattr(pod_network, "LEASES", tmp_path / "cbr0")
    monkeypatch.setattr(pod_network, "must", lambda words: done.append(tuple(words)))
    monkeypatch.setattr(trial, "KEPT", tmp_path / "before")
    for module in (control_plane, worker):
        monkeypatch.setattr(module, "kubeadm", lambda *words, **_more: done.append(words[:1]))
    monkeypatch.setattr(control_plane, "pull", lambda *_given: None)
    monkeypatch.setattr(control_plane.reset, "reset", lambda: done.append(("reset",)))
    monkeypatch.setattr(worker, "registered", lambda _node: True)
    return done


def left(tmp_path: Path) -> set[str]:
    return {path.name for path in tmp_path.iterdir()} - {"net"}


@pytest.mark.parametrize(
    ("action", "before"), [("join", []), ("reset", [("reset",)])], ids=["join", "reset"]
)
def test_a_worker(calls: Any, tmp_path: Path, action: str, before: list[Any]) -> None:
    worker.act(worker.Plan(action), {}, "worker-1")
    assert calls == [*before, *REMOVED, ("join",)]
    assert left(tmp_path) == {"podman"}


@pytest.mark.parametrize(
    ("action", "before"), [("init", []), ("reset", [("reset",)])], ids=["init", "reset"]
)
def test_a_control_plane(calls: Any, tmp_path: Path, action: str, before: list[Any]) -> None:
    control_plane.act(control_plane.Plan(action), [{}], {})
    assert calls == [*before, ("config",), *REMOVED, ("init",), ("token",)]
    assert left(tmp_path) == {"podman"}


def test_a_machine_on_which_nothing_is_left(
    calls: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod_network.forget()
    monkeypatch.setattr(pod_network, "INTERFACES", tmp_path / "none")
    calls.clear()
    pod_network.forget()
    assert calls == []
