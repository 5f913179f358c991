# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters for what machines are given."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any, Callable

from ansible.errors import AnsibleFilterError


def binaries(
    bundle: Mapping[str, Mapping[str, Any]], paths: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Entries for node_state's `binaries`, in the order of `paths`."""
    missing = [name for name in paths if bundle.get(name, {}).get("kind") != "file"]
    if missing:
        raise AnsibleFilterError(
            f"bundle.lock: {', '.join(missing)}: expected as a file and not found; "
            "`make bundle` fills the bundle"
        )
    return [
        {
            "name": name,
            "path": path,
            "repository": bundle[name]["name"].rpartition(":")[0],
            "blob": bundle[name]["blob"],
            "sha256": bundle[name]["sha256"],
        }
        for name, path in paths.items()
    ]


def nameservers(resolv_conf: str) -> list[str]:
    """Name servers of a resolv.conf that other machines can ask: none on a loopback address."""
    found = []
    for line in resolv_conf.splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver":
            address = words[1].partition("%")[0]
            if not ipaddress.ip_address(address).is_loopback:
                found.append(address)
    return found


def machine(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Name and SSH server of a machine, from its variables."""
    return {
        "name": variables["inventory_hostname"],
        "address": variables.get("ansible_host", variables["inventory_hostname"]),
        "port": int(variables.get("ansible_port", 22)),
    }


def machine_conflicts(
    hostvars: Mapping[str, Any], hosts: Iterable[str], max_skew_seconds: float
) -> list[str]:
    """Why machines that are fine by themselves can't be one cluster.

    Each host has what preflight found under `__preflight_machine`.
    """
    facts = {name: hostvars[name]["__preflight_machine"]["facts"] for name in hosts}
    conflicts = []
    for key, advice in (
        ("hostname", "give each machine its own with `hostnamectl set-hostname`"),
        ("machine_id", "these are copies; make a new one with `systemd-machine-id-setup`"),
    ):
        names: dict[str, list[str]] = {}
        for name, found in facts.items():
            names.setdefault(found[key], []).append(name)
        for value, sharing in names.items():
            if len(sharing) > 1:
                conflicts.append(f"{key} {value}: the same on {', '.join(sharing)}; {advice}")
    clocks = sorted((found["time"], name) for name, found in facts.items())
    (first, slow), (last, fast) = clocks[0], clocks[-1]
    if last - first > max_skew_seconds:
        conflicts.append(
            f"clocks: {fast} is {last - first:.0f} s ahead of {slow}, expected at most "
            f"{max_skew_seconds} s; certificates and leases need equal clocks, so set up NTP"
        )
    return conflicts


class FilterModule:
    """The filters by name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "binaries": binaries,
            "nameservers": nameservers,
            "machine": machine,
            "machine_conflicts": machine_conflicts,
        }
