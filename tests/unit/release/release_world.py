# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A small world for releases: an API server, pods that take time to start, and proxies each of
which learns of a change when it happens to. After every event it looks at each way that a request
could take just then, and notes what must never happen."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.release import names
from ansible_collections.roost.cluster.plugins.module_utils.release.cluster import Refused

Block = dict[str, Any]

CONTEXT = names.Context()
GATEWAYS = 2
LEARNS = 0.35  # chance that a proxy learns of a change in one tick
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
    # What its proxy has: DestinationRules and VirtualServices by key.
    config: dict[str, Block] = field(default_factory=dict)

    def ready(self, now: int) -> bool:
        return self.ends is None and not self.broken and now - self.born >= STARTS

    @property
    def version(self) -> str:
        return self.labels.get("version", "")


class Killed(Exception):
    """The run was killed before this call reached the API server."""


class World:
    def __init__(self, seed: int = 0, broken: Sequence[str] = ()) -> None:
        self.random = random.Random(seed)
        self.now = 0
        self.store: dict[str, Block] = {}
        self.pods: dict[str, Pod] = {}
        self.violations: list[str] = []
        self.broken = set(broken)
        self.calls_left: int | None = None
        self.mutations = 0
        # Whether anybody was promised an answer yet.
        self.serving = False
        # Gateway draws of each version: the tick in which the last request was sent to it.
        self.sent: dict[str, int] = {}
        for index in range(GATEWAYS):
            self.pods[f"gateway-{index}"] = Pod(
                f"gateway-{index}", "istio-system", {"istio": "ingressgateway"}, born=-STARTS
            )

    # The calls of the Cluster protocol.

    def get(self, item: Block) -> Block | None:
        found = self.store.get(names.object_key(item))
        return copy.deepcopy(found) if found else None

    def list(
        self, kind: str, namespace: str | None = None, selector: str = "", fields: str = ""
    ) -> list[Block]:
        wanted = dict(part.split("=") for part in selector.split(",") if part)
        items = [self._pod(pod) for pod in self.pods.values()] if kind == "Pod" else []
        items += [copy.deepcopy(item) for item in self.store.values() if item["kind"] == kind]
        return [
            item
            for item in items
            if namespace in (None, item["metadata"].get("namespace"))
            and wanted.items() <= (item["metadata"].get("labels") or {}).items()
        ]

    def serves(self, kind: str) -> bool:
        return True

    def log(self, namespace: str, pod: str, container: str, lines: int) -> str:
        return ""

    def dry_run(self, item: Block) -> Block:
        namespace = item["metadata"].get("namespace")
        if namespace and f"Namespace {namespace}" not in self.store:
            raise Refused(404, f"namespaces {namespace} not found")
        return self._result(item)

    def execute(self, namespace: str, pod: str, container: str, command: Sequence[str]) -> str:
        assert container == "istio-proxy"
        page = command[-1]
        proxy = self.pods[pod]
        return self._clusters(proxy) if page == "clusters" else self._routes(proxy)

    # What the role does.

    def apply(self, item: Block) -> None:
        self._call()
        key = names.object_key(item)
        wanted = item["metadata"].get("resourceVersion")
        if wanted and wanted != self.store[key]["metadata"]["resourceVersion"]:
            raise Refused(409, f"{key} was changed meanwhile")
        before, after = self.store.get(key), self._result(item)
        if before == after:
            return
        self.mutations += 1
        after["metadata"]["resourceVersion"] = str(self.mutations)
        after["metadata"]["generation"] = after["metadata"].get("generation", 0) + 1
        if item["kind"] == "Deployment":
            self._roll(before, after)
        self.store[key] = after
        self.look()

    def delete(self, item: Block) -> None:
        self._call()
        gone = self.store.pop(names.object_key(item))
        self.mutations += 1
        if gone["kind"] == "Deployment":
            self._retire(gone)
        self.look()

    def tick(self, _seconds: float = 0.0) -> None:
        self.now += 1
        for pod in list(self.pods.values()):
            self._learn(pod, LEARNS)
            if pod.ends is not None and self.now >= pod.ends:
                del self.pods[pod.name]
        self._replace_old_pods()
        self.look()

    def clock(self) -> float:
        return float(self.now)

    # Inside.

    def _call(self) -> None:
        if self.calls_left is not None:
            if self.calls_left == 0:
                raise Killed
            self.calls_left -= 1

    def _result(self, item: Block) -> Block:
        """The object after an apply, with what an API server adds."""
        key = names.object_key(item)
        before = self.store.get(key)
        after = copy.deepcopy(item)
        meta = after["metadata"]
        known = before["metadata"] if before else {"uid": key, "generation": 0}
        for name in ("uid", "generation", "resourceVersion"):
            if name in known:
                meta[name] = known[name]
        meta["managedFields"] = [{"manager": "roost", "time": self.now}]
        if item["kind"] == "Service":
            after["spec"]["clusterIP"] = "10.96.0.7"
        if item["kind"] == "Deployment":
            after["spec"]["template"]["spec"]["dnsPolicy"] = "ClusterFirst"
            meta.setdefault("annotations", {})["deployment.kubernetes.io/revision"] = "1"
        return after

    def _roll(self, before: Block | None, after: Block) -> None:
        """maxUnavailable 0: new pods first, the old ones end when these are ready."""
        name = after["metadata"]["name"]
        revision = json.dumps(after["spec"]["template"], sort_keys=True)
        unchanged = before and json.dumps(before["spec"]["template"], sort_keys=True) == revision
        current = self._pods_of(name)
        wanted = after["spec"]["replicas"]
        if unchanged:
            for pod in current[wanted:]:
                pod.ends = self.now + FINISHES
            wanted -= len(current)
        for _index in range(max(0, wanted)):
            self._start(after)

    def _start(self, deployment: Block) -> None:
        name = deployment["metadata"]["name"]
        pod = Pod(
            f"{name}-{self.random.randrange(10**9)}",
            deployment["metadata"]["namespace"],
            dict(deployment["spec"]["template"]["metadata"]["labels"]),
            born=self.now,
            broken=name in self.broken,
        )
        # A proxy is not ready before it has what there is.
        self._learn(pod)
        self.pods[pod.name] = pod

    def _replace_old_pods(self) -> None:
        for item in self.store.values():
            if item["kind"] != "Deployment":
                continue
            pods = self._pods_of(item["metadata"]["name"])
            surplus = len(pods) - item["spec"]["replicas"]
            if surplus > 0 and sum(pod.ready(self.now) for pod in pods) == len(pods):
                for pod in sorted(pods, key=lambda pod: pod.born)[:surplus]:
                    pod.ends = self.now + FINISHES

    def _retire(self, deployment: Block) -> None:
        for pod in self._pods_of(deployment["metadata"]["name"]):
            pod.ends = self.now + FINISHES

    def _pods_of(self, deployment: str) -> list[Pod]:
        return [
            pod
            for pod in self.pods.values()
            if pod.ends is None
            and names.workload_name(pod.labels.get("app", ""), pod.version) == deployment
        ]

    def _learn(self, pod: Pod, chance: float = 1.0) -> None:
        """Each object on its own: routes and clusters reach a proxy on different ways."""
        live = {
            key: item
            for key, item in self.store.items()
            if item["kind"] in ("DestinationRule", "VirtualService")
        }
        for key in sorted(live.keys() | pod.config.keys()):
            if live.get(key) is not pod.config.get(key) and self.random.random() < chance:
                pod.config = {**pod.config, key: live[key]} if key in live else {
                    other: item for other, item in pod.config.items() if other != key
                }  # fmt: skip

    def _pod(self, pod: Pod) -> Block:
        meta: Block = {
            "name": pod.name, "namespace": pod.namespace, "labels": pod.labels, "uid": pod.name
        }  # fmt: skip
        if pod.ends is not None:
            meta["deletionTimestamp"] = "now"
        ready = "True" if pod.ready(self.now) else "False"
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": meta,
            "spec": {"containers": [{"name": "app"}], "initContainers": [{"name": "istio-proxy"}]},
            "status": {"conditions": [{"type": "Ready", "status": ready}]},
        }

    def deployment_status(self, item: Block) -> Block:
        pods = self._pods_of(item["metadata"]["name"])
        ready = sum(pod.ready(self.now) for pod in pods)
        return {
            "observedGeneration": item["metadata"]["generation"],
            "replicas": len(pods),
            "updatedReplicas": min(len(pods), item["spec"]["replicas"]),
            "readyReplicas": ready,
            "availableReplicas": ready,
        }

    # What a proxy says of itself.

    def _clusters(self, proxy: Pod) -> str:
        lines = ["xds-grpc::added_via_api::false"]
        for rule in self._of(proxy, "DestinationRule"):
            host = rule["spec"]["host"]
            for subset in rule["spec"]["subsets"]:
                name = names.envoy_cluster(self._port(host), subset["name"], host)
                lines.append(f"{name}::default_priority::max_connections::4294967295")
                for index, pod in enumerate(self._endpoints(host, subset["name"])):
                    active = self._under_way(pod) if proxy.name.startswith("gateway") else 0
                    lines.append(f"{name}::10.244.0.{index}:8080::rq_active::{active}")
                    lines.append(f"{name}::10.244.0.{index}:8080::health_flags::healthy")
        return "\n".join(lines)

    def _routes(self, proxy: Pod) -> str:
        hosts = []
        for route in self._of(proxy, "VirtualService"):
            at_gateway = route["spec"]["gateways"] != ["mesh"]
            if at_gateway != proxy.name.startswith("gateway"):
                continue
            rules = [
                {"name": rule["name"], "route": self._action(rule["route"])}
                for rule in route["spec"]["http"]
                if _matches(rule, proxy)
            ]
            hosts.append({"domains": route["spec"]["hosts"], "routes": rules})
        return json.dumps({"configs": [{"route_config": {"virtual_hosts": hosts}}]})

    def _action(self, route: Sequence[Block]) -> Block:
        def name(item: Block) -> str:
            host = item["destination"]["host"]
            return names.envoy_cluster(self._port(host), item["destination"]["subset"], host)

        if len(route) == 1:
            return {"cluster": name(route[0])}
        # Istio leaves destinations without weight out.
        weighted = [
            {"name": name(item), "weight": item["weight"]} for item in route if item["weight"]
        ]
        return {"weighted_clusters": {"clusters": weighted}}

    def _port(self, host: str) -> int:
        service, namespace = host.split(".")[:2]
        found = self.store.get(f"Service {namespace}/{service}")
        # A proxy may know a service a little longer than the API server does.
        return int(found["spec"]["ports"][0]["port"]) if found else 0

    def _of(self, proxy: Pod, kind: str) -> Iterator[Block]:
        return (item for item in proxy.config.values() if item["kind"] == kind)

    def _endpoints(self, host: str, version: str) -> list[Pod]:
        service = host.split(".")[0]
        return [
            pod
            for pod in self.pods.values()
            if pod.labels.get("app") == service
            and pod.version == version
            and pod.ready(self.now)
        ]

    def _under_way(self, pod: Pod) -> int:
        return int(self.now - self.sent.get(pod.version, -99) < FINISHES)

    # What must never be.

    def look(self) -> None:
        self._routes_stand_before_pods()
        for index in range(GATEWAYS):
            self._requests_of(self.pods[f"gateway-{index}"])

    def _violation(self, text: str) -> None:
        self.violations.append(f"tick {self.now}: {text}")

    def _routes_stand_before_pods(self) -> None:
        staying = [pod for pod in self.pods.values() if pod.ends is None]
        services = {pod.labels["app"] for pod in staying if "app" in pod.labels}
        routes = [item for item in self.store.values() if item["kind"] == "VirtualService"]
        routed = {item["spec"]["hosts"][0].split(".")[0] for item in routes}
        if services - routed:
            self._violation(f"pods of {services - routed} without a route of their own")
        if services and not any(item["spec"]["gateways"] != ["mesh"] for item in routes):
            self._violation("pods without a route at the gateway")

    def _requests_of(self, gateway: Pod) -> None:
        """Every request that the gateway could send now, and the call that it leads to."""
        for route in self._of(gateway, "VirtualService"):
            if route["spec"]["gateways"] == ["mesh"]:
                continue
            for item in route["spec"]["http"][-1]["route"]:
                if item.get("weight", 100) > 0:
                    self._request(gateway, item["destination"])

    def _request(self, gateway: Pod, destination: Block) -> None:
        host, version = destination["host"], destination["subset"]
        endpoints = self._endpoints(host, version)
        # Until the first install is done, the version that has all of the weight is awaited.
        promised = self.serving or version not in self._held()
        if not endpoints:
            if promised:
                self._violation(f"weight on {version} without ready pods")
            return
        if promised and not self._knows(gateway, host, version):
            self._violation(f"{gateway.name} sends to {version}, whose subset it doesn't have")
        self.sent[version] = self.now
        for pod in self.pods.values():
            if pod.labels.get("app") == host.split(".")[0] and pod.version == version:
                self._calls(pod, promised)

    def _held(self) -> list[str]:
        """Versions that have all of the weight in the route as it is applied."""
        return [
            item["destination"]["subset"]
            for route in self.store.values()
            if route["kind"] == "VirtualService" and route["spec"]["gateways"] != ["mesh"]
            for item in route["spec"]["http"][-1]["route"]
            if item.get("weight", 100) == 100
        ]

    def _calls(self, pod: Pod, promised: bool) -> None:
        if not promised or (not pod.ready(self.now) and pod.ends is None):
            return
        for route in self._of(pod, "VirtualService"):
            host = route["spec"]["hosts"][0]
            if route["spec"]["gateways"] != ["mesh"] or host.split(".")[0] == pod.labels["app"]:
                continue
            rule = next(rule for rule in route["spec"]["http"] if _matches(rule, pod))
            version = rule["route"][0]["destination"]["subset"]
            if version != pod.version:
                self._violation(f"{pod.name} calls {version}: a mixed pair")
            if not self._knows(pod, host, version):
                self._violation(f"{pod.name} calls {version}, whose subset it doesn't have")
            if not self._endpoints(host, version):
                self._violation(f"{pod.name} calls {version} of {host}, which has no ready pods")

    def _knows(self, proxy: Pod, host: str, version: str) -> bool:
        return any(
            rule["spec"]["host"] == host
            and version in [subset["name"] for subset in rule["spec"]["subsets"]]
            for rule in self._of(proxy, "DestinationRule")
        )


class Observed(World):
    """Deployments with their status, as a client sees them."""

    def list(
        self, kind: str, namespace: str | None = None, selector: str = "", fields: str = ""
    ) -> list[Block]:
        items = super().list(kind, namespace, selector, fields)
        if kind == "Deployment":
            for item in items:
                item["status"] = self.deployment_status(item)
        return items


def _matches(rule: Block, pod: Pod) -> bool:
    if "match" not in rule:
        return True
    return any(match["sourceLabels"].items() <= pod.labels.items() for match in rule["match"])
