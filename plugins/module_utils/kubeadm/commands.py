# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs kubeadm, kubectl and ctr on a node, one run of ours at a time."""

from __future__ import annotations

import contextlib
import fcntl
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.refusal import advice

BINARIES = Path("/usr/local/bin")
LOCK = Path("/run/roost-kubeadm.lock")
ADMIN_CONF = "/etc/kubernetes/admin.conf"
KUBELET_CONF = "/etc/kubernetes/kubelet.conf"
TAIL = 2000
# The lock, while it is held. Commands hold it as well: they go on when what started them is killed.
_held: list[int] = []


class KubeadmError(Exception):
    """An error whose text names the thing, what was expected and what to do."""


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


def run(command: Sequence[str], *, stdin: str | None = None, timeout: float = 600) -> Done:
    """Run a command; a secret may only be in `stdin`."""
    try:
        done = subprocess.run(
            list(command),
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
            pass_fds=_held,
        )
    except FileNotFoundError as error:
        raise KubeadmError(
            f"{command[0]}: not installed; the roles before this one install it"
        ) from error
    except subprocess.TimeoutExpired as error:
        printed = (error.stdout or b"")[-TAIL:].decode("utf-8", "replace")
        raise KubeadmError(
            f"`{' '.join(command)}` didn't end within {timeout:.0f} s; its last words: {printed}"
        ) from error
    return Done(done.returncode, done.stdout, done.stderr)


def must(command: Sequence[str], *, stdin: str | None = None, timeout: float = 600) -> str:
    """What a command prints; an error with the end of its output, and what to do, if it fails."""
    done = run(command, stdin=stdin, timeout=timeout)
    if done.code:
        said = done.out + done.err
        raise KubeadmError(
            f"`{' '.join(command)}` ended with {done.code}:\n{said[-TAIL:].rstrip()}{advice(said)}"
        )
    return done.out


def kubectl(kubeconfig: str, *arguments: str, timeout: float = 10) -> Done:
    """Ask the API server; the request itself is given up after 5 s."""
    command = [str(BINARIES / "kubectl"), f"--kubeconfig={kubeconfig}", "--request-timeout=5s"]
    return run([*command, *arguments], timeout=timeout)


def kubeadm(*arguments: str, stdin: str | None = None) -> str:
    return must([str(BINARIES / "kubeadm"), *arguments], stdin=stdin)


@contextlib.contextmanager
def exclusive(limit: float = 300) -> Iterator[None]:
    """One run at a time: kubeadm goes on when what started it is killed, and keeps the lock."""
    with LOCK.open("w") as handle:
        until = time.monotonic() + limit
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise KubeadmError(
                        f"{LOCK}: another run holds it since more than {limit:.0f} s; look at "
                        "`ps ax` on the node for a kubeadm that hangs, and end it"
                    ) from None
                time.sleep(0.5)  # flock has no wait with a limit
        _held.append(handle.fileno())
        try:
            yield
        finally:
            _held.clear()


def image_digests() -> dict[str, str]:
    """Digest of each image in containerd, by name."""
    ctr = [str(BINARIES / "ctr"), "--namespace", "k8s.io", "images", "ls"]
    found = {}
    for line in must(ctr).splitlines()[1:]:
        words = line.split()
        if len(words) > 2:
            found[words[0]] = words[2]
    return found


def wrong_images(wanted: dict[str, str], present: dict[str, str]) -> list[str]:
    """One line for each image that isn't what the bundle's lock says."""
    return [
        f"{name}: expected {digest}, found {present.get(name, 'nothing')}"
        for name, digest in sorted(wanted.items())
        if present.get(name) != digest
    ]
