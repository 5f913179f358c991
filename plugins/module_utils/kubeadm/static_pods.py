# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gives a static pod of the control plane another manifest, and the old one back if it fails."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from ansible.module_utils.urls import open_url
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm import causes, trial
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.commands import (
    ADMIN_CONF,
    KubeadmError,
    kubeadm,
    kubectl,
)
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.observed import MANIFESTS

# kubelet lets the old process end, which may take half a minute, and starts the new one.
RESTARTED_SECONDS = 120
LAST_WORDS = 5
PHASES = {
    "etcd": ("etcd", "local"),
    "kube-apiserver": ("control-plane", "apiserver"),
    "kube-controller-manager": ("control-plane", "controller-manager"),
    "kube-scheduler": ("control-plane", "scheduler"),
}
HEALTH = {
    "etcd": "http://127.0.0.1:2381/health",
    "kube-controller-manager": "https://127.0.0.1:10257/healthz",
    "kube-scheduler": "https://127.0.0.1:10259/healthz",
}
# The kernel keeps so much of a process's name.
_COMM = 15


def regenerate(component: str, documents: str) -> None:
    """Have kubeadm write the manifest, and wait until the new process answers."""
    path = manifest(component)
    old = processes(component)
    trial.begin(path)
    kubeadm("init", "phase", *PHASES[component], "--config=/dev/stdin", stdin=documents)
    if _restarted(component, old):
        trial.passed(path)
        return
    words = causes.told(), *causes.log(component)[-LAST_WORDS:]
    put_back(component)
    raise KubeadmError(
        f"{component} doesn't answer within {RESTARTED_SECONDS} s with the new manifest, and has "
        "the old one again; correct the cluster's configuration in the inventory. Its last words:\n"
        + "\n".join(words)
    )


def put_back(component: str) -> None:
    """Have the manifest again with which it ran, and wait until it does."""
    failed = processes(component)
    if trial.put_back(manifest(component), 0o600):
        _restarted(component, failed)
    trial.passed(manifest(component))


def manifest(component: str) -> Path:
    return MANIFESTS / f"{component}.yaml"


def processes(component: str) -> set[str]:
    """The processes of a component, by their numbers."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/comm"):
        with suppress(OSError):  # processes end while they are counted
            if path.read_text().strip() == component[:_COMM]:
                found.add(path.parent.name)
    return found


def _restarted(component: str, old: set[str]) -> bool:
    until = time.monotonic() + RESTARTED_SECONDS
    while time.monotonic() < until:
        now = processes(component)
        if now and not now & old and _answers(component):
            return True
        time.sleep(0.5)  # kubelet restarts static pods by itself, and tells nobody
    return False


def _answers(component: str) -> bool:
    """Whether the component is well, and the API too, which needs all of them but the scheduler."""
    url = HEALTH.get(component)
    if url:
        try:
            # The certificates are the components' own, made when they start.
            with open_url(url, timeout=2, use_proxy=False, validate_certs=False) as answer:
                if answer.status != 200:
                    return False
        except OSError:
            return False
    return kubectl(ADMIN_CONF, "get", "--raw", "/readyz").code == 0
