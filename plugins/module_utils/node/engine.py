# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.node.absent import absent_steps
from ansible_collections.roost.cluster.plugins.module_utils.node.addresses import address_steps
from ansible_collections.roost.cluster.plugins.module_utils.node.binaries import binary_steps
from ansible_collections.roost.cluster.plugins.module_utils.node.core import (
    Node,
    StateError,
    Step,
    Wanted,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.directories import directory_steps
from ansible_collections.roost.cluster.plugins.module_utils.node.files import file_steps
from ansible_collections.roost.cluster.plugins.module_utils.node.firewall import firewall_steps
from ansible_collections.roost.cluster.plugins.module_utils.node.hosts import hosts_steps
from ansible_collections.roost.cluster.plugins.module_utils.node.kernel_modules import module_steps
from ansible_collections.roost.cluster.plugins.module_utils.node.links import link_steps
from ansible_collections.roost.cluster.plugins.module_utils.node.services import (
    reload_steps,
    service_steps,
    settle_all,
    stop_steps,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.swap import swap_steps
from ansible_collections.roost.cluster.plugins.module_utils.node.sysctls import (
    check_only,
    sysctl_steps,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.writes import node_lock

Planner = Callable[[Wanted, Node, list[Step]], list[Step]]

ALWAYS = ""
# The order matters: settings of a module exist once it is loaded, files are judged by binaries,
# services are stopped before their files go and started when all they need is there.
KINDS: tuple[tuple[str, Planner], ...] = (
    ("addresses", address_steps),
    ("kernel_modules", module_steps),
    ("sysctls", sysctl_steps),
    ("swap", swap_steps),
    ("hosts_entries", hosts_steps),
    ("firewall", firewall_steps),
    ("services", stop_steps),
    ("absent", absent_steps),
    ("directories", directory_steps),
    ("binaries", binary_steps),
    ("files", file_steps),
    ("links", link_steps),
    (ALWAYS, reload_steps),
    ("services", service_steps),
)
PARALLEL = 4


@dataclass
class Outcome:
    """What a pass found and did; it is told also where the pass failed half-way."""

    planned: list[Step] = field(default_factory=list)
    done: list[Step] = field(default_factory=list)


def plan(wanted: Wanted, node: Node) -> list[Step]:
    """Look at every kind of resource and say what has to change, in the order of acting."""
    steps: list[Step] = []
    for parameter, planner in KINDS:
        if parameter == ALWAYS or wanted.get(parameter) is not None:
            steps += planner(wanted, node, steps)
    return steps


def act(steps: Sequence[Step], outcome: Outcome) -> None:
    """Make the changes in order; neighbours of one batch at the same time."""
    for batch, group in groupby(steps, key=lambda step: step.batch):
        members = list(group)
        if batch:
            _together(members, outcome)
            continue
        for step in members:
            step.act()
            outcome.done.append(step)


def _together(steps: Sequence[Step], outcome: Outcome) -> None:
    with ThreadPoolExecutor(PARALLEL) as pool:
        running = [(step, pool.submit(step.act)) for step in steps]
    failures = []
    for step, future in running:
        error = future.exception()
        if error is None:
            outcome.done.append(step)
        elif isinstance(error, StateError):
            failures.append(str(error))
        else:
            raise error
    if failures:
        raise StateError("\n".join(failures))


def bring_about(wanted: Wanted, node: Node, outcome: Outcome) -> None:
    """Look, plan, act, verify."""
    if node.check:
        outcome.planned = plan(wanted, node)
        check_only(wanted, node)
        return
    with node_lock(node):
        outcome.planned = plan(wanted, node)
        act(outcome.planned, outcome)
        if outcome.done:
            left = plan(wanted, node)
            if left:
                told = "; ".join(f"{step.what}: {step.why}" for step in left)
                raise StateError(f"this still differs after it was changed: {told}")
        check_only(wanted, node)
        settle_all(wanted, node)


def report(steps: Sequence[Step]) -> dict[str, Any]:
    """A module's answer for the steps that it planned or made."""
    started = [step.what for step in steps if step.why.startswith(("start: ", "restart: "))]
    told = _with_consequences(steps)
    return {
        "changed": bool(steps),
        "changes": [step.change() for step in told],
        "diff": [step.diff() for step in told],
        "restarted": started,
    }


def _with_consequences(steps: Sequence[Step]) -> list[Step]:
    """The steps with a reason of their own. A restart that follows from one is told with it."""
    causes = {path for step in steps for path in step.changes}
    told = []
    for step in steps:
        if causes.intersection(step.follows):
            continue
        effects = [
            f"{other.what} restarts"
            for other in steps
            if other.why.startswith("restart: ") and set(other.follows) & set(step.changes)
        ]
        told.append(replace(step, why="; ".join([step.why, *effects])))
    return told
