# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.release.model import (
    DEFAULT_HEALTH_PATH,
    DEFAULT_REPLICAS,
    DEFAULT_RESOURCES,
    Service,
)
from ansible_collections.roost.cluster.plugins.module_utils.release.problems import Checker, join
from ansible_collections.roost.cluster.plugins.module_utils.release.spec_hops import (
    retries_of,
    timeout_of,
)

_SERVICE_KEYS = (
    "port",
    "replicas",
    "entry",
    "health_path",
    "env",
    "resources",
    "timeout_seconds",
    "retries",
)
# Services are still DNS-1035 labels in Kubernetes, and become names of environment variables.
_SERVICE_NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_QUANTITY = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)(?P<unit>m|k|Ki|M|Mi|G|Gi|T|Ti)?")
_UNITS = {
    "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40,
}  # fmt: skip
# Taken inside every pod by the proxy.
_PROXY_PORTS = (15000, 15001, 15002, 15003, 15004, 15006, 15008, 15009, 15020, 15021, 15053, 15090)


def service_of(checker: Checker, path: str, name: str, value: object) -> Service | None:
    if not _SERVICE_NAME.fullmatch(name):
        checker.add(
            path,
            name,
            "a name of 1 to 63 lower-case letters, digits and '-' that begins with a letter",
        )
    block = checker.mapping(path, value, "a mapping of settings, at least {port}")
    if not isinstance(value, Mapping):
        return None
    checker.keys(path, block, _SERVICE_KEYS, ("port",))
    port = _port(checker, join(path, "port"), block["port"]) if "port" in block else None
    replicas = checker.integer(join(path, "replicas"), block.get("replicas", DEFAULT_REPLICAS), 1)
    entry = checker.boolean(join(path, "entry"), block.get("entry", False))
    health = checker.text(
        join(path, "health_path"), block.get("health_path", DEFAULT_HEALTH_PATH), "a path"
    )
    if health and not health.startswith("/"):
        checker.add(join(path, "health_path"), health, "a path that begins with /")
    env = _env(checker, join(path, "env"), block.get("env", {}))
    resources = _resources(checker, join(path, "resources"), block.get("resources", {}))
    timeout = retries = None
    if "timeout_seconds" in block:
        timeout = timeout_of(checker, join(path, "timeout_seconds"), block["timeout_seconds"])
    if "retries" in block:
        retries = retries_of(checker, join(path, "retries"), block["retries"], timeout)
    if port is None or replicas is None or entry is None or health is None:
        return None
    return Service(name, port, replicas, entry, health, env, resources, timeout, retries)


def _port(checker: Checker, path: str, value: object) -> int | None:
    port = checker.integer(path, value, 1, 65535)
    if port in _PROXY_PORTS:
        checker.add(path, port, "a port that Istio's proxy doesn't use inside the pod")
        return None
    return port


def _env(checker: Checker, path: str, value: object) -> dict[str, str]:
    env = {}
    for name, item in checker.mapping(path, value, "a mapping from name to text").items():
        if not _ENV_NAME.fullmatch(name):
            checker.add(join(path, name), name, "a name of letters, digits and '_'")
        # The empty text is a value like any other.
        if not isinstance(item, str):
            checker.add(join(path, name), item, "text", "put it in quotes")
        else:
            env[name] = item
    return env


def _resources(checker: Checker, path: str, value: object) -> dict[str, dict[str, str]]:
    """The defaults, with what the block says in their place."""
    block = checker.mapping(path, value, "a mapping {requests, limits}")
    checker.keys(path, block, ("requests", "limits"))
    merged = {kind: dict(amounts) for kind, amounts in DEFAULT_RESOURCES.items()}
    valid = True
    for kind in merged:
        where = join(path, kind)
        amounts = checker.mapping(where, block.get(kind, {}), "a mapping {cpu, memory}")
        checker.keys(where, amounts, ("cpu", "memory"))
        for name in ("cpu", "memory"):
            if name not in amounts:
                continue
            amount = _amount(amounts[name])
            if amount is None:
                checker.add(join(where, name), amounts[name], "a quantity such as 250m or 128Mi")
                valid = False
            else:
                merged[kind][name] = amount
    if valid:
        _requests_fit(checker, path, merged)
    return merged


def _requests_fit(checker: Checker, path: str, merged: Mapping[str, Mapping[str, str]]) -> None:
    for name in ("cpu", "memory"):
        request, limit = merged["requests"][name], merged["limits"][name]
        if number(request) > number(limit):
            checker.add(
                f"{path}.requests.{name}",
                request,
                f"at most the limit of {limit}, or a higher limit",
            )


def _amount(value: Any) -> str | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)
    return value if isinstance(value, str) and _QUANTITY.fullmatch(value) else None


def number(quantity: str) -> float:
    match = _QUANTITY.fullmatch(quantity)
    if match is None:
        raise ValueError(f"{quantity!r} is no Kubernetes quantity")
    return float(match["number"]) * _UNITS.get(match["unit"] or "", 1.0)
