# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What machines are given, and why some can't be one cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.roost.cluster.plugins.filter.nodes import (
    binaries,
    machine_problems,
    nameservers,
    pod_nameservers,
)

BUNDLE = {
    "runc": {"kind": "file", "name": "files/runc:v1", "blob": "sha256:aa", "sha256": "bb"},
    "etcd": {"kind": "image", "name": "registry.k8s.io/etcd:3"},
}


def test_binaries_come_from_the_lock() -> None:
    assert binaries(BUNDLE, {"runc": "/usr/local/sbin/runc"}) == [
        {
            "name": "runc",
            "path": "/usr/local/sbin/runc",
            "repository": "files/runc",
            "blob": "sha256:aa",
            "sha256": "bb",
        }
    ]


def test_what_the_lock_lacks_is_named() -> None:
    with pytest.raises(AnsibleFilterError, match="etcd, ctr: expected as a file"):
        binaries(BUNDLE, {"runc": "/r", "etcd": "/e", "ctr": "/c"})


def test_a_resolver_on_the_loopback_address_is_left_out(tmp_path: Path) -> None:
    own, behind = tmp_path / "resolv.conf", tmp_path / "behind.conf"
    own.write_text("# nameserver 9.9.9.9\nsearch lab\nnameserver 127.0.0.53\nnameserver 10.0.0.2\n")
    behind.write_text("nameserver\nnameserver ::1\nnameserver fe80::1%eth0\n")
    assert nameservers([str(own), str(behind)], "192.0.2.1") == ["10.0.0.2"]
    own.write_text("nameserver 127.0.0.53\n")
    assert nameservers([str(own), str(behind)], "192.0.2.1") == ["fe80::1"]
    behind.unlink()
    assert nameservers([str(own), str(behind)], "192.0.2.1") == ["192.0.2.1"]


def test_pods_are_given_name_servers_that_they_can_ask() -> None:
    assert pod_nameservers(["192.0.2.53", "fe80::1"]) == ["192.0.2.53", "fe80::1"]
    assert pod_nameservers("192.0.2.53, 192.0.2.54") == ["192.0.2.53", "192.0.2.54"]
    assert pod_nameservers([]) == []


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (["192.0.2.53 192.0.2.54"], "found '192.0.2.53 192.0.2.54', expected an IP address"),
        ("ns.example.org", "found 'ns.example.org', expected an IP address"),
        (["127.0.0.53"], "found 127.0.0.53, expected one that pods can reach"),
    ],
)
def test_other_name_servers_are_refused(value: Any, problem: str) -> None:
    with pytest.raises(AnsibleFilterError, match=f"^kubelet_nameservers: {problem}"):
        pod_nameservers(value)


def machines(**facts: dict[str, Any]) -> dict[str, Any]:
    found = {}
    for name in ("a", "b"):
        seen = {
            "hostname": name,
            "machine_id": f"id-{name}",
            "clock_ahead": {"least": -0.5, "most": 0.5},
            **facts.get(name, {}),
        }
        problems = seen.pop("problems", [])
        found[name] = {"__preflight_machine": {"facts": seen, "problems": problems}}
    return found


def ahead(least: float, most: float) -> dict[str, Any]:
    return {"clock_ahead": {"least": least, "most": most}}


MEMORY = {"name": "memory", "found": "512 MiB", "expected": "1700 MiB", "fix": "give it more"}


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({}, []),
        ({"b": {"hostname": "a"}}, ["a, b: found the same hostname a"]),
        ({"b": {"machine_id": "id-a"}}, ["a, b: found the same machine_id id-a"]),
        ({"b": ahead(31, 32)}, ["the clock of b 30 s ahead of that of a, expected at most 5 s"]),
        ({"b": ahead(-20, -18)}, ["the clock of a 18 s ahead of that of b"]),
        # It need not be: b may have answered late.
        ({"b": ahead(5, 60)}, []),
        ({"b": {"problems": [MEMORY]}}, ["b: memory: found 512 MiB, expected 1700 MiB; give it"]),
        (
            {"a": {"problems": [MEMORY, MEMORY]}, "b": {**ahead(31, 32), "hostname": "a"}},
            ["a: memory", "a: memory", "the same hostname", "the clock of b"],
        ),
    ],
)
def test_all_problems_of_all_machines(facts: dict[str, Any], told: list[str]) -> None:
    found = machine_problems(machines(**facts), ["a", "b"], 5)
    assert len(found) == len(told)
    assert [words for words, text in zip(told, found) if words not in text] == []
