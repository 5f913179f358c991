# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Secrets with certificates, for tests."""

from __future__ import annotations

import base64
from datetime import datetime, timezone
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.release import certificates, names
from ansible_collections.roost.cluster.plugins.module_utils.release.certificates import Names

NOW = datetime(2026, 11, 28, 12, tzinfo=timezone.utc)
LOCAL = Names(("localhost",), ("127.0.0.1",))


def secret(
    name: str = "shop", wanted: Names = LOCAL, now: datetime | None = None, **labels: str
) -> dict[str, Any]:
    """One with a certificate that was made at that time."""
    now = now or datetime.now(timezone.utc)
    data = certificates.make("shop", wanted, certificates.new_serial(), now)
    return certificates.secret(name, "istio-system", labels, data)


def own(wanted: Names = LOCAL, now: datetime = NOW) -> dict[str, Any]:
    return secret("roost-digits-tls", wanted, now, **names.common_labels("digits"))


def spoiled(key: str, value: bytes) -> dict[str, Any]:
    item = secret()
    item["data"][key] = base64.b64encode(value).decode()
    return item


def node(*addresses: str) -> dict[str, Any]:
    listed = [{"type": "InternalIP", "address": each} for each in addresses]
    status = {"addresses": [*listed, {"type": "Hostname", "address": "worker"}]}
    # None that takes pods: how many do is part of what pods are like.
    spec = {"taints": [{"key": "example.org/gpu", "effect": "NoSchedule"}]}
    name = {"name": "-".join(addresses)}
    return {"kind": "Node", "metadata": name, "spec": spec, "status": status}
