#!/usr/bin/env python3
# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a cluster of container nodes has around its nodes: the network, the edge and the volumes.

Vagrant makes the nodes themselves; the Vagrantfile calls this before and after. `up` makes the
same nodes without Vagrant, for tests. Everything is found by its label, so only what belongs to
the cluster is ever touched.

Needs nothing but Python and Docker; `up` and `edge up` also PyYAML and what loads an image.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from host import containers, docker_cli, edge, network
from host.cluster_settings import (
    REPOSITORY,
    Paths,
    Settings,
    SettingsError,
    cluster_name,
    recorded,
)
from host.docker_cli import CHECKOUT_LABEL, CLUSTER_LABEL, NODE_LABEL, ROLE_LABEL

# The bundle's names of the nodes' image and of the one that has the edge's Envoy.
NODE_COMPONENT = "node"
PROXY_COMPONENT = "istio-proxy"


class NodesError(Exception):
    """What was asked for can't be done; the message says why and what to do."""


ERRORS = (
    NodesError,
    network.NetworkError,
    SettingsError,
    containers.ContainersError,
    edge.EdgeError,
    docker_cli.DockerError,
)


def nodes(cluster: str) -> list[docker_cli.Object]:
    """The containers that are this cluster's machines, running or not."""
    return docker_cli.containers(f"{CLUSTER_LABEL}={cluster}", f"{ROLE_LABEL}=node")


def up(paths: Paths, settings: Settings, names: list[str]) -> list[str]:
    """Have these machines run, or all, without Vagrant; returns what was made and started."""
    if settings.provider != "docker":
        raise NodesError(f"the machines of {settings.cluster} are no containers; run `vagrant up`")
    wanted = containers.select(containers.machines(paths.root, settings), names)
    present = {docker_cli.labels_of(node)[NODE_LABEL]: node for node in nodes(settings.cluster)}
    made, stopped = [], []
    for machine in wanted:
        node = present.get(machine.name)
        if node is None or not containers.is_complete(paths, machine.name):
            if containers.is_vagrants(paths, machine.name):
                raise NodesError(f"Vagrant has made {machine.name}; start it with `vagrant up`")
            made.append(machine)
        elif not docker_cli.is_running(node):
            stopped.append(machine)
    if made or stopped:
        network.up(settings, paths.root)
        for machine in made:
            forget(paths, machine.name, machine.address)
        containers.start(
            paths, settings, image(paths.root, NODE_COMPONENT) if made else "", made, stopped
        )
    return [f"made {machine.name}" for machine in made] + [
        f"started {machine.name}" for machine in stopped
    ]


def edge_up(settings: Settings, checkout: Path) -> bool:
    workers = {
        machine.name for machine in containers.machines(checkout, settings) if machine.worker
    }
    found: dict[bool, list[str]] = {True: [], False: []}
    for node in nodes(settings.cluster):
        if address := docker_cli.address_in(node, settings.network):
            found[docker_cli.labels_of(node)[NODE_LABEL] in workers].append(address)
    known = edge.Nodes(workers=found[True], control_plane=found[False])
    return edge.up(settings, known, image(checkout, PROXY_COMPONENT), checkout)


def image(checkout: Path, component: str) -> str:
    """An image of the bundle, loaded into Docker."""
    python = checkout / ".venv" / "bin" / "python"
    command = [str(python), "-m", "bundle", "docker-load", component]
    try:
        done = subprocess.run(command, cwd=checkout, stdout=subprocess.PIPE, text=True, check=True)
        return done.stdout.split()[-1]
    except (OSError, subprocess.CalledProcessError, IndexError) as error:
        raise NodesError(
            f"the image {component} can't be had from the bundle; run `make setup` first"
        ) from error


def forget(paths: Paths, node: str, address: str) -> None:
    """Remove what is left of a node: its container, its volumes and its host key.

    A volume that outlived its container would give a new node the old one's etcd. A virtual
    machine leaves its host key alone, and may be forgotten where there is no Docker.
    """
    settings = recorded(paths)
    if settings is None or settings.provider == "docker":
        labels = (f"{CLUSTER_LABEL}={paths.cluster}", f"{NODE_LABEL}={node}")
        found = docker_cli.containers(*labels)
        for container in found:
            _refuse_foreign(paths, container)
        docker_cli.remove("container", found)
        docker_cli.remove("volume", docker_cli.volumes(*labels))
    forget_host_key(paths.known_hosts, address)


def forget_host_key(known_hosts: Path, address: str) -> None:
    if known_hosts.exists():
        lines = known_hosts.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if line.split(" ", 1)[0] != address]
        known_hosts.write_text("".join(kept), encoding="utf-8")


