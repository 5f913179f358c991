# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a check run says of machines on which there is nothing yet, and that it changes nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.command import REPOSITORY, Ran
from tests.plans import Plan, read

ROLES = {
    "control": {"node", "registry", "container_runtime", "kubelet", "control_plane"},
    "worker-1": {"node", "container_runtime", "kubelet", "worker"},
    "worker-2": {"node", "container_runtime", "kubelet", "worker"},
    "localhost": {"pod_network", "istio", "release"},
}
PLACES = "/etc /opt /root /usr /var/lib"


@pytest.fixture(scope="module")
def ran(playbook: Any, machine: Any, tmp_path_factory: Any) -> Iterator[tuple[Ran, Plan]]:
    for name in ROLES:
        if name != "localhost":
            machine(name).check_output("touch /run/before")
    target = tmp_path_factory.mktemp("plan") / "plan.json"
    done = playbook(
        REPOSITORY / "playbooks" / "site.yml",
        *("--check", "--diff", "-e", f"plan_file={os.path.relpath(target, REPOSITORY)}"),
        ANSIBLE_CALLBACKS_ENABLED="roost.cluster.plan",
    )
    assert done.code == 0, done.output
    yield done, read(target)


def test_every_role_says_what_it_would_do(ran: tuple[Ran, Plan]) -> None:
    _done, plan = ran
    assert plan.document["check_mode"] is True
    found = {host: set(roles) for host, roles in plan.document["hosts"].items()}
    assert found == ROLES


def test_a_control_plane_and_workers_are_planned(ran: tuple[Ran, Plan]) -> None:
    _done, plan = ran
    [init, kubeconfig] = plan.of("control", "control_plane")
    assert init == {"what": "control plane: init", "why": "no control plane on this machine"}
    assert kubeconfig["why"] == "there is no control plane yet to take it from"
    assert plan.of("worker-1", "worker") == [
        {"what": "worker: join", "why": "not part of a cluster"}
    ]


@pytest.mark.parametrize(
    ("role", "what"),
    [
        ("pod_network", "DaemonSet kube-flannel/flannel"),
        ("istio", "Deployment istio-system/istiod"),
        ("release", "VirtualService digits/digits-gateway"),
    ],
)
def test_objects_are_named_without_a_cluster(ran: tuple[Ran, Plan], role: str, what: str) -> None:
    done, plan = ran
    changes = plan.of("localhost", role)
    assert what in [change["what"] for change in changes]
    why = "new, because there is no cluster yet"
    # The weights come in a second step, when all versions are ready.
    assert {change["why"] for change in changes if "weight" not in change["why"]} == {why}
    assert f"{why} (" in done.output


def test_nothing_was_changed(ran: tuple[Ran, Plan], host: Any, setting: Any) -> None:
    # systemd keeps its own timers there.
    found = f"find {PLACES} -xdev -newer /run/before -type f -not -path '/var/lib/systemd/*'"
    assert host.check_output(found) == ""
    assert not Path(setting("kubeconfig")).exists()
