# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The small world of releases with users in it, whose requests the proxies count."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.api.client import (
    Refused,
    Unreachable,
)
from ansible_collections.roost.cluster.plugins.module_utils.api.objects import object_key
from ansible_collections.roost.cluster.plugins.module_utils.release.telemetry import (
    histogram_edges,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout import scene as scenes
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.document import (
    Document,
    Pair,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.engine import Engine
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.job import Job
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.lock import Lock
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.notify import Notifier
from release_moves import run
from release_pods import on_mesh
from release_samples import digests, resolved
from release_samples import release as file_of
from release_world import CONTEXT, Killed, World
from rollout_server import Clock

Block = dict[str, Any]
EDGES = histogram_edges()
USUAL_MS = 12.0
REQUESTS = 500


@dataclass
class Counted:
    sent: int = 0
    failed: int = 0
    slow: int = 0


class Site(World):
    """`failing` and `slow` say which share of a version's requests is."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.failing: dict[str, float] = {}
        self.slow: dict[str, float] = {}
        self.counted: dict[str, dict[tuple[str, str], Counted]] = defaultdict(
            lambda: defaultdict(Counted)
        )
        # By their names, so many calls find no server from now on.
        self.away: Counter[str] = Counter()

    def _here(self, call: str) -> None:
        if self.away[call]:
            self.away[call] -= 1
            raise Unreachable("the API server doesn't answer")

    # The calls of an editor.

    def get(self, item: Block) -> Block | None:
        self._here("get")
        return super().get(item)

    def apply(self, item: Block) -> Block:  # type: ignore[override]  # the world's gives nothing
        self._here("apply")
        super().apply(item)
        return self.get(item) or {}

    def create(self, item: Block) -> Block:
        if object_key(item) in self.store:
            raise Refused(409, "it exists")
        return self.apply(item)

    def replace(self, item: Block) -> Block:
        if object_key(item) not in self.store:
            raise Refused(404, "there is none")
        return self.apply(item)

    def delete(self, item: Block) -> None:
        if object_key(item) in self.store:
            super().delete(item)

    def ask_pod(self, namespace: str, pod: str, port: int, path: str) -> tuple[int, str]:
        return 200, "\n".join(
            line for key, found in self.counted[pod].items() for line in said(*key, found)
        )

    # What users do.

    def requests(self, count: int) -> None:
        """Drawn together, for nothing else happens meanwhile."""
        gateways = {pod.name: pod for pod in self.pods.values() if pod.is_gateway}
        for name, received in self._drawn(list(gateways), count):
            routes = gateways[name].of("VirtualService")
            route = next(route for route in routes if not on_mesh(route))
            drawn = route["spec"]["http"][-1]["route"]
            subsets = [item["destination"]["subset"] for item in drawn]
            weights = [item.get("weight", 100) for item in drawn]
            for version, sent in self._drawn(subsets, received, weights):
                self._count(name, "app", version, sent)
                pods = self.pods.values()
                apps = [pod.name for pod in pods if (pod.app, pod.version) == ("app", version)]
                for app, asked in self._drawn(apps, sent):
                    self._count(app, "model-service", version, asked)

    def _drawn(
        self, among: Sequence[str], count: int, weights: Sequence[int] | None = None
    ) -> Iterable[tuple[str, int]]:
        return Counter(self.random.choices(among, weights, k=count)).items()

    def _count(self, pod: str, service: str, version: str, count: int) -> None:
        found = self.counted[pod][service, version]
        found.sent += count
        found.failed += self._hit(count, self.failing.get(version, 0.0))
        found.slow += self._hit(count, self.slow.get(version, 0.02))

    def _hit(self, count: int, share: float) -> int:
        return sum(self.random.random() < share for _request in range(count)) if share else 0

    def live(self) -> Any:
        return scenes.look(self, "digits", "digits", CONTEXT).release

    # Last, because below it the name means this method in annotations.
    def list(
        self, kind: str, namespace: str | None = None, selector: str = "", fields: str = ""
    ) -> list[Block]:
        self._here("list")
        found = super().list(kind, namespace, selector, fields)
        if kind == "Pod":
            state = {"running": {"startedAt": "2026-11-28T12:00:00Z"}}
            for pod in found:
                pod["status"]["phase"] = "Running"
                pod["status"]["initContainerStatuses"] = [{"name": "istio-proxy", "state": state}]
        return found


def said(service: str, version: str, found: Counted) -> list[str]:
    """A proxy's statistics of one subset. Slow requests take three times as long."""
    name = f'cluster_name="outbound|8080|{version}|{service}.digits.svc.cluster.local"'
    lines = [
        f"envoy_cluster_upstream_rq_total{{{name}}} {found.sent}",
        f'envoy_cluster_upstream_rq{{{name},response_code_class="5xx"}} {found.failed}',
    ]
    for edge in [*EDGES, float("inf")]:
        count = found.sent if edge >= 3 * USUAL_MS else found.sent - found.slow
        lines.append(
            f'envoy_cluster_upstream_rq_time_bucket{{{name},le="{edge:g}"}} '
            f"{count if edge >= USUAL_MS else 0}"
        )
    return lines


# More than any rollout of the tests needs.
MOST_PAUSES = 1000


class Beat:
    """Time passes in pauses, and users go on."""

    def __init__(self, site: Site, lock: Lock) -> None:
        self._site, self._lock = site, lock
        self.quiet = False
        # Called with the number of each pause.
        self.meanwhile: Callable[[int], None] = lambda _pause: None
        self.pauses = 0

    def certain(self) -> None:
        self._lock.renew()

    def pause(self, seconds: float) -> None:
        if not self.quiet:
            self._site.requests(REQUESTS if seconds > 1 else 5)
        self._site.tick()
        self.pauses += 1
        assert self.pauses < MOST_PAUSES, "the rollout doesn't come to an end"
        self.meanwhile(self.pauses)


@dataclass(frozen=True)
class Desk(Job):
    """A job whose lock goes by a clock that only tests move."""

    clock: Clock = field(default_factory=Clock)

    def lock(self) -> Lock:
        clock = self.clock
        return Lock(
            self.client, "digits", "digits", self.who, self.session,
            clock.monotonic, clock.sleep, clock.now,
        )  # fmt: skip


def site(seed: int = 0, **changes: Any) -> Site:
    """A release that runs, v1 with v2 at 10% unless changed."""
    found = Site(seed)
    run(found, resolved(**changes))
    return found


def desk(found: Site, **changes: Any) -> Desk:
    return Desk(found, CONTEXT, file_of(**changes), digests(), 300.0, who="ann@desk")


class Rollout:
    """One call of the playbook, in the world."""

    def __init__(self, found: Site, version: str, quiet: bool = False, **changes: Any) -> None:
        self.site, self.job, self.version = found, desk(found, **changes), version
        self.quiet = quiet
        self.told: list[str] = []
        self.meanwhile: Callable[[int], None] = lambda _pause: None

    def go(self) -> Document:
        lock = self.job.lock()
        self.job.clock.sleep(3600)  # so that whoever was killed is known to be dead
        lock.acquire()
        beat = Beat(self.site, lock)
        beat.quiet, beat.meanwhile = self.quiet, self.meanwhile
        scene = scenes.look(self.site, "digits", "digits", CONTEXT)
        images = dict(self.job.file.versions[self.version])
        with Notifier(None, self.told.append) as notifier:
            engine = Engine(self.job, beat, notifier, self.told.append, lambda: None)
            document = engine.go(scene, Pair(self.version, images))
        lock.release()
        return document


def killed_after(found: Site, version: str, calls: int, **changes: Any) -> bool:
    """Run until so many changes were made; whether it was killed before its end."""
    found.calls_left = calls
    try:
        Rollout(found, version, **changes).go()
    except Killed:
        return True
    finally:
        found.calls_left = None
    return False


class Heart(Beat):
    """In place of the heartbeat that has a thread of its own."""

    def __enter__(self) -> Heart:
        return self

    def __exit__(self, *_error: object) -> None:
        self._lock.release()
