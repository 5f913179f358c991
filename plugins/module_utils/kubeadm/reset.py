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
# A copy that isn't whole ends so.
UNFINISHED = ".unfinished"
MIB = 1 << 20
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
        _remove(path)
    trial.forget_all()
    BEGUN.unlink()


def _copy_etcd() -> None:
    """Copy etcd's directory, for whoever needs to look. etcd is ended first: then it is whole."""
    COPIES.mkdir(parents=True, exist_ok=True)
    for path in COPIES.glob(f"*{UNFINISHED}"):
        _remove(path)
    _need_room()
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
    unfinished = copy.with_suffix(UNFINISHED)
    try:
        shutil.copytree(ETCD_DATA, unfinished)
        unfinished.rename(copy)
    except OSError as error:
        raise KubeadmError(
            f"{copy}: expected a copy of {ETCD_DATA}, which can't be made, so nothing was reset: "
            f"{_reason(error)}. Put that right, and run the same again"
        ) from error


def _need_room() -> None:
    """Raise where the copy would have no room, before anything is ended for it."""
    needed = 0
    for path in ETCD_DATA.rglob("*"):
        with suppress(FileNotFoundError):  # etcd still runs
            needed += path.lstat().st_size
    free = shutil.disk_usage(COPIES).free
    if free < needed:
        raise KubeadmError(
            f"{COPIES}: found {free // MIB} MiB free, expected {needed // MIB + 1} MiB for a copy "
            f"of {ETCD_DATA}, so nothing was reset; free some space there, and run the same again"
        )


def _remove(path: Path) -> None:
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    except OSError as error:
        raise KubeadmError(
            f"{path}: expected to be removed, and it can't be: {_reason(error)}. Put that right, "
            "and run the same again"
        ) from error


def _reason(error: OSError) -> str:
    """Why a file can't be copied or removed; of several, the first."""
    return str(error.args[0][0][-1] if isinstance(error, shutil.Error) else error)


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
