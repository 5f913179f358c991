# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Constant traffic while something happens, and what users see of it."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from ansible_collections.roost.cluster.plugins.module_utils.traffic import load
from ansible_collections.roost.cluster.plugins.module_utils.traffic.steady import Steady
from ansible_collections.roost.cluster.plugins.module_utils.traffic.summary import failure_kind

RATE = 40.0
# An answer later than this is one that a user notices.
SLOW_SECONDS = 1.0
# Before the fault, so that a failure which was there anyway shows; after it is over, likewise.
LEAD_SECONDS = 3.0
SETTLE_SECONDS = 180


@dataclass(frozen=True)
class Course:
    """Times in seconds."""

    requests: int
    failed: int
    slow: int
    """Answered, but later than a second."""
    gap: float
    """The longest time in which no request was answered well."""
    normal_after: float
    """From the fault until the first request after which none failed or was slow."""
    kinds: dict[str, int]
    before: int
    """Failed or slow before the fault; if not 0, the measurement is worth nothing."""


@dataclass(frozen=True)
class Span:
    """Moments of a run, in seconds since 1970."""

    start: float
    fault: float
    end: float


def course_of(samples: Sequence[load.Sample], plan: load.Plan, span: Span) -> Course:
    """What the requests of a run show."""
    kinds = Counter(kind for sample in samples if (kind := failure_kind(sample, plan)))
    bad = [s for s in samples if failure_kind(s, plan) or s.latency > SLOW_SECONDS]
    answered = [s.at for s in samples if not failure_kind(s, plan)]
    # A request counts from when it was to be sent.
    last = max((s.at - s.latency for s in bad if s.at >= span.fault), default=None)
    return Course(
        requests=len(samples),
        failed=kinds.total(),
        slow=len(bad) - kinds.total(),
        gap=_longest_gap(answered, span),
        normal_after=0.0 if last is None else max(0.0, last + 1 / RATE - span.fault),
        kinds=dict(kinds),
        before=sum(s.at < span.fault for s in bad),
    )


def _longest_gap(times: Iterable[float], span: Span) -> float:
    moments = [*(sorted(times) or [span.start]), span.end]
    return max(later - earlier for earlier, later in pairwise(moments))


def watch(url: str, seconds: float, happen: Callable[[], None]) -> Course:
    """Let something happen under traffic, that goes on until it is over, and for at least `seconds`
    from its beginning; then say what users saw."""
    plan = load.Plan(
        url=f"{url}/api/version",
        requests=load.MOST_REQUESTS,
        time_limit=600,
        rate=RATE,
        # All that can be on the way at once, so that none waits for another one's timeout.
        concurrency=300,
        app_header="x-app-version",
        model_header="x-model-version",
    )
    start = time.time()
    with Steady(plan) as steady:
        time.sleep(LEAD_SECONDS)
        fault = time.time()
        happen()
        time.sleep(max(0.0, fault + seconds - time.time()))
        end = time.time()
    return course_of(steady.samples, plan, Span(start, fault, end))


def ready(kubectl: Callable[..., str], restarted: Mapping[str, float]) -> None:
    """Assert that Kubernetes calls everything ready. `restarted` has when nodes were started again,
    in seconds since 1970: of their pods kubelet says at first what it knew before, so their
    containers have to be newer."""
    limit = "--timeout=60s"
    kubectl("wait", "nodes", "--all", "--for=condition=Ready", limit)
    everywhere = ("--all", "--all-namespaces")
    for kind, condition in (("deployments", "Available"), ("pods", "Ready")):
        kubectl("wait", kind, *everywhere, f"--for=condition={condition}", limit)
    pods = json.loads(kubectl("get", "pods", "--all-namespaces", "--output=json"))["items"]
    late = {
        pod["metadata"]["name"]: status["state"]
        for pod in pods
        for status in pod["status"].get("containerStatuses", [])
        if not _runs_since(status["state"], restarted.get(pod["spec"]["nodeName"], 0.0))
    }
    assert late == {}


def _runs_since(state: Mapping[str, Mapping[str, str]], moment: float) -> bool:
    started = state.get("running", {}).get("startedAt")
    # It has no fractions of a second.
    return started is not None and datetime.fromisoformat(started).timestamp() > moment - 1


def settle(url: str, ready: Callable[[], None]) -> None:
    """Wait until `ready` raises no AssertionError, and users see nothing of what was before."""
    end = time.monotonic() + SETTLE_SECONDS
    while True:
        try:
            ready()
            seen = watch(url, 5, lambda: None)
            assert seen.failed == seen.slow == 0, seen
            return
        except AssertionError:
            if time.monotonic() > end:
                raise
            time.sleep(1)  # the API may be down, and then answers at once that it is
