# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters for what machines are given."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.roost.cluster.plugins.module_utils.node.problem import Problem


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


def nameservers(paths: Iterable[str], instead: str) -> list[str]:
    """The name servers that other machines can ask, none on a loopback address, of the first of
    these files of the controller that has any; `instead` where none has."""
    for path in paths:
        try:
            lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        named = [
            words[1]
            for line in lines
            if len(words := line.split()) > 1 and words[0] == "nameserver"
        ]
        addresses = [each.partition("%")[0] for each in named]
        if found := [each for each in addresses if not ipaddress.ip_address(each).is_loopback]:
            return found
    return [instead]


def pod_nameservers(value: str | Iterable[str]) -> list[str]:
    """The role kubelet's name servers, if each is an address that a pod can ask."""
    for address in (found := _listed(value)):
        try:
            leads_back = ipaddress.ip_address(address).is_loopback
        except ValueError:
            raise AnsibleFilterError(
                f"kubelet_nameservers: found {address!r}, expected an IP address such as 192.0.2.53"
            ) from None
        if leads_back:
            raise AnsibleFilterError(
                f"kubelet_nameservers: found {address}, expected one that pods can reach; a "
                "loopback address leads a pod to itself, so name the server behind it"
            )
    return found


def _listed(value: str | Iterable[str]) -> list[str]:
    """A list as Ansible reads it, which takes a text for one with commas."""
    return [each.strip() for each in value.split(",")] if isinstance(value, str) else list(value)


def machine(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Name and SSH server of a machine, from its variables."""
    found = {
        "name": variables["inventory_hostname"],
        "address": variables.get("ansible_host", variables["inventory_hostname"]),
        "ssh_args": " ".join(
            str(variables[name])
            for name in ("ansible_ssh_common_args", "ansible_ssh_extra_args")
            if variables.get(name)
        ),
    }
    return found | ({"port": int(variables["ansible_port"])} if "ansible_port" in variables else {})


def machine_problems(
    hostvars: Mapping[str, Any], hosts: Iterable[str], max_skew_seconds: float
) -> list[str]:
    """Why machines can't be one cluster: what each of them lacks, and where they conflict.

    Each host has what the module preflight found under `__preflight_machine`; one on which it
    could not run has problems only.
    """
    found = {name: hostvars[name]["__preflight_machine"] for name in hosts}
    facts = {name: seen["facts"] for name, seen in found.items() if "facts" in seen}
    return [
        *(
            f"{name}: {Problem(**problem)}"
            for name, seen in found.items()
            for problem in seen["problems"]
        ),
        *_shared(facts, "hostname", "give each its own with `hostnamectl set-hostname NAME`"),
        *_shared(
            facts,
            "machine_id",
            "these are copies; on all but one run `rm /etc/machine-id; systemd-machine-id-setup`, "
            "and restart it",
        ),
        *_clocks(facts, max_skew_seconds),
    ]


def _shared(facts: Mapping[str, Any], key: str, advice: str) -> Iterator[str]:
    names: dict[str, list[str]] = {}
    for name, seen in facts.items():
        names.setdefault(seen[key], []).append(name)
    for value, sharing in names.items():
        if len(sharing) > 1:
            yield (
                f"{', '.join(sharing)}: found the same {key} {value}, expected different ones; "
                f"{advice}"
            )


def _clocks(facts: Mapping[str, Any], max_skew_seconds: float) -> Iterator[str]:
    """The two machines whose clocks are certainly the furthest apart, if that is too far.

    How far each is ahead of the controller's is known within the time that its answer took.
    """
    if not facts:
        return
    slow = min(facts, key=lambda name: facts[name]["clock_ahead"]["most"])
    fast = max(facts, key=lambda name: facts[name]["clock_ahead"]["least"])
    apart = facts[fast]["clock_ahead"]["least"] - facts[slow]["clock_ahead"]["most"]
    if apart > max_skew_seconds:
        yield (
            f"{fast}, {slow}: found the clock of {fast} {apart:.0f} s ahead of that of {slow}, "
            f"expected at most {max_skew_seconds} s; certificates and leases need equal clocks, "
            "so set up NTP (systemd-timesyncd or chrony)"
        )


class FilterModule:
    """The filters by name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "binaries": binaries,
            "nameservers": nameservers,
            "pod_nameservers": pod_nameservers,
            "machine": machine,
            "machine_problems": machine_problems,
        }
