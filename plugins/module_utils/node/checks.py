# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a machine can be a node, and all reasons why not."""

from __future__ import annotations

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
    checks_network.ipv4,
    checks_network.node_address,
    checks_network.hostname,
    checks_network.ports,
    checks_network.networks,
    checks_kernel.swap,
    checks_kernel.modules,
    checks_kernel.inotify,
)


def problems(machine: Machine, wishes: Wishes) -> list[Problem]:
    """All reasons at once why this machine can't be a node."""
    return [problem for check in CHECKS for problem in check(machine, wishes)]


def warnings(machine: Machine, wishes: Wishes) -> list[str]:
    """What need not stop anybody, but explains trouble that comes later."""
    told = []
    if machine.firewalls:
        needed = wishes.get("firewall_ports") or [
            f"{port['port']}/tcp" for port in wishes.get("ports") or []
        ]
        told.append(
            f"a firewall is active ({', '.join(machine.firewalls)}): between the nodes it "
            f"has to let through {', '.join(needed) or 'the ports of Kubernetes'}"
        )
    if machine.time_synchronized is False:
        told.append("the clock is not synchronised: install and enable systemd-timesyncd or chrony")
    if not machine.hostname_addresses:
        told.append(f"the host name {machine.hostname} has no address: add it to /etc/hosts")
    return told


def verdict(hostname: str, found: list[Problem]) -> str:
    """All problems in one message."""
    count = "1 problem keeps" if len(found) == 1 else f"{len(found)} problems keep"
    lines = "".join(f"\n- {problem}" for problem in found)
    return f"{count} {hostname} from being a node:{lines}"
