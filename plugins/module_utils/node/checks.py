# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a machine can be a node, and all reasons why not."""

from __future__ import annotations

from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.node import (
    checks_kernel,
    checks_network,
    checks_system,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.machine import Machine
from ansible_collections.roost.cluster.plugins.module_utils.node.problem import (
    Check,
    Problem,
    Wishes,
)

CHECKS: tuple[Check, ...] = (
    checks_system.system,
    checks_system.architecture,
    checks_system.rights,
    checks_system.python,
    checks_system.init,
    checks_kernel.cgroup,
    checks_system.memory,
    checks_system.cpus,
    checks_system.disks,
    checks_system.commands,
    checks_network.ipv4,
    checks_network.node_address,
    checks_network.hostname,
    checks_network.node_name,
    checks_network.ports,
    checks_network.networks,
    checks_kernel.swap,
    checks_kernel.modules,
    checks_kernel.inotify,
    checks_system.kubernetes,
    checks_system.another_cluster,
)


# The parameters of the module preflight, as its documentation describes them.
ARGUMENTS: dict[str, Any] = {
    "supported_systems": {
        "type": "dict",
        "default": {"debian": ["12", "13"], "ubuntu": ["22.04", "24.04"]},
    },
    "architecture": {"type": "str"},
    "min_memory_mb": {"type": "int", "default": 1700},
    "min_cpus": {"type": "int", "default": 1},
    "disk": {
        "type": "list",
        "elements": "dict",
        "options": {
            "path": {"type": "path", "required": True},
            "min_mb": {"type": "int", "required": True},
        },
    },
    "node_name": {"type": "str"},
    "node_ip": {"type": "str"},
    "subnet": {"type": "str"},
    "pod_cidr": {"type": "str"},
    "service_cidr": {"type": "str"},
    "ports": {
        "type": "list",
        "elements": "dict",
        "options": {
            "port": {"type": "int", "required": True},
            "by": {"type": "list", "elements": "str"},
        },
    },
    "kernel_modules": {
        "type": "list",
        "elements": "str",
        "default": ["overlay", "br_netfilter"],
    },
    "commands": {"type": "list", "elements": "str", "default": ["iptables"]},
    "swap": {"type": "str", "choices": ["off", "fail", "ignore"], "default": "off"},
    "kubernetes_version": {"type": "str"},
    "worker_of": {"type": "str"},
    "report_only": {"type": "bool", "default": False},
}


def problems(machine: Machine, wishes: Wishes) -> list[Problem]:
    """All reasons at once why this machine can't be a node."""
    return [problem for check in CHECKS for problem in check(machine, wishes)]


def warnings(machine: Machine) -> list[str]:
    """What need not stop anybody, but explains trouble that comes later."""
    told = []
    if machine.time_synchronized is False:
        told.append("the clock is not synchronised: install and enable systemd-timesyncd or chrony")
    if not machine.hostname_addresses:
        told.append("the host name has no address: add it to /etc/hosts")
    # Ansible shows two equal warnings once.
    return [f"{machine.hostname}: {warning}" for warning in told]


def verdict(hostname: str, found: list[Problem]) -> str:
    """All problems in one message."""
    count = "1 problem keeps" if len(found) == 1 else f"{len(found)} problems keep"
    lines = "".join(f"\n- {problem}" for problem in found)
    return f"{count} {hostname} from being a node:{lines}"
