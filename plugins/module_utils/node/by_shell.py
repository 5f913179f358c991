# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Why a machine can't be a node on which preflight's own look can't even run.

Where Python is missing or too old, or the user may not become root, a shell still tells enough to
name the system and its size, so that these reasons stand beside those of the other machines.
"""

from __future__ import annotations

import re
import shlex

from ansible_collections.roost.cluster.plugins.module_utils.node import checks_system
from ansible_collections.roost.cluster.plugins.module_utils.node.machine import (
    ARCHITECTURES,
    Machine,
    memory_mb,
    number,
    parse_os_release,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.problem import (
    Check,
    Problem,
    Wishes,
)

# What can be said of such a machine.
CHECKS: tuple[Check, ...] = (
    checks_system.system,
    checks_system.architecture,
    checks_system.python,
    checks_system.init,
    checks_system.memory,
    checks_system.cpus,
)
# What sudo and its like say, by themselves or in Ansible's words, to one who may not.
NO_RIGHTS = re.compile(
    r"Missing \w+ password|Incorrect \w+ password|[^\n]*is not (?:in the sudoers|allowed to)[^\n]*"
    r"|[^\n]*may not run[^\n]*|[^\n]*a password is required[^\n]*|sudo: [^\n]*not found"
)


def command(interpreter: str) -> str:
    """A command of any shell's that prints what `machine` reads."""
    python = [interpreter, "-c", 'import sys; print("%d.%d" % sys.version_info[:2])']
    return "; ".join(
        [
            "cat /etc/os-release /proc/meminfo 2>/dev/null",
            "echo ROOST_ARCHITECTURE=$(uname -m)",
            "echo ROOST_INIT=$(cat /proc/1/comm 2>/dev/null)",
            "echo ROOST_CPUS=$(getconf _NPROCESSORS_ONLN 2>/dev/null)",
            f"echo ROOST_PYTHON=$({shlex.join(python)} 2>/dev/null)",
        ]
    )


def machine(printed: str) -> Machine:
    """What such a command found out; of the rest nothing is known."""
    found = parse_os_release(printed)
    architecture = found.get("ROOST_ARCHITECTURE", "")
    major, _dot, minor = found.get("ROOST_PYTHON", "").partition(".")
    return Machine(
        os_id=found.get("ID", ""),
        os_version=found.get("VERSION_ID", ""),
        os_name=found.get("PRETTY_NAME", "unknown"),
        architecture=ARCHITECTURES.get(architecture, architecture),
        kernel="",
        uid=0,
        python=(number(major), number(minor)),
        init=found.get("ROOST_INIT", ""),
        container="",
        cgroup_version=0,
        cgroup_controllers=(),
        memory_mb=memory_mb(printed),
        cpus=number(found.get("ROOST_CPUS")),
        free_mb={},
        addresses=(),
        routes=(),
        hostname="",
        hostname_addresses=(),
        machine_id="",
        product_uuid="",
        listeners=(),
        time=0.0,
        time_synchronized=None,
        swaps=(),
        modules_missing=(),
        commands_missing=(),
        inotify_instances=0,
        inotify_watches=0,
        kubernetes="",
        joined="",
    )


def problems(printed: str, failure: str, user: str, wishes: Wishes) -> list[Problem]:
    """All reasons at once; `failure` is what was said where the look should have begun."""
    seen = machine(printed)
    found = [problem for check in CHECKS for problem in check(seen, wishes)]
    if refused := NO_RIGHTS.search(failure):
        found.append(
            Problem(
                "rights",
                f"the user {user} can't become root ({refused[0].strip()})",
                "root rights by sudo",
                "allow it in the machine's sudoers, and where sudo asks for a password give it "
                "with --ask-become-pass",
            )
        )
    return found
