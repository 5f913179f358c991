# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What to do about a refusal of kubeadm's, where its own words leave that open."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.roost.cluster.plugins.module_utils.kubeadm import causes
from ansible_collections.roost.cluster.plugins.module_utils.node.listeners import listeners

_PORT = re.compile(r"\[ERROR Port-(\d+)\]")
# Those in which it waits for what it has started.
_WAIT = re.compile(
    r"error execution phase (?:wait-control-plane|upload-config|mark-control-plane|bootstrap-token"
    r"|addon|kubelet-start|kubelet-wait-bootstrap)"
)
_IMAGE = re.compile(r"failed to pull image \\?\"?([^\s\"\\]*[^\s\"\\:])")


def advice(said: str, proc: Path = Path("/proc")) -> str:
    """Lines to put below kubeadm's; empty if there is nothing to add."""
    lines = (*_ports(said, proc), *_images(said), *_runtime(said), *_waits(said))
    return "".join(f"\n{line}" for line in lines)


def _ports(said: str, proc: Path) -> Iterator[str]:
    for port in sorted({int(found) for found in _PORT.findall(said)}):
        held = [f"{one.process} (process {one.pid})" for one in listeners(proc, [port])]
        yield (
            f"port {port}: found held by {', '.join(held) or 'a process that has ended since'}, "
            "expected free; stop what holds it, and run the same again"
        )


def _images(said: str) -> Iterator[str]:
    for name in sorted(set(_IMAGE.findall(said))):
        yield (
            f"{name}: expected in the bundle's registry, and not to be had from there; `make "
            "bundle` fills the bundle, playbooks/registry.yml brings it to the registry, and "
            "`systemctl status roost-registry` on that machine says whether it runs"
        )


def _runtime(said: str) -> Iterator[str]:
    if re.search(r"dial unix \S*containerd\.sock", said):
        yield (
            "containerd: expected to run, and it doesn't answer; look at `systemctl status "
            "containerd`, or run the role container_runtime"
        )


def _waits(said: str) -> Iterator[str]:
    if _WAIT.search(said):
        yield causes.told()
