# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a kernel doesn't have, and files that can't be written: what was there is kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests import faults

MODULES = "/etc/modules-load.d/roost.conf"
SETTINGS = "/etc/sysctl.d/90-roost.conf"
FILES = (MODULES, SETTINGS, "/etc/hosts")
NODES = ("control", "worker-1", "worker-2")


@pytest.fixture(autouse=True)
def _kept(machine: Callable[[str], Any]) -> Iterator[None]:
    """No case leaves anything of what it asked for."""

    def written() -> list[str]:
        return [machine(name).check_output(f"md5sum {' '.join(FILES)}") for name in NODES]

    before = written()
    yield
    assert written() == before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"node_swap": "sometimes"}, "node_swap must be one of: off, fail, ignore, got: sometimes"),
        (
            {"node_kernel_modules": {"overlay": True}},
            "argument 'node_kernel_modules' is of type dict",
        ),
        (
            {"node_hosts": {"control": "192.168.57.1000"}},
            "hosts_entries: control has '192.168.57.1000', expected an IP address",
        ),
    ],
)
def test_a_wrong_option_is_named(refused: Any, options: dict[str, Any], said: str) -> None:
    assert said in refused(**options)


def test_a_kernel_module_that_there_is_none_of(refused: Any) -> None:
    said = refused(node_kernel_modules=["overlay", "br_netfilter", "no_such_module"])
    for name in NODES:
        assert name in said
    assert re.search(
        r"kernel module no_such_module: not in the kernel, and `modprobe no_such_module` ended "
        r"with \d+: .*install the kernel's modules package; for a container node load it on the "
        r"machine that carries",
        said,
    )


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"net.ipv4.no_such_key": "1"},
            "sysctl net.ipv4.no_such_key can't be set to '1': no such key: is the kernel module "
            "that brings it loaded?",
        ),
        (
            {"net.ipv4.ip_forward": "yes"},
            "sysctl net.ipv4.ip_forward can't be set to 'yes': the kernel refuses this value",
        ),
    ],
)
def test_a_setting_that_the_kernel_does_not_take(
    refused: Any, settings: dict[str, str], said: str
) -> None:
    assert said in refused(node_sysctls=settings)


def test_a_disk_that_is_full(converge: Any, machine: Callable[[str], Any], recovers: Any) -> None:
    """On one machine; the others are made ready all the same."""
    entries = '{"node_hosts": {"control": "192.168.57.100", "elsewhere": "192.168.57.9"}}'
    folder = "/etc/sysctl.d"
    with faults.small_disk(machine("worker-1"), folder, "16k"):
        machine("worker-1").run(f"cat /dev/zero > {folder}/full")
        ran = converge("--extra-vars", entries)
    assert ran.code != 0
    assert (
        f"{SETTINGS}: the disk is full, so nothing of it was written, and what was there is kept: "
        f"found 0 of 0 MiB free at {folder}, expected room for the whole file; free some space "
        "there, and run the same again"
    ) in ran.said
    failed = {name: ran.recap[name]["failed"] for name in NODES}
    assert failed == {"control": 0, "worker-1": 1, "worker-2": 0}
    assert "elsewhere" in machine("worker-2").file("/etc/hosts").content_string
    recovers()


def test_a_machine_that_does_not_answer(converge: Any) -> None:
    with faults.unreachable("worker-2"):
        ran = converge()
    assert ran.recap["worker-2"]["unreachable"] == 1
    assert "worker-2" in ran.said
    for name in ("control", "worker-1"):
        assert ran.recap[name]["failed"] == 0
        assert ran.recap[name]["ok"] == 2


def test_nothing_is_left_to_do_without_all_this(converge: Any) -> None:
    ran = converge()
    assert (ran.code, ran.changed) == (0, 0)
