# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from typing import Any

Spec = dict[str, Any]


def _each(options: Spec) -> Spec:
    return {"type": "list", "elements": "dict", "options": options}


def _must(kind: str) -> Spec:
    return {"type": kind, "required": True}


RIGHTS: Spec = {
    "path": _must("path"),
    "mode": {"type": "raw"},
    "owner": {"type": "str"},
    "group": {"type": "str"},
}
READY: Spec = {
    "unix": {"type": "path"},
    "tcp": {"type": "list", "elements": "str"},
    "http": {"type": "str"},
    "status": {"type": "int", "default": 200},
    "timeout": {"type": "int", "default": 30},
}
# The parameters of node_state, as its documentation describes them.
ARGUMENTS: Spec = {
    "registry": {"type": "str"},
    "store": {"type": "path"},
    "binaries": _each(
        {
            **RIGHTS,
            "name": _must("str"),
            "repository": _must("str"),
            "blob": _must("str"),
            "sha256": _must("str"),
            "mode": {"type": "raw", "default": "0755"},
        }
    ),
    "directories": _each({**RIGHTS, "only": {"type": "list", "elements": "str"}}),
    "files": _each(
        {
            **RIGHTS,
            "content": _must("str"),
            "validate": {"type": "list", "elements": "str"},
            "secret": {"type": "bool", "default": False, "no_log": False},
        }
    ),
    "links": _each({"path": _must("path"), "target": _must("str")}),
    "absent": {"type": "list", "elements": "path"},
    "kernel_modules": {"type": "list", "elements": "str"},
    "sysctls": {"type": "dict"},
    "sysctls_check": {"type": "dict"},
    "swap": {"type": "str", "choices": ["off", "fail", "ignore"]},
    "hosts_entries": {"type": "dict"},
    "firewall": {
        "type": "dict",
        "options": {
            "ports": {"type": "list", "elements": "str", "required": True},
            "pod_cidr": _must("str"),
        },
    },
    "addresses": {"type": "list", "elements": "str"},
    "services": _each(
        {
            "name": _must("str"),
            "enabled": {"type": "bool"},
            "state": {"type": "str", "choices": ["started", "stopped"]},
            "restart_on": {"type": "list", "elements": "path"},
            "ready": {"type": "dict", "options": READY},
        }
    ),
}
