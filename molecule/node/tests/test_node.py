# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The kernel, and the names of the machines, as a program on the machine sees them."""

from __future__ import annotations

from typing import Any

import pytest

PROC = "/proc/sys/net"
SETTINGS = ("ipv4/ip_forward", "bridge/bridge-nf-call-iptables")


@pytest.mark.parametrize("name", SETTINGS)
def test_the_kernel_passes_packets_on_and_shows_them_to_the_filter(host: Any, name: str) -> None:
    assert host.file(f"{PROC}/{name}").content_string.strip() == "1"


@pytest.mark.parametrize("name", SETTINGS)
def test_it_does_so_after_each_start_too(host: Any, name: str) -> None:
    """The service that sets the kernel's values at a start puts right one that was lost."""
    host.run_expect([0], f"echo 0 > {PROC}/{name}")
    assert host.file(f"{PROC}/{name}").content_string.strip() == "0"
    host.run_expect([0], "systemctl restart systemd-sysctl.service")
    assert host.file(f"{PROC}/{name}").content_string.strip() == "1"


def test_layers_of_images_can_be_stacked(host: Any) -> None:
    """The kernel has overlayfs: one file shows up that lies in the lower folder only."""
    place = "/run/stacked"
    host.run_expect([0], f"mkdir -p {place}/lower {place}/upper {place}/work {place}/all")
    host.run_expect([0], f"touch {place}/lower/file")
    layers = f"lowerdir={place}/lower,upperdir={place}/upper,workdir={place}/work"
    host.run_expect([0], f"mount -t overlay overlay -o {layers} {place}/all")
    try:
        assert host.file(f"{place}/all/file").exists
    finally:
        host.run_expect([0], f"umount {place}/all && rm -r {place}")


def test_the_modules_are_loaded_at_each_start(host: Any) -> None:
    """By the service whose work that is, asked in the way that it reads its files."""
    listed = host.check_output("systemd-analyze cat-config modules-load.d").splitlines()
    assert {"overlay", "br_netfilter"} <= set(listed)


def test_every_machine_is_found_by_its_name(host: Any, addresses: dict[str, str]) -> None:
    own = host.check_output("hostname")
    for name, address in addresses.items():
        if name != own:
            assert host.check_output(f"getent hosts {name}").split() == [address, name]
            assert f"({address})" in host.check_output(f"ping -c 1 -W 2 {name}")


def test_names_that_were_there_stay(host: Any) -> None:
    assert host.check_output("getent ahostsv4 localhost").split()[0] == "127.0.0.1"
    # Docker's own line for the machine's first network.
    assert host.check_output("getent ahostsv4 $(hostname)")
