# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A small world for releases: an API server, pods that take time to start, and proxies each of
which learns of a change when it happens to. After every event it looks at each way that a request
could take just then, and notes what must never happen."""

from __future__ import annotations

import pickle
import random
from collections.abc import Sequence

import release_pages
import release_rules
from ansible_collections.roost.cluster.plugins.module_utils.api.client import Refused
from ansible_collections.roost.cluster.plugins.module_utils.api.execution import Executed
from ansible_collections.roost.cluster.plugins.module_utils.api.objects import object_key
from ansible_collections.roost.cluster.plugins.module_utils.release import names
from release_pods import FINISHES, STARTS, Block, Pod, service_of

CONTEXT = names.Context()
GATEWAYS = 2
LEARNS = 0.35  # chance that a proxy learns of a change in one tick


class Killed(Exception):
    """The run was killed, right after the last call that it was allowed."""


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

    # The calls of a client.

    def get(self, item: Block) -> Block | None:
        found = self.store.get(object_key(item))
        return _sent(found) if found else None

    def serves(self, kind: str) -> bool:
        return True

    def log(self, namespace: str, pod: str, container: str, lines: int) -> str:
        return ""

    def dry_run(self, item: Block) -> Block:
        namespace = item["metadata"].get("namespace")
        known = ("Namespace istio-system", *self.store)
        if namespace and f"Namespace {namespace}" not in known:
            raise Refused(404, f"namespaces {namespace} not found")
        return self._result(item)

    def execute(self, namespace: str, pod: str, container: str, command: Sequence[str]) -> Executed:
        assert container == "istio-proxy"
        page = command[-1]
        proxy = self.pods[pod]
        return Executed(0, release_pages.PAGES[page](self, proxy))

    def ask_pod(self, namespace: str, pod: str, port: int, path: str) -> tuple[int, str]:
        raise AssertionError

    # What the role does.

    def apply(self, item: Block) -> None:
        self._call()
        key = object_key(item)
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
        gone = self.store.pop(object_key(item))
        self.mutations += 1
        if gone["kind"] == "Deployment":
            self._retire(gone)
        self.look()

    def tick(self, _seconds: float = 0.0) -> None:
        if self.calls_left == 0:
            raise Killed
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
        key = object_key(item)
        before = self.store.get(key)
        after = _sent(item)
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
        unchanged = before and before["spec"]["template"] == after["spec"]["template"]
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
            pod for pod in self.pods.values() if pod.ends is None and pod.deployment == deployment
        ]

    def endpoints(self, host: str, version: str) -> list[Pod]:
        service = service_of(host)
        return [
            pod
            for pod in self.pods.values()
            if pod.version == version and pod.app == service and pod.ready(self.now)
        ]

    def look(self) -> None:
        self.violations += [f"tick {self.now}: {text}" for text in release_rules.broken(self)]

    def _learn(self, pod: Pod, chance: float = 1.0) -> None:
        """Each object on its own: routes and clusters reach a proxy on different ways."""
        live = {
            key: item
            for key, item in self.store.items()
            if item["kind"] in ("DestinationRule", "VirtualService", "Gateway")
        }
        for key in sorted(live.keys() | pod.config.keys()):
            if live.get(key) is not pod.config.get(key) and self.random.random() < chance:
                pod.config = {**pod.config, key: live[key]} if key in live else {
                    other: item for other, item in pod.config.items() if other != key
                }  # fmt: skip

    def _status(self, item: Block) -> Block:
        pods = self._pods_of(item["metadata"]["name"])
        ready = sum(pod.ready(self.now) for pod in pods)
        return {
            "observedGeneration": item["metadata"]["generation"],
            "replicas": len(pods),
            "updatedReplicas": min(len(pods), item["spec"]["replicas"]),
            "readyReplicas": ready,
            "availableReplicas": ready,
        }

    # Last, because below it the name means this method in annotations.
    def list(
        self, kind: str, namespace: str | None = None, selector: str = "", fields: str = ""
    ) -> list[Block]:
        parts = [part.partition("=") for part in selector.split(",") if part]
        wanted = {key: value for key, equals, value in parts if equals}
        there = {key for key, _equals, _value in parts}

        def asked(place: str | None, labels: dict[str, str]) -> bool:
            fits = wanted.items() <= labels.items() and there <= labels.keys()
            return namespace in (None, place) and fits

        if kind == "Pod":
            pods = self.pods.values()
            return [pod.seen(self.now) for pod in pods if asked(pod.namespace, pod.labels)]
        found = [
            _sent(item)
            for item in self.store.values()
            if item["kind"] == kind
            and asked(item["metadata"].get("namespace"), item["metadata"].get("labels") or {})
        ]
        if kind == "Deployment":
            found = [{**item, "status": self._status(item)} for item in found]
        return found


def _sent(item: Block) -> Block:
    """A copy, as if it had come over a connection. Pickled, for copy.deepcopy takes ten times as
    long, which was a quarter of the tests' time."""
    copied: Block = pickle.loads(pickle.dumps(item))
    return copied
