# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import os
import platform
import re
import shutil
import socket
import sys
import threading
import time
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.node import (
    netlink,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.core import Node
from ansible_collections.roost.cluster.plugins.module_utils.node.kernel_modules import (
    canonical,
    look_modules,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.listeners import (
    Listener,
    listeners,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.swap import devices
from ansible_collections.roost.cluster.plugins.module_utils.node.text import api_server

# Where a machine has what only root runs; a user's own path may lack it.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
API_SERVER = "/etc/kubernetes/manifests/kube-apiserver.yaml"
KUBELET = "/etc/kubernetes/kubelet.conf"


@dataclass(frozen=True)
class Address:
    """One IPv4 address of an interface."""

    interface: str
    address: str
    prefix: int


@dataclass(frozen=True)
class Route:
    """One IPv4 route."""

    interface: str
    network: str
    gateway: str


@dataclass(frozen=True)
class Machine:
    """All that preflight knows of a machine; the checks see nothing else."""

    os_id: str
    os_version: str
    os_name: str
    architecture: str
    kernel: str
    uid: int
    python: tuple[int, int]
    init: str
    container: str  # kind of container that this machine is; empty for a machine of its own
    cgroup_version: int
    cgroup_controllers: tuple[str, ...]
    memory_mb: int
    cpus: int
    free_mb: dict[str, int]
    addresses: tuple[Address, ...]
    routes: tuple[Route, ...]
    hostname: str
    hostname_addresses: tuple[str, ...]
    machine_id: str
    product_uuid: str
    listeners: tuple[Listener, ...]
    time: float
    time_synchronized: bool | None  # None: nobody knows
    swaps: tuple[str, ...]
    modules_missing: tuple[str, ...]
    commands_missing: tuple[str, ...]
    inotify_instances: int
    inotify_watches: int
    kubernetes: str  # version of the control plane that this machine has; empty where it has none
    joined: str  # address of the API that its kubelet asks; empty where it is no node

    @property
    def default_interface(self) -> str:
        return next((route.interface for route in self.routes if route.network == "0.0.0.0/0"), "")

    def facts(self) -> dict[str, Any]:
        return {**asdict(self), "default_interface": self.default_interface}


def look(
    node: Node,
    disks: Collection[str],
    ports: Collection[int],
    modules: Sequence[str],
    commands: Sequence[str],
) -> Machine:
    """Look at everything once."""
    release = parse_os_release(node.read("/etc/os-release") or "")
    version, controllers = cgroups(node)
    seen = look_modules(node, modules)
    known = seen.present | seen.loadable
    hostname = socket.gethostname()
    return Machine(
        os_id=release.get("ID", ""),
        os_version=release.get("VERSION_ID", ""),
        os_name=release.get("PRETTY_NAME", "unknown"),
        architecture=ARCHITECTURES.get(platform.machine(), platform.machine()),
        kernel=platform.release(),
        uid=os.geteuid(),
        python=(sys.version_info[0], sys.version_info[1]),
        init=(node.read("/proc/1/comm") or "").strip(),
        container=(node.read("/run/systemd/container") or "").strip(),
        cgroup_version=version,
        cgroup_controllers=controllers,
        memory_mb=memory_mb(node.read("/proc/meminfo") or ""),
        cpus=len(os.sched_getaffinity(0)),
        free_mb={path: free_mb(node.at(path)) for path in disks},
        addresses=tuple(Address(*found) for found in netlink.addresses()),
        routes=parse_routes(node.read("/proc/net/route") or ""),
        hostname=hostname,
        hostname_addresses=resolve(hostname),
        machine_id=(node.read("/etc/machine-id") or "").strip(),
        product_uuid=(node.read("/sys/class/dmi/id/product_uuid") or "").strip().lower(),
        listeners=tuple(listeners(node.at("/proc"), ports)),
        time_synchronized=synchronized(node),
        swaps=tuple(devices(node.read("/proc/swaps") or "")),
        modules_missing=tuple(name for name in modules if canonical(name) not in known),
        commands_missing=tuple(name for name in commands if not shutil.which(name, path=PATH)),
        inotify_instances=number(node.read("/proc/sys/fs/inotify/max_user_instances")),
        inotify_watches=number(node.read("/proc/sys/fs/inotify/max_user_watches")),
        kubernetes=api_server_version(node.read(API_SERVER) or ""),
        joined=api_server(node.read(KUBELET) or ""),
        time=time.time(),  # last, so that little time passes until it is compared
    )


def parse_os_release(text: str) -> dict[str, str]:
    pairs = (line.split("=", 1) for line in text.splitlines() if re.match(r"^[A-Z_]+=", line))
    return {key: value.strip().strip("\"'") for key, value in pairs}


def api_server_version(manifest: str) -> str:
    """The version that kubeadm's manifest of the API server runs."""
    match = re.search(r"^\s+image: \S*/kube-apiserver:(v[\w.-]+)$", manifest, re.MULTILINE)
    return match.group(1) if match else ""


def memory_mb(meminfo: str) -> int:
    match = re.search(r"^MemTotal:\s+(\d+) kB", meminfo, re.MULTILINE)
    return int(match.group(1)) // 1024 if match else 0


def number(text: str | None) -> int:
    text = (text or "").strip()
    return int(text) if text.isdigit() else 0


def free_mb(path: Path) -> int:
    """What is free where a path is, or will be once it is made."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return shutil.disk_usage(path).free // (1 << 20)


def cgroups(node: Node) -> tuple[int, tuple[str, ...]]:
    """The version in use and its controllers; a hybrid tree counts as version 1."""
    unified = node.read("/sys/fs/cgroup/cgroup.controllers")
    if unified is not None:
        return 2, tuple(sorted(unified.split()))
    lines = (line.split() for line in (node.read("/proc/cgroups") or "").splitlines())
    found = sorted(fields[0] for fields in lines if len(fields) == 4 and fields[3] == "1")
    return (1 if found else 0), tuple(found)


def parse_routes(text: str) -> tuple[Route, ...]:
    """The routes in the text of /proc/net/route, the cheapest first."""
    rows = [line.split() for line in text.splitlines()[1:]]
    rows = sorted((row for row in rows if len(row) >= 8), key=lambda row: int(row[6]))
    return tuple(
        Route(row[0], f"{_dotted(row[1])}/{bin(int(row[7], 16)).count('1')}", _dotted(row[2]))
        for row in rows
    )


def _dotted(word: str) -> str:
    return socket.inet_ntoa(int(word, 16).to_bytes(4, sys.byteorder))


def resolve(name: str, limit: float = 3) -> tuple[str, ...]:
    """The addresses of a name; none where it has none, or nobody answers in time."""
    found: list[str] = []

    def ask() -> None:
        try:
            found.extend(sorted({str(info[4][0]) for info in socket.getaddrinfo(name, None)}))
        except (OSError, UnicodeError):
            return

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(limit)
    return tuple(found)


def synchronized(node: Node) -> bool | None:
    """Whether somebody keeps the clock right; a container's clock is not its own to set."""
    if node.at("/run/systemd/container").exists():
        return None
    done = node.run(["timedatectl", "show", "--property=NTPSynchronized", "--value"], 5)
    return {"yes": True, "no": False}.get(done.out.strip()) if done.rc == 0 else None
