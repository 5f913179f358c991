# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.api import (
    lost,
    readiness,
    waiting,
)
from ansible_collections.roost.cluster.plugins.module_utils.api.client import Client
from ansible_collections.roost.cluster.plugins.module_utils.api.objects import Block, selector_of
from ansible_collections.roost.cluster.plugins.module_utils.api.parallel import in_parallel
from ansible_collections.roost.cluster.plugins.module_utils.release import names, proxies
from ansible_collections.roost.cluster.plugins.module_utils.release.expect import Wait

# Asking a proxy starts a process in its container; more at once only slow each other down.
_ASKED_AT_ONCE = 6
_QUIET_LOOKS = 2


@dataclass(frozen=True)
class Place:
    """Where the objects of a release are looked for."""

    release: str
    namespace: str
    gateway_namespace: str
    gateway_selector: Mapping[str, str]


@dataclass(frozen=True)
class _Question:
    condition: str
    page: str
    uid: str
    pod: Block


@dataclass(frozen=True)
class _Silence:
    """Why a proxy gave no answer."""

    why: str


@dataclass
class Outcome:
    seconds: float = 0.0
    missing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Watcher:
    """Looks again and again whether conditions hold, and asks each proxy no more than it has to.

    A proxy that has answered as expected once is not asked again: nobody else changes these
    objects meanwhile. That requests have ended must be seen in two looks in a row, on all proxies.
    """

    def __init__(
        self,
        client: Client,
        place: Place,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client, self._place = client, place
        self._selector = names.release_selector(place.release)
        self._clock, self._sleep = clock, sleep
        self._satisfied: set[tuple[str, str]] = set()
        self._quiet = 0
        self._drained = False
        self._draining_since: float | None = None
        self._notes: list[str] = []

    def wait(self, wait: Wait, timeout: float, pause: float) -> Outcome:
        ended = waiting.wait(lambda: self.look(wait), timeout, pause, self._clock, self._sleep)
        return Outcome(*ended, self._notes)

    def look(self, wait: Wait) -> list[str]:
        """What is still missing. The cheap question comes first; without pods there is no point
        in asking proxies."""
        missing = self._ready(wait.get("ready") or [])
        if not missing:
            about_proxies = [key for key in proxies.PROXY_CHECKS if wait.get(key)]
            missing = self._proxies({key: wait[key] for key in about_proxies})
        return missing or self._gone(wait.get("gone") or [])

    def _ready(self, deployments: list[str]) -> list[str]:
        if not deployments:
            return []
        live = {item["metadata"]["name"]: item for item in self._list("Deployment")}
        missing = _not_rolled_out(live, deployments, {})
        if missing:
            gone = lost.lost_pods(self._client, self._place.namespace, self._selector)
            missing = _not_rolled_out(live, deployments, gone)
            if missing:
                return missing
            told = lost.notes(gone, deployments)
            self._notes += [text for text in told if text not in self._notes]
        return [
            f"pod {pod['metadata']['name']} has no {names.PROXY} container: it was made while "
            "istiod's webhook was away or the namespace had no label; delete the pod"
            for pod in self._list("Pod")
            if names.workload_of(pod) in deployments and not proxies.has_proxy(pod)
        ]

    def _gone(self, deployments: list[str]) -> list[str]:
        if not deployments:
            return []
        left = [item["metadata"]["name"] for item in self._list("Deployment")]
        missing = [f"Deployment {name} is still there" for name in left if name in deployments]
        for pod in self._list("Pod"):
            if names.workload_of(pod) in deployments:
                missing.append(f"pod {pod['metadata']['name']} has not ended yet")
        return missing

    def _proxies(self, conditions: Wait) -> list[str]:
        """What the proxies that the conditions are about still lack."""
        missing, questions = self._questions(conditions)
        answers = self._ask({(item.page, item.uid): item.pod for item in questions})
        busy = []
        for item in questions:
            answer = answers[item.page, item.uid]
            if isinstance(answer, _Silence):
                lacking = [f"can't be asked: {answer.why}"]
            else:
                check = proxies.PROXY_CHECKS[item.condition]
                lacking = check.lacks(conditions[item.condition], item.pod, answer)
            texts = [f"the proxy of {item.pod['metadata']['name']} {text}" for text in lacking]
            if item.condition == "idle":
                busy += texts
            elif texts:
                missing += texts
            else:
                self._satisfied.add((item.condition, item.uid))
        return missing + self._idle(conditions, busy)

    def _questions(self, conditions: Wait) -> tuple[list[str], list[_Question]]:
        """Whom to ask what; and whom there should be to ask, and isn't."""
        checks = {key: proxies.PROXY_CHECKS[key] for key in conditions}
        missing, gateways, pods = [], list[Block](), list[Block]()
        if concerns_gateway(conditions):
            gateways = self._gateways()
            if not gateways:
                labels = selector_of(self._place.gateway_selector)
                missing.append(f"no ready pod with {labels} in {self._place.gateway_namespace}")
        if any(check.pods for check in checks.values()):
            pods = self._pods()
        questions = [
            _Question(key, check.page, pod["metadata"]["uid"], pod)
            for key, check in checks.items()
            for pod in (gateways if check.gateway else []) + (pods if check.pods else [])
            if (key, pod["metadata"]["uid"]) not in self._satisfied
        ]
        return missing, questions

    def _idle(self, conditions: Wait, busy: list[str]) -> list[str]:
        if "idle" not in conditions or self._drained:
            return []
        now = self._clock()
        self._draining_since = now if self._draining_since is None else self._draining_since
        self._quiet = 0 if busy else self._quiet + 1
        late = now - self._draining_since >= conditions["idle"]["limit"]
        if late:
            self._notes += [f"{text}: they took too long and are cut off" for text in busy]
        self._drained = late or self._quiet >= _QUIET_LOOKS
        if self._drained:
            return []
        return busy or ["that requests have ended has to be seen once more"]

    def _ask(self, questions: Mapping[tuple[str, str], Block]) -> dict[tuple[str, str], Any]:
        """The answer to each question, read; or why there is none."""

        def answer(question: tuple[tuple[str, str], Block]) -> Any:
            (page, _uid), pod = question
            meta = pod["metadata"]
            command = ["pilot-agent", "request", "GET", page]
            ended = self._client.execute(meta["namespace"], meta["name"], names.PROXY, command)
            if ended.code != 0:
                why = ended.errors or f"it ended with code {ended.code}"
                return _Silence(f"{' '.join(command)}: {why}")
            try:
                return proxies.READERS[page](ended.output)
            except ValueError as error:
                return _Silence(f"gives no answer that can be read: {error}")

        answers = in_parallel(answer, questions.items(), _ASKED_AT_ONCE)
        return dict(zip(questions, answers, strict=True))

    def _gateways(self) -> list[Block]:
        selector = selector_of(self._place.gateway_selector)
        pods = self._client.list("Pod", self._place.gateway_namespace, selector)
        return [pod for pod in pods if readiness.is_ready(pod)]

    def _pods(self) -> list[Block]:
        """The ready pods of the release. One that isn't ready gets no requests, and it will have
        the present rules when it is."""
        return [pod for pod in self._list("Pod") if readiness.is_ready(pod)]

    def _list(self, kind: str) -> list[Block]:
        return self._client.list(kind, self._place.namespace, self._selector)


def _not_rolled_out(
    live: Mapping[str, Block], deployments: list[str], gone: lost.Lost
) -> list[str]:
    found = (
        readiness.deployment_lacks(name, live.get(name), len(gone.get(name, ())))
        for name in deployments
    )
    return [text for text in found if text]


def concerns_gateway(wait: Wait) -> bool:
    """Whether a wait asks the proxies of the gateway."""
    return any(check.gateway for key, check in proxies.PROXY_CHECKS.items() if wait.get(key))


def concerned(wait: Wait) -> list[str]:
    """The Deployments that a wait is about, for those who look for the reason of its failure."""
    return [*(wait.get("ready") or []), *(wait.get("gone") or [])]
