# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What machines are given, and why some can't be one cluster."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.roost.cluster.plugins.filter.nodes import (
    binaries,
    machine_conflicts,
    nameservers,
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


def test_a_resolver_on_the_loopback_address_is_left_out() -> None:
    text = "# nameserver 9.9.9.9\nsearch lab\nnameserver 127.0.0.53\nnameserver 10.0.0.2\n"
    assert nameservers(text) == ["10.0.0.2"]
    assert nameservers("nameserver ::1\nnameserver fe80::1%eth0\n") == ["fe80::1"]


def machines(**facts: dict[str, Any]) -> dict[str, Any]:
    base = {"a": ("a", "id-a", 100.0), "b": ("b", "id-b", 101.0)}
    found = {}
    for name, (hostname, machine_id, time) in base.items():
        seen = {"hostname": hostname, "machine_id": machine_id, "time": time}
        found[name] = {"__preflight_machine": {"facts": {**seen, **facts.get(name, {})}}}
    return found


@pytest.mark.parametrize(
    ("facts", "conflict"),
    [
        ({}, ""),
        ({"b": {"hostname": "a"}}, "hostname a: the same on a, b"),
        ({"b": {"machine_id": "id-a"}}, "machine_id id-a: the same on a, b"),
        ({"b": {"time": 131.0}}, "b is 31 s ahead of a"),
        ({"b": {"time": 80.0}}, "a is 20 s ahead of b"),
        ({"b": {"time": 105.0}}, ""),
    ],
)
def test_machine_conflicts(facts: dict[str, Any], conflict: str) -> None:
    found = machine_conflicts(machines(**facts), ["a", "b"], 5)
    assert len(found) == bool(conflict)
    assert conflict in "".join(found)
