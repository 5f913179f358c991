# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a node needs of its kernel."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.roost.cluster.plugins.module_utils.node.machine import Machine
from ansible_collections.roost.cluster.plugins.module_utils.node.problem import Problem, Wishes

# For all container nodes of a machine together; where `make up` may, it raises them to as much.
LEAST_INOTIFY = {"fs.inotify.max_user_instances": 1024, "fs.inotify.max_user_watches": 65536}
NEEDED_CONTROLLERS = {
    1: ("cpu", "cpuacct", "cpuset", "devices", "freezer", "memory", "pids"),
    2: ("cpu", "cpuset", "memory", "pids"),
}


def cgroup(machine: Machine, wishes: Wishes) -> Iterator[Problem]:
    if not machine.cgroup_version:
        yield Problem("cgroups", "none", "cgroup version 1 or 2", "mount /sys/fs/cgroup")
        return
    needed = NEEDED_CONTROLLERS[machine.cgroup_version]
    missing = [name for name in needed if name not in machine.cgroup_controllers]
    if missing:
        yield Problem(
            f"cgroup v{machine.cgroup_version} controllers",
            f"no {', '.join(missing)}",
            ", ".join(needed),
            "enable them on the kernel's command line, for example cgroup_enable=memory",
        )


def swap(machine: Machine, wishes: Wishes) -> Iterator[Problem]:
    if wishes["swap"] == "fail" and machine.swaps:
        yield Problem(
            "swap",
            f"on: {', '.join(machine.swaps)}",
            "off",
            "turn it off with swapoff -a and in /etc/fstab, or set swap to off",
        )


def modules(machine: Machine, wishes: Wishes) -> Iterator[Problem]:
    for name in machine.modules_missing:
        yield Problem(
            f"kernel feature {name}",
            "nothing",
            "in the kernel, or a module to load",
            "install the kernel's modules package; for a container node load it on the "
            "machine that carries it",
        )


def inotify(machine: Machine, wishes: Wishes) -> Iterator[Problem]:
    if not machine.container:
        return
    found = (machine.inotify_instances, machine.inotify_watches)
    for (name, least), value in zip(LEAST_INOTIFY.items(), found):
        if value < least:
            yield Problem(
                name,
                str(value),
                f"{least} or more",
                f"run `sysctl -w {name}={least}` on the machine that carries the container nodes",
            )
