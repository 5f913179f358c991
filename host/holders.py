# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who holds a cluster's name, its network or its ports on this machine."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket
from collections.abc import Sequence
from pathlib import Path

from host import docker_cli
from host.cluster_settings import VARIABLES, Paths, Settings, SettingsError, recorded

# Labels of a cluster's Docker network, so that a halted cluster still holds its ports.
PORT_LABELS = {"http_port": "roost.http_port", "https_port": "roost.https_port"}


def _no_matter(provider: str) -> type[docker_cli.DockerError]:
    """In which case Docker isn't asked further: there is nothing in one that doesn't run, and
    virtual machines don't need it, whatever is wrong with it."""
    return docker_cli.DockerAbsent if provider == "docker" else docker_cli.DockerError


def signs_of_life(paths: Paths, provider: str) -> list[str]:
    """What exists of a cluster: containers with its label, and machines that Vagrant made."""
    signs = []
    docker_answers = True
    try:
        for container in docker_cli.containers(f"{docker_cli.CLUSTER_LABEL}={paths.cluster}"):
            signs.append(f"container {docker_cli.name_of(container)}")
    except _no_matter(provider):
        docker_answers = False
    for identity in sorted(paths.vagrant.glob("machines/*/*/id")):
        name, made_by = identity.parts[-3:-1]
        # Of container nodes Vagrant may not have heard that they are gone; Docker knows.
        if made_by != "docker" or not docker_answers:
            signs.append(f"{made_by} machine {name}")
    return signs


def other_checkout(paths: Paths, provider: str) -> list[str]:
    """Refuses a name under which another checkout of this repository has a cluster."""
    label = f"{docker_cli.CLUSTER_LABEL}={paths.cluster}"
    with contextlib.suppress(_no_matter(provider)):
        # A cluster that is being made has its network first.
        for item in (*docker_cli.containers(label), *docker_cli.networks(label)):
            checkout = docker_cli.labels_of(item).get(docker_cli.CHECKOUT_LABEL, "")
            if checkout in ("", str(paths.root)):
                continue
            kind = "container" if "Config" in item else "network"
            there = "there" if Path(checkout).is_dir() else "here, for that folder is gone"
            return [
                f"ROOST_CLUSTER: the name {paths.cluster} is taken by the checkout {checkout} "
                f"({kind} {docker_cli.name_of(item)}). Choose another name, or run `make down` "
                f"{there}"
            ]
    return []


def virtual_clusters(settings: Settings, checkout: Path) -> list[Settings]:
    """The other clusters of this checkout that have virtual machines, running or not. Nothing else
    tells what they hold."""
    found = []
    for path in sorted(checkout.glob(".roost/*/settings.yml")):
        paths = Paths(checkout, path.parent.name)
        with contextlib.suppress(SettingsError):
            other = recorded(paths)
            lives = any(paths.vagrant.glob("machines/*/*/id"))
            if other and lives and other.provider != "docker" and other.cluster != settings.cluster:
                found.append(other)
    return found


def conflicts(settings: Settings, checkout: Path) -> list[str]:
    """Why a cluster with these settings can't start here."""
    try:
        networks = docker_cli.networks()
    except _no_matter(settings.provider):
        networks = []
    virtual = virtual_clusters(settings, checkout)
    return [
        *_subnet_conflicts(settings, networks, _routes(), virtual),
        *_port_conflicts(settings, networks, virtual),
    ]


def conflicts_of_edge(settings: Settings, checkout: Path) -> list[str]:
    """Who has taken the ports of a cluster that exists while its edge doesn't run."""
    if settings.provider != "docker":  # there, the machine itself holds its ports
        return []
    try:
        edge = docker_cli.edge(settings.cluster)
        if edge and docker_cli.is_running(edge):
            return []
        networks = docker_cli.networks()
    except docker_cli.DockerAbsent:
        networks = []
    return _port_conflicts(
        settings,
        networks,
        virtual_clusters(settings, checkout),
        way_out="stop that, or run `make down` and choose another",
    )


def _cluster_of(network: docker_cli.Object) -> str:
    """Which cluster a network is of and where that was made; empty for one that isn't ours."""
    labels = docker_cli.labels_of(network)
    if docker_cli.CLUSTER_LABEL not in labels:
        return ""
    checkout = labels.get(docker_cli.CHECKOUT_LABEL, "an unknown checkout")
    return f"the cluster {labels[docker_cli.CLUSTER_LABEL]} of {checkout}"


