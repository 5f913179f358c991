# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The Docker network of a cluster's nodes. It stands for the cluster: its labels say whose it is,
and how the host was before."""

from __future__ import annotations

from pathlib import Path

from host import docker_cli, holders, kernel_settings
from host.cluster_settings import Settings
from host.docker_cli import CHECKOUT_LABEL, CLUSTER_LABEL, docker


class NetworkError(Exception):
    """The network can't be had; the message says why and what to do."""


def up(settings: Settings, checkout: Path) -> bool:
    """Have the nodes' network; says whether it had to be made."""
    if command := kernel_settings.load_bridge_filter():
        raise NetworkError(
            "this machine's kernel has no br_netfilter, which container nodes need and can't load; "
            f"run `{command}`, and the same again"
        )
    present = docker_cli.network(settings.network)
    if present:
        _check(present, settings, checkout)
    else:
        with kernel_settings.alone():
            _make(settings, checkout)
    # Only now, when it is recorded how the host was before.
    if command := kernel_settings.allow_nodes():
        raise NetworkError(
            "this machine gives its users fewer inotify instances or watches than container nodes "
            f"need, and this user may not raise that; run `{command}`, and the same again"
        )
    return not present


def _make(settings: Settings, checkout: Path) -> None:
    # Filling a bundle takes its time, and somebody may have come since the settings were looked at.
    reasons = holders.conflicts(settings, checkout)
    if reasons:
        raise NetworkError("; ".join(reasons))
    labels = {
        CLUSTER_LABEL: settings.cluster,
        CHECKOUT_LABEL: str(checkout),
        **{label: str(getattr(settings, key)) for key, label in holders.PORT_LABELS.items()},
        **kernel_settings.labels(),
    }
    gateway = settings.subnet.replace(".0/24", ".1")
    docker(
        "network",
        "create",
        "--driver=bridge",
        f"--subnet={settings.subnet}",
        f"--gateway={gateway}",
        *(f"--label={key}={value}" for key, value in labels.items()),
        settings.network,
    )


def _check(present: docker_cli.Object, settings: Settings, checkout: Path) -> None:
    labels = docker_cli.labels_of(present)
    if labels.get(CLUSTER_LABEL) != settings.cluster:
        raise NetworkError(
            f"the Docker network {settings.network} is not ours (it has no label "
            f"{CLUSTER_LABEL}={settings.cluster}); remove it or choose another ROOST_CLUSTER"
        )
    other = labels.get(CHECKOUT_LABEL, str(checkout))
    if other != str(checkout):
        raise NetworkError(
            f"the Docker network {settings.network} is of the checkout {other}; choose another "
            "ROOST_CLUSTER, or run `make down` there"
        )
    subnets = [config.get("Subnet") for config in present["IPAM"]["Config"] or []]
    if subnets != [settings.subnet]:
        raise NetworkError(
            f"the Docker network {settings.network} has {', '.join(map(str, subnets))}, expected "
            f"{settings.subnet}; run `make down` first"
        )


def remove(networks: list[docker_cli.Object]) -> list[str]:
    """The last network that goes takes the host's kernel settings back."""
    with kernel_settings.alone():
        return docker_cli.remove("network", networks) + kernel_settings.restore(networks)
