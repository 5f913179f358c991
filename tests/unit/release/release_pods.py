# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Pods, and what the proxy in each of them knows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.release import names

Block = dict[str, Any]

STARTS = 3  # ticks that a pod takes to be ready
FINISHES = 4  # ticks that a request may take


@dataclass
class Pod:
    name: str
    namespace: str
    labels: dict[str, str]
    born: int = 0
    ends: int | None = None
    broken: bool = False
    # What its proxy has: DestinationRules, VirtualServices and Gateways by key.
    config: dict[str, Block] = field(default_factory=dict)

    def ready(self, now: int) -> bool:
        return self.ends is None and not self.broken and now - self.born >= STARTS

    @cached_property
    def app(self) -> str:
        return self.labels.get("app", "")

    @cached_property
    def version(self) -> str:
        return self.labels.get("version", "")

    @cached_property
    def deployment(self) -> str:
        return names.workload_name(self.app, self.version)

    @cached_property
    def is_gateway(self) -> bool:
        return not self.app

    def of(self, kind: str) -> Iterator[Block]:
        return (item for item in self.config.values() if item["kind"] == kind)

    @property
    def secrets(self) -> list[str]:
        """The secrets that a gateway has its certificates from."""
        servers = [server for item in self.of("Gateway") for server in item["spec"]["servers"]]
        return [server["tls"]["credentialName"] for server in servers if "tls" in server]

    def knows(self, host: str, version: str) -> bool:
        return any(
            rule["spec"]["host"] == host
            and version in [subset["name"] for subset in rule["spec"]["subsets"]]
            for rule in self.of("DestinationRule")
        )

    def seen(self, now: int) -> Block:
        """As the API server shows it."""
        meta: Block = {"name": self.name, "namespace": self.namespace, "uid": self.name}
        meta["labels"] = dict(self.labels)
        if self.ends is not None:
            meta["deletionTimestamp"] = "now"
        ready = "True" if self.ready(now) else "False"
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": meta,
            "spec": {"containers": [{"name": "app"}], "initContainers": [{"name": "istio-proxy"}]},
            "status": {"conditions": [{"type": "Ready", "status": ready}]},
        }


def on_mesh(route: Block) -> bool:
    return bool(route["spec"]["gateways"] == ["mesh"])


def service_of(host: str) -> str:
    return host.split(".")[0]


def matches(rule: Block, pod: Pod) -> bool:
    if "match" not in rule:
        return True
    return any(
        match.get("sourceLabels", {}).items() <= pod.labels.items() for match in rule["match"]
    )
