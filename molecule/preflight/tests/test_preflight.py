# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What can be seen of a check that found nothing: machines as they were, and one that refuses."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

# What a login and the journal write by themselves, on every machine.
OF_NO_ROLE = ("/dev", "/proc", "/run", "/sys", "/tmp", "/var/log/journal", "/var/log/wtmp")


def newer_files(host: Any, mark: str) -> list[str]:
    """Files and folders of a machine, on all its disks, that are newer than the mark."""
    leave_out = " -o ".join(f"-path {path}" for path in OF_NO_ROLE)
    command = rf"find / \( {leave_out} \) -prune -o -newer {mark} -print"
    return list(host.check_output(command).split())


def test_the_machines_stay_as_they_were(
    converge: Any, machine: Callable[[str], Any], addresses: dict[str, str]
) -> None:
    """Only a planted file is new, which shows that the search works."""
    mark, planted = "/run/mark", PurePosixPath("/var/lib/planted")
    for name in addresses:
        machine(name).run_expect([0], f"touch {mark}")
    ran = converge()
    assert ran.code == 0
    assert {ran.recap[name]["changed"] for name in addresses} == {0}
    for name in addresses:
        machine(name).run_expect([0], f"touch {planted}")
        found = set(newer_files(machine(name), mark))
        machine(name).run_expect([0], f"rm {planted}")
        assert found == {str(planted), str(planted.parent)}, name


def test_it_refuses_with_all_reasons_of_all_machines_at_once(
    converge: Any, addresses: dict[str, str]
) -> None:
    too_much = '{"preflight_min_memory_mb": 99000000, "preflight_min_cpus": 9000}'
    ran = converge("--extra-vars", too_much)
    assert ran.code != 0
    said = " ".join(ran.output.split())
    for name in addresses:
        assert re.search(rf"{name}: memory: found [^;]+, expected 99000000 ", said)
        assert re.search(rf"{name}: [^:;]+: found [^;]+, expected 9000 ", said)
    assert sum(counts["changed"] for counts in ran.recap.values()) == 0
