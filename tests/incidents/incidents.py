# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What can happen to a cluster, how it is made to happen, and how it is undone."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from host.cluster_settings import Paths
from tests.command import REPOSITORY
from tests.course import ready, settle
from tests.e2e.conftest import SETTINGS, URL, docker, run

PATHS = Paths(REPOSITORY, SETTINGS["ROOST_CLUSTER"])
NAMESPACE = "digits"
MESH = "istio-system"
GATEWAY = "istio=ingressgateway"
# When a node was started again.
RESTARTED: dict[str, float] = {}


@dataclass(frozen=True)
class Incident:
    """Something that happens, with traffic for at least `seconds` from then on. Of all requests at
    most `failed` may fail, and after `normal` seconds everything has to be as before."""

    title: str
    happen: Callable[[], None]
    seconds: float
    failed: int
    normal: float
    undo: Callable[[], None] = lambda: None

    @property
    def name(self) -> str:
        return self.title.replace(" ", "-")


@cache
def kubectl_path() -> str:
    return run("python", "-m", "bundle", "path", "kubectl").output.strip()


def kubectl(*arguments: str) -> str:
    command = [kubectl_path(), f"--kubeconfig={PATHS.kubeconfig}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def node(name: str) -> str:
    return f"roost-{SETTINGS['ROOST_CLUSTER']}-{name}"


def kill_pod(namespace: str, selector: str) -> None:
    """One pod of these, without any time to end in order."""
    names = kubectl("get", "pods", f"--namespace={namespace}", f"--selector={selector}", "-oname")
    kubectl("delete", f"--namespace={namespace}", "--grace-period=0", "--force", names.split()[0])


def machine(action: str, name: str) -> None:
    """What Docker does to a node: kill, stop or start."""
    if action == "start":
        RESTARTED[name] = time.time()
    docker(action, node(name))


def scale_istiod(replicas: int) -> None:
    kubectl("scale", f"--namespace={MESH}", "deployment/istiod", f"--replicas={replicas}")


def registry(action: str) -> None:
    docker("exec", node("control"), "systemctl", action, "roost-registry.service")


def change_weight() -> None:
    """As a person does it: another number in the file, and the playbook."""
    changed = PATHS.directory / "release.yml"
    text = (REPOSITORY / "inventory/group_vars/all/release.yml").read_text()
    assert "weight: 10" in text
    changed.write_text(text.replace("weight: 10", "weight: 50"))
    assert run("ansible-playbook", "playbooks/release.yml", "-e", f"@{changed}").code == 0


def settled() -> None:
    """Wait until everything is ready again and users see nothing any more."""
    settle(URL, lambda: ready(kubectl, RESTARTED))


INCIDENTS = (
    Incident("an app pod is killed", lambda: kill_pod(NAMESPACE, "app=app,version=v1"), 12, 20, 10),
    Incident(
        "a model-service pod is killed",
        lambda: kill_pod(NAMESPACE, "app=model-service,version=v1"),
        seconds=12,
        failed=20,
        normal=10,
    ),
    Incident("a gateway pod is killed", lambda: kill_pod(MESH, GATEWAY), 12, 20, 10),
    Incident(
        "the control node is down",
        lambda: machine("stop", "control"),
        seconds=25,
        failed=50,
        normal=40,
        undo=lambda: machine("start", "control"),
    ),
    Incident(
        "a worker loses its power",
        lambda: machine("kill", "worker-1"),
        seconds=90,
        failed=500,
        normal=70,
        undo=lambda: machine("start", "worker-1"),
    ),
    Incident("istiod is gone", lambda: scale_istiod(0), 15, 0, 0, undo=lambda: scale_istiod(2)),
    Incident(
        "the registry is gone", lambda: registry("stop"), 8, 0, 0, undo=lambda: registry("start")
    ),
    Incident("the weight changes from 10 to 50", change_weight, 5, 0, 0),
)