def _virtual(settings: Settings) -> str:
    return f"the virtual machines of the cluster {settings.cluster} of this checkout"


def _subnet_conflicts(
    settings: Settings,
    networks: list[docker_cli.Object],
    routes: list[tuple[str, str]],
    virtual: Sequence[Settings] = (),
) -> list[str]:
    wanted = ipaddress.IPv4Network(settings.subnet)
    bridges = {"docker0"}
    reasons = [
        f"ROOST_SUBNET: {settings.subnet} is taken by {_virtual(other)}; choose another"
        for other in virtual
        if other.subnet == settings.subnet
    ]
    for network in networks:
        name = docker_cli.name_of(network)
        bridges.add(f"br-{network['Id'][:12]}")
        if name == settings.network:
            continue
        for config in network["IPAM"]["Config"] or []:
            subnet = ipaddress.ip_network(config["Subnet"])
            if subnet.version == 4 and wanted.overlaps(subnet):
                holder = _cluster_of(network) or f"the Docker network {name}"
                reasons.append(
                    f"ROOST_SUBNET: {settings.subnet} is taken by {holder} ({subnet}); choose "
                    "another"
                )
    # VirtualBox and libvirt keep their host-only network when the machines are gone.
    kept = () if settings.provider == "docker" else ("vboxnet", "virbr")
    for destination, interface in routes:
        if interface in bridges or interface.startswith(kept or "\0"):
            continue
        if wanted.overlaps(ipaddress.IPv4Network(destination)):
            reasons.append(
                f"ROOST_SUBNET: {settings.subnet} is taken by this machine's route to "
                f"{destination} over {interface}; choose another"
            )
    return reasons


def _port_conflicts(
    settings: Settings,
    networks: list[docker_cli.Object],
    virtual: Sequence[Settings] = (),
    way_out: str = "choose another",
) -> list[str]:
    reasons = []
    for key in PORT_LABELS:
        port = getattr(settings, key)
        holder = _reserved_for(port, settings, networks, virtual)
        if not holder and _is_taken(port):
            holder = _listener(port)
        if holder:
            reasons.append(f"{VARIABLES[key]}: 127.0.0.1:{port} is taken by {holder}; {way_out}")
    return reasons


def _reserved_for(
    port: int,
    settings: Settings,
    networks: list[docker_cli.Object],
    virtual: Sequence[Settings],
) -> str:
    """Whose port it is, free for the moment if that cluster is halted."""
    for other in virtual:
        if port in (other.http_port, other.https_port):
            return _virtual(other)
    for network in networks:
        labels = docker_cli.labels_of(network)
        if labels.get(docker_cli.CLUSTER_LABEL, settings.cluster) == settings.cluster:
            continue
        if str(port) in {labels.get(label) for label in PORT_LABELS.values()}:
            return _cluster_of(network)
    return ""


def _is_taken(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As a server does, so that connections that were just closed don't count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False


def _listener(port: int) -> str:
    """The process that listens on a port, as far as this user may see it."""
    inodes = _listening_inodes(port)
    with contextlib.suppress(OSError):
        for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
            with contextlib.suppress(OSError):
                target = str(descriptor.readlink())
                if target.startswith("socket:[") and target[8:-1] in inodes:
                    process = descriptor.parents[1]
                    name = (process / "comm").read_text(encoding="utf-8").strip()
                    return f"process {process.name} ({name})"
    return "a process of another user"


def _listening_inodes(port: int, proc: Path = Path("/proc/net")) -> set[str]:
    listening = "0A"
    inodes = set()
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(FileNotFoundError):
            for line in (proc / table).read_text(encoding="utf-8").splitlines()[1:]:
                columns = line.split()
                local_port = int(columns[1].rpartition(":")[2], 16)
                if local_port == port and columns[3] == listening:
                    inodes.add(columns[9])
    return inodes


def _routes(table: Path = Path("/proc/net/route")) -> list[tuple[str, str]]:
    """Destination and interface of every route but the default one."""
    routes = []
    with contextlib.suppress(FileNotFoundError):
        for line in table.read_text(encoding="utf-8").splitlines()[1:]:
            interface, destination, _, _, _, _, _, mask = line.split()[:8]
            if int(mask, 16):
                # The kernel writes both in the machine's byte order, which is little-endian here.
                address, netmask = (
                    str(ipaddress.IPv4Address(bytes.fromhex(field)[::-1]))
                    for field in (destination, mask)
                )
                routes.append((str(ipaddress.IPv4Network(f"{address}/{netmask}")), interface))
    return routes
