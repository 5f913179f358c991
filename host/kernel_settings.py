# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The host's kernel settings, which its container nodes share and change.

kubelet in a container sets some of them for the whole host. How they were before the first node is
kept in labels of the clusters' networks: what a cluster leaves goes with its network, and the last
network that goes takes the settings back.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from host import docker_cli
from host.docker_cli import CLUSTER_LABEL

# What kubelet sets: setupKernelTunables in its container_manager_linux.go.
SET_BY_KUBELET = (
    "kernel.keys.root_maxbytes",
    "kernel.keys.root_maxkeys",
    "kernel.panic",
    "kernel.panic_on_oops",
    "vm.overcommit_memory",
    "vm.panic_on_oom",
)
# What nodes take of root's share, for all containers together; the role preflight asks for as much.
# In a node with a release, root's processes use some 25 instances and 320 watches, most of them
# kubelet's: that is watches for as many nodes as a cluster can have.
LEAST = {"fs.inotify.max_user_instances": 1024, "fs.inotify.max_user_watches": 65536}
RECORDED = (*SET_BY_KUBELET, *LEAST)

_LABEL = "roost.host."
PROC = Path("/proc/sys")


@contextmanager
def alone() -> Iterator[None]:
    """While a network comes with its record, or goes and the settings with it, no other one does:
    what is put back a moment later would be recorded as the host's own."""
    folder = os.open(PROC, os.O_RDONLY)  # there for every user and every checkout
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def labels() -> dict[str, str]:
    """The labels of a new cluster's network. Where there is a cluster already its own are taken
    over, for what is set now may be a kubelet's doing."""
    values = {name: _read(name) for name in RECORDED}
    for network in docker_cli.networks(CLUSTER_LABEL):
        if found := _recorded(network):
            values |= found
            break
    return {_LABEL + name: value for name, value in values.items()}


def allow_nodes() -> str:
    """Raise what container nodes would run out of; return the command where this user may not."""
    return _write({name: str(least) for name, least in LEAST.items() if int(_read(name)) < least})


def load_bridge_filter() -> str:
    """Have the kernel look at what passes bridges, as Services need it; return the command where
    this user may not. Not every Docker Engine loads the module, and a node in a container can't."""
    there = PROC / "net/bridge/bridge-nf-call-iptables"
    if not there.exists():
        with suppress(FileNotFoundError):
            subprocess.run(["modprobe", "br_netfilter"], capture_output=True, check=False)
    return "" if there.exists() else "sudo modprobe br_netfilter"


def restore(removed: Iterable[docker_cli.Object]) -> list[str]:
    """Put back what the removed networks have recorded, unless a cluster is left.

    What was changed is said, a line for each."""
    recorded: dict[str, str] = {}
    for network in removed:
        recorded |= _recorded(network)
    if not recorded or docker_cli.networks(CLUSTER_LABEL):
        return []
    changed = {name: value for name, value in recorded.items() if _read(name) != value}
    if command := _write(changed):
        print(f"nodes: this user may not set it: {command}", file=sys.stderr)
    return [f"{name} is {value} again" for name, value in changed.items() if _read(name) == value]


def _recorded(network: docker_cli.Object) -> dict[str, str]:
    found = docker_cli.labels_of(network)
    return {name: found[_LABEL + name] for name in RECORDED if _LABEL + name in found}


def _path(name: str) -> Path:
    return PROC / name.replace(".", "/")


def _read(name: str) -> str:
    return _path(name).read_text(encoding="ascii").strip()


def _write(wanted: Mapping[str, str]) -> str:
    """Set what may be set; return the command for the rest."""
    refused = []
    for name, value in wanted.items():
        try:
            _path(name).write_text(value, encoding="ascii")
        except OSError:
            refused.append(f"{name}={value}")
    return f"sudo sysctl -w {' '.join(refused)}" if refused else ""
