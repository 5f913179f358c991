# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is said of a machine on which preflight's own look can't run."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.node.by_shell import (
    command,
    machine,
    problems,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.machine import ARCHITECTURES

WISHES = {
    "supported_systems": {"debian": ["12", "13"], "ubuntu": ["22.04", "24.04"]},
    "min_memory_mb": 1700,
    "min_cpus": 2,
}
# As printed on a small CentOS 7: its os-release and the first lines of meminfo, then our own.
CENTOS = """NAME="CentOS Linux"
ID="centos"
VERSION_ID="7"
PRETTY_NAME="CentOS Linux 7 (Core)"
MemTotal:         995572 kB
MemFree:          102424 kB
ROOST_ARCHITECTURE=x86_64
ROOST_INIT=systemd
ROOST_CPUS=1
ROOST_PYTHON=
"""
DEBIAN = """ID=debian
VERSION_ID="13"
MemTotal:        4025572 kB
ROOST_ARCHITECTURE=aarch64
ROOST_INIT=systemd
ROOST_CPUS=2
ROOST_PYTHON=3.13
"""


def said(printed: str, failure: str) -> list[str]:
    return [str(problem) for problem in problems(printed, failure, "ops", WISHES)]


def test_this_machine_by_a_shell() -> None:
    done = subprocess.run(
        ["sh", "-c", command(sys.executable)], capture_output=True, text=True, check=True
    )
    found = machine(done.stdout)
    assert found.python == sys.version_info[:2]
    assert found.architecture == ARCHITECTURES[platform.machine()]
    assert found.os_id and found.init and found.cpus and found.memory_mb > 100


def test_an_interpreter_that_is_not_there_is_none() -> None:
    words = ["sh", "-c", command("/usr/bin/python2.7")]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert machine(done.stdout).python == (0, 0)
    assert "Python: found none, expected 3.9 or newer" in " ".join(said(done.stdout, ""))


def test_all_that_a_shell_can_see_is_told_at_once() -> None:
    assert [line.partition(";")[0] for line in said(CENTOS, "python3: not found")] == [
        "operating system: found CentOS Linux 7 (Core), expected debian 12 or debian 13 or ubuntu "
        "22.04 or ubuntu 24.04",
        "Python: found none, expected 3.9 or newer",
        "memory: found 972 MiB, expected 1700 MiB or more",
        "processors: found 1, expected 2 or more",
    ]


@pytest.mark.parametrize(
    "failure",
    [
        "Missing sudo password",
        "Incorrect sudo password",
        "ops is not in the sudoers file.",
        "Sorry, user ops is not allowed to execute '/bin/sh' as root on worker-1.",
        "Sorry, user ops may not run sudo on worker-1.",
        "sudo: a password is required",
        "/bin/sh: 1: sudo: not found",
    ],
)
def test_a_user_who_can_not_become_root(failure: str) -> None:
    [line] = said(DEBIAN, f"Module result deserialization failed\n{failure}\n")
    assert line.startswith("rights: found the user ops can't become root (")
    assert failure.removeprefix("/bin/sh: 1: ") in line
    assert "--ask-become-pass" in line


def test_what_is_no_reason_of_the_machines_is_left_to_ansible() -> None:
    assert said(DEBIAN, "Traceback: something else") == []
