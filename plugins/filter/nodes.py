# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters for what machines are given."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
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


class FilterModule:
    """The filters by name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"binaries": binaries, "nameservers": nameservers, "machine": machine}