def clean(paths: Paths, any_checkout: bool = False) -> list[str]:
    """Remove every container, volume and network of the cluster; returns what was done."""
    label = f"{CLUSTER_LABEL}={paths.cluster}"
    found, networks = docker_cli.containers(label), docker_cli.networks(label)
    if not any_checkout:
        for item in (*found, *networks):
            _refuse_foreign(paths, item)
    removed = docker_cli.remove("container", found)
    # Only now: a container takes its unnamed volumes along.
    removed += docker_cli.remove("volume", docker_cli.volumes(label))
    removed += network.remove(networks)
    paths.known_hosts.unlink(missing_ok=True)
    # A plan would ask a cluster that is gone, in the place of saying that there is none yet.
    paths.kubeconfig.unlink(missing_ok=True)
    containers.forget_keys(paths)
    return removed


def _refuse_foreign(paths: Paths, item: docker_cli.Object) -> None:
    """Leave alone what another checkout has made under the same name, if that still exists."""
    checkout = docker_cli.labels_of(item).get(CHECKOUT_LABEL, "")
    if checkout in ("", str(paths.root)) or not Path(checkout).is_dir():
        return
    raise NodesError(
        f"{docker_cli.name_of(item)} belongs to the checkout {checkout}; run `make down` there, "
        "or `host/nodes.py clean --any-checkout`"
    )


def status(settings: Settings) -> str:
    lines = []
    for container in docker_cli.containers(f"{CLUSTER_LABEL}={settings.cluster}"):
        address = docker_cli.address_in(container, settings.network)
        if docker_cli.labels_of(container).get(ROLE_LABEL) == "edge":
            address = f"127.0.0.1:{settings.http_port}"
        state = container["State"]["Status"]
        lines.append(f"{docker_cli.name_of(container):<32} {state:<10} {address or '-'}")
    return "\n".join(sorted(lines)) or f"the cluster {settings.cluster} has no containers"


def _settings(paths: Paths) -> Settings:
    settings = recorded(paths)
    if settings is None:
        raise NodesError(
            f"the cluster {paths.cluster} has no settings ({paths.settings}); run "
            "`host/settings.py record`, or `make up`, first"
        )
    return settings


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cluster", help="the cluster's name (default: ROOST_CLUSTER, or roost)")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    up_parser = commands.add_parser("up", help="make and start the nodes without Vagrant")
    up_parser.add_argument("nodes", nargs="*", metavar="NODE", help="which (default: all)")
    network_parser = commands.add_parser("network", help="the Docker network of the nodes")
    network_parser.add_argument("action", choices=["up"])
    edge_parser = commands.add_parser("edge", help="the container on 127.0.0.1")
    edge_parser.add_argument("action", choices=["up", "stop"])
    forget_parser = commands.add_parser("forget", help="remove what is left of one node")
    forget_parser.add_argument("node", metavar="NODE")
    forget_parser.add_argument("address", metavar="ADDRESS")
    clean_parser = commands.add_parser("clean", help="remove all that has the cluster's label")
    clean_parser.add_argument(
        "--if-no-nodes", action="store_true", help="do nothing while a node is left"
    )
    clean_parser.add_argument(
        "--any-checkout", action="store_true", help="also what another checkout has made"
    )
    status_parser = commands.add_parser("status", help="the containers, their state and addresses")
    status_parser.add_argument(
        "--quiet", action="store_true", help="print nothing; exit with 1 if no node runs"
    )
    return parser.parse_args(arguments)


def _run(options: argparse.Namespace, paths: Paths) -> int:
    command = options.command
    if command == "clean":
        if options.if_no_nodes and nodes(paths.cluster):
            return 0
        for name in clean(paths, options.any_checkout):
            print(name)
        return 0
    if command == "forget":
        forget(paths, options.node, options.address)
        return 0
    if command == "status" and options.quiet:
        running = [docker_cli.is_running(node) for node in nodes(paths.cluster)]
        return 0 if any(running) else 1
    settings = _settings(paths)
    if command == "status":
        print(status(settings))
    elif command == "up":
        for line in up(paths, settings, options.nodes):
            print(line)
    elif command == "network":
        network.up(settings, paths.root)
    elif options.action == "up":
        edge_up(settings, paths.root)
    else:
        edge.stop(settings)
    return 0


def main(arguments: list[str] | None = None, root: Path = REPOSITORY) -> int:
    options = _arguments(arguments)
    environment = dict(os.environ)
    if options.cluster:
        environment["ROOST_CLUSTER"] = options.cluster
    try:
        return _run(options, Paths(root, cluster_name(environment)))
    except ERRORS as error:
        print(f"nodes: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
