# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a node needs of its operating system and its hardware."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.roost.cluster.plugins.module_utils.node.machine import Machine
from ansible_collections.roost.cluster.plugins.module_utils.node.problem import Problem, Wishes

OLDEST_PYTHON = (3, 9)


def system(machine: Machine, wishes: Wishes) -> Iterator[Problem]:
    supported = wishes["supported_systems"]
    if machine.os_version not in map(str, supported.get(machine.os_id, [])):
        known = [f"{name} {one}" for name, versions in supported.items() for one in versions]
        yield Problem(
            "operating system", machine.os_name, " or ".join(known), "install one of these systems"
        )


def architecture(machine: Machine, wishes: Wishes) -> Iterator[Problem]:
    wanted = wishes.get("architecture")
    if machine.architecture not in ("amd64", "arm64"):
        yield Problem("architecture", machine.architecture, "amd64 or arm64", "use another machine")
    elif wanted and machine.architecture != wanted:
        yield Problem(
            "architecture",
            machine.architecture,
            f"{wanted}, for which the bundle was made",
            f"use another machine, or a controller with {machine.architecture}",
        )


def rights(machine: Machine, wishes: Wishes) -> Iterator[Problem]:
    if machine.uid != 0:
        yield Problem(
            "rights",
            f"user id {machine.uid}",
            "root rights",
            "connect as root or set ansible_become: true",
        )


def python(machine: Machine, wishes: Wishes) -> Iterator[Problem]:
    if machine.python < OLDEST_PYTHON:
        yield Problem(
            "Python",
            ".".join(map(str, machine.python)) if any(machine.python) else "none",
            f"{'.'.join(map(str, OLDEST_PYTHON))} or newer",
            "install it, and set ansible_python_interpreter where it isn't /usr/bin/python3",
        )


def init(machine: Machine, wishes: Wishes) -> Iterator[Problem]:
    if machine.init != "systemd":
        yield Problem(
            "init",
            machine.init or "nothing",
            "systemd as process 1",
            "boot the machine with systemd",
        )


def memory(machine: Machine, wishes: Wishes) -> Iterator[Problem]:
    if machine.memory_mb < wishes["min_memory_mb"]:
        yield Problem(
            "memory",
            f"{machine.memory_mb} MiB",
            f"{wishes['min_memory_mb']} MiB or more",
            "give the machine more memory",
        )


def cpus(machine: Machine, wishes: Wishes) -> Iterator[Problem]:
    if machine.cpus < wishes["min_cpus"]:
        yield Problem(
            "processors",
            str(machine.cpus),
            f"{wishes['min_cpus']} or more",
            "give the machine more processors",
        )


def disks(machine: Machine, wishes: Wishes) -> Iterator[Problem]:
    for disk in wishes.get("disk") or []:
        free = machine.free_mb[disk["path"]]
        if free < disk["min_mb"]:
            yield Problem(
                f"free disk at {disk['path']}",
                f"{free} MiB",
                f"{disk['min_mb']} MiB or more",
                f"free {disk['min_mb'] - free} MiB",
            )


def kubernetes(machine: Machine, wishes: Wishes) -> Iterator[Problem]:
    """Before kubeadm and kubelet of another version take the place of those that run."""
    wanted = wishes.get("kubernetes_version")
    if wanted and machine.kubernetes not in ("", wanted):
        yield Problem(
            "Kubernetes",
            f"a control plane of {machine.kubernetes}",
            f"{wanted}, which the bundle holds",
            f"fill the bundle with {machine.kubernetes} again, or make the machines anew: Roost "
            "has no upgrade of a running cluster yet",
        )


def another_cluster(machine: Machine, wishes: Wishes) -> Iterator[Problem]:
    """Before anything on a machine that others use is replaced."""
    endpoint = wishes.get("worker_of")
    if not endpoint:
        return
    wanted = f"https://{endpoint}"
    if machine.joined not in ("", wanted):
        yield Problem(
            "cluster",
            f"a node of the cluster at {machine.joined}",
            f"none, or one of {wanted}",
            "correct the machine's address in the inventory, or put the endpoint back where both "
            "are one cluster's; run `kubeadm reset` on it first if it is to leave that one",
        )
    elif machine.kubernetes and not machine.joined:
        yield Problem(
            "cluster",
            "a control plane",
            "a machine that is to be a worker",
            "correct the machine's address in the inventory; if what it holds may go, run `kubeadm "
            "reset` on it first",
        )


def commands(machine: Machine, wishes: Wishes) -> Iterator[Problem]:
    for name in machine.commands_missing:
        yield Problem(
            f"command {name}",
            "nothing",
            "an executable of that name",
            f"install the package that has it, on these systems by `apt install {name}`",
        )
