# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Starts kubelet, and gives it another configuration, or the old one back where it doesn't run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress

from ansible.module_utils.urls import open_url
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm import causes, trial
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.commands import (
    KubeadmError,
    must,
    run,
)
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.observed import KUBELET_FILE

HEALTH = "http://127.0.0.1:10248/healthz"
# kubelet restarts pods only where it must: it finds the running ones again.
HEALTHY_SECONDS = 60
# Healthy for so long, it hasn't only just started to fail.
STEADY_SECONDS = 2


def runs() -> bool:
    return run(["systemctl", "is-active", "--quiet", "kubelet.service"]).code == 0


def start() -> None:
    must(["systemctl", "start", "kubelet.service"])


def reconfigure(write: Sequence[str], documents: str | None = None) -> None:
    """Have kubeadm write the file by the command `write`, restart kubelet, and see that it runs."""
    trial.begin(KUBELET_FILE)
    try:
        must(write, stdin=documents)
        must(["systemctl", "restart", "kubelet.service"])
        wait_until_healthy()
    except KubeadmError as error:
        put_back()
        raise KubeadmError(
            f"kubelet doesn't run with the new configuration, and has the old one again; correct "
            f"kubelet's configuration in the inventory: {error}"
        ) from error
    trial.passed(KUBELET_FILE)


def put_back() -> None:
    """Have the configuration again with which it ran."""
    trial.put_back(KUBELET_FILE, 0o644)
    must(["systemctl", "reset-failed", "kubelet.service"])
    must(["systemctl", "restart", "kubelet.service"])
    trial.passed(KUBELET_FILE)


def wait_until_healthy() -> None:
    until = time.monotonic() + HEALTHY_SECONDS
    healthy_since = None
    while True:
        now = time.monotonic()
        if not _healthy():
            healthy_since = None
        elif healthy_since is None:
            healthy_since = now
        elif now - healthy_since >= STEADY_SECONDS:
            return
        if now > until:
            raise KubeadmError(
                f"{HEALTH} doesn't say ok within {HEALTHY_SECONDS} s; {causes.told()}"
            )
        time.sleep(0.25)  # kubelet has no way to be waited for


def _healthy() -> bool:
    with suppress(OSError), open_url(HEALTH, timeout=2, use_proxy=False) as answer:
        return bool(answer.status == 200)
    return False
