# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Nothing is lost when pods go in order, and each weight is what users get."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from scipy.stats import binomtest

from tests.e2e.conftest import kubectl
from tests.rollout.conftest import (
    NAMESPACE,
    deployments,
    kubectl_plain,
    playbook,
    traffic,
    weights,
)

RATE = 50.0
SETTLED_WITHIN = 120.0
# Of this many requests to each weight; one true split in ten thousand fails by chance.
SPLIT_REQUESTS, CONFIDENCE = 5000, 0.9999
SPLIT_RATE = 100.0
# After a worker is empty: by then whatever it takes along has had its time to fail.
AFTER_DRAIN = 25.0

pytestmark = pytest.mark.usefixtures("release")


def pods(name: str) -> int:
    """How many pods of a Deployment there are, those that end included."""
    service, version = name.rsplit("-", 1)
    selector = f"app={service},version={version}"
    return len(kubectl("get", "pods", "--namespace", NAMESPACE, "--selector", selector)["items"])


def scale(count: int) -> None:
    """Every version of every service, and wait until there are no more and no fewer pods."""
    names = sorted(deployments())
    for name in names:
        kubectl_plain("scale", f"deployment/{name}", f"--replicas={count}")
    for name in names:
        kubectl_plain("rollout", "status", f"deployment/{name}", f"--timeout={SETTLED_WITHIN:g}s")
    until = time.monotonic() + SETTLED_WITHIN
    while any(pods(name) != count for name in names):
        assert time.monotonic() < until, {name: pods(name) for name in names}
        time.sleep(0.5)  # they end when their last requests have ended


def test_fewer_pods_of_every_version_lose_no_request() -> None:
    with traffic(RATE) as seen:
        seen.go_on_until(100)
        scale(1)
        scale(2)
    print(seen.summary)
    assert seen.summary.failures == {}
    assert seen.summary.mixed == 0


def test_at_each_weight_users_get_what_was_asked_for() -> None:
    for weight in (5, 10, 25, 50):
        assert playbook("shift", weight=weight).code == 0
        with traffic(SPLIT_RATE) as seen:
            seen.go_on_until(SPLIT_REQUESTS)
        summary = seen.summary
        assert summary.failures == {}
        assert summary.mixed == 0
        assert summary.requests >= SPLIT_REQUESTS
        found = binomtest(summary.versions["v2"], summary.requests)
        interval = found.proportion_ci(CONFIDENCE, method="exact")
        print(f"{weight}%: {summary.versions} {interval.low:.2%} to {interval.high:.2%}")
        assert interval.low < weight / 100 < interval.high
    with traffic(SPLIT_RATE) as seen:
        assert playbook("promote").code == 0
        seen.go_on_until(SPLIT_REQUESTS)
    assert seen.summary.failures == {}
    assert seen.summary.mixed == 0
    assert weights() == {"v2": 100}


@contextmanager
def drained(worker: str) -> Iterator[None]:
    """As a person takes a machine out of service. Afterwards pods are spread as before."""
    try:
        kubectl_plain(
            "drain", worker, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=150s"
        )
        yield
    finally:
        kubectl_plain("uncordon", worker)
        for namespace in (NAMESPACE, "istio-system", "kube-system"):
            of = f"--namespace={namespace}"
            kubectl_plain("rollout", "restart", "deployment", of)
            kubectl_plain("rollout", "status", "deployment", of, f"--timeout={SETTLED_WITHIN:g}s")


def where() -> dict[str, str]:
    """Pod → node, of all that requests need."""
    return {
        item["metadata"]["name"]: item["spec"].get("nodeName", "")
        for namespace in (NAMESPACE, "istio-system", "kube-system")
        for item in kubectl("get", "pods", "--namespace", namespace)["items"]
    }


def test_a_worker_that_is_drained_loses_no_request() -> None:
    before = where()
    with traffic(RATE) as seen:
        seen.go_on_until(150)
        began = time.time()
        with drained("worker-1"):
            took = time.time() - began
            time.sleep(AFTER_DRAIN)
            after = where()
    print(json.dumps({"before": before, "after": after, "took": took}, indent=1))
    bad = [sample for sample in seen.samples if sample.status != 200 or sample.latency > 1]
    for sample in bad[:50]:
        print(f"{sample.at - began:7.2f} s {sample}")
    print(seen.summary)
    moved = ("app-", "model-service-", "istiod-", "istio-ingressgateway-", "coredns-")
    assert "worker-1" not in {node for pod, node in after.items() if pod.startswith(moved)}
    assert seen.summary.failures == {}
    assert seen.summary.mixed == 0
