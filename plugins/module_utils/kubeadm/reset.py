# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Takes a half-done `kubeadm init` back, and keeps a copy of what etcd held."""

from __future__ import annotations

import os
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path

from ansible_collections.roost.cluster.plugins.module_utils.kubeadm import trial
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.commands import (
    KubeadmError,
    kubeadm,
    must,
)
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.documents import CRI_SOCKET

ETCD_DATA = Path("/var/lib/etcd")
AUTHORITY = Path("/etc/kubernetes/pki/ca.crt")
COPIES = Path("/var/lib/roost")
# There while a reset is under way, so that one that was killed is taken up again.
BEGUN = COPIES / "reset-begun"
ENDED_SECONDS = 30


def holds_data() -> bool:
    return (ETCD_DATA / "member").exists()


def begun() -> bool:
    """Whether an earlier run ended in the middle of a reset."""
    return BEGUN.exists()


def reset() -> None:
    """Leave nothing of kubeadm init. It may be ended anywhere and run again."""
    if holds_data() and not begun():
        _copy_etcd()
    COPIES.mkdir(parents=True, exist_ok=True)
    BEGUN.touch()
    kubeadm("reset", "--force", "--cri-socket", CRI_SOCKET)
    # kubeadm leaves etcd's data if a reset that was killed has removed the manifest already.
    for path in ETCD_DATA.glob("*"):
        shutil.rmtree(path)
    trial.forget_all()
    BEGUN.unlink()


def _copy_etcd() -> None:
    """Copy etcd's directory, for whoever needs to look. etcd is ended first: then it is whole."""
    must(["systemctl", "stop", "kubelet.service"])
    # Without etcd it would let kubeadm wait for answers that it hasn't got.
    _send(signal.SIGKILL, processes("kube-apiserver", AUTHORITY))
    until = time.monotonic() + ENDED_SECONDS
    while running := processes("etcd", ETCD_DATA):
        if time.monotonic() > until:
            raise KubeadmError(
                f"etcd (process {', '.join(map(str, running))}) doesn't end within {ENDED_SECONDS} "
                f"s, so {ETCD_DATA} wasn't copied and nothing was reset; end it, and run the same "
                "again"
            )
        _send(signal.SIGTERM, running)
        time.sleep(0.5)  # it is no child of ours
    copy = COPIES / f"etcd-{time.strftime('%Y%m%dT%H%M%S')}"
    COPIES.mkdir(parents=True, exist_ok=True)
    unfinished = copy.with_suffix(".unfinished")
    shutil.copytree(ETCD_DATA, unfinished)
    unfinished.rename(copy)


def _send(what: signal.Signals, processes: list[int]) -> None:
    for pid in processes:
        with suppress(ProcessLookupError):
            os.kill(pid, what)


def processes(program: str, path: Path) -> list[int]:
    """Those of the program that see this file or directory of ours, in their containers; those of
    another cluster in containers on this machine don't."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # processes end while they are counted
            if (process / "comm").read_text().strip() != program:
                continue
            if path.samefile(process / "root" / path.relative_to("/")):
                found.append(int(process.name))
    return found
