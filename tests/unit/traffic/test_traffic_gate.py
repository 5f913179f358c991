# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The gate, from real requests to the verdict: it must fail at 20% and pass at 10%."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.roost.cluster.plugins.module_utils.api.client import ApiError
from ansible_collections.roost.cluster.plugins.module_utils.release import certificates
from ansible_collections.roost.cluster.plugins.module_utils.verify.measure import (
    Settings,
    measure,
)
from ansible_collections.roost.cluster.plugins.module_utils.verify.target import target

from tests.unit.api.stub import StubClient
from tests.unit.playbook import run_playbook
from tests.unit.traffic.fake_app import FakeApp, entry_route, release
from tests.unit.traffic.fake_tls import data_for, secret_of, server

REPOSITORY = Path(__file__).resolve().parents[3]
REQUESTS = 500


class FakeClient(StubClient):
    """The part of the Kubernetes API that a measurement by headers asks."""

    def __init__(self, **weights: int) -> None:
        self.weights = weights

    def list(self, kind: str, namespace: str | None = None, *_: Any, **__: Any) -> Any:
        assert (kind, namespace) == ("VirtualService", "digits")
        return [entry_route(**self.weights)]


def settings(app: FakeApp, **changes: Any) -> Settings:
    values: dict[str, Any] = {
        "url": app.url,
        "host": None,
        "kubeconfig": "/absent/kubeconfig",
        "full": True,
        "requests": REQUESTS,
        "time_limit": 60.0,
        "timeout": 10.0,
        "concurrency": 16,
        "fingerprint": None,
        "rate": None,
        "confidence": 0.9999,
        "gateway_namespace": "istio-system",
        "gateway_selector": {"istio": "ingressgateway"},
        "started": time.monotonic(),
        **changes,
    }
    return Settings(**values)


def broken(result: dict[str, Any]) -> list[str]:
    return [item["name"] for item in result["promises"] if not item["ok"]]


@pytest.mark.parametrize("full", [True, False], ids=["full", "short"])
@pytest.mark.parametrize(
    ("share", "verdict"), [(0.1, []), (0.2, ["split"]), (0.0, ["split"])], ids=str
)
def test_passes_at_10_percent_and_fails_at_20(share: float, verdict: list[str], full: bool) -> None:
    with FakeApp(canary_share=share).running() as app:
        result = measure(target(release()), settings(app, full=full), FakeClient(v1=90, v2=10))
    assert broken(result) == verdict
    assert result["measured"]["trials"] == result["traffic"]["requests"] == REQUESTS


def test_the_live_weight_is_what_counts() -> None:
    with FakeApp(canary_share=0.37).running() as app:
        result = measure(target(release()), settings(app), FakeClient(v1=63, v2=37))
    assert broken(result) == []
    assert result["wanted"]["weight"] == 37
    assert "the file says v2 10%" in result["wanted"]["source"]


def test_the_gateway_is_asked_for_a_host_that_it_answers_to() -> None:
    wanted = target(release(hosts=["digits.example"]))
    with FakeApp().running() as app:
        measure(wanted, settings(app, requests=10), FakeClient(v1=90, v2=10))
        measure(wanted, settings(app, requests=10, host="mine"), FakeClient(v1=90, v2=10))
    asked = [request["Host"] for request in app.requests]
    assert asked == ["digits.example"] * 10 + ["mine"] * 10


def test_promises_over_https_are_told_from_the_others() -> None:
    data = data_for()
    fingerprint = certificates.read(secret_of(data)).fingerprint
    with FakeApp(canary_share=0.3, secured=server(data)).running() as app:
        pinned = settings(app, fingerprint=fingerprint)
        result = measure(target(release()), pinned, FakeClient(v1=90, v2=10))
    assert broken(result) == ["https split"]
    assert result["lines"][0].startswith("https requests   500 in ")


def test_one_answer_is_too_many_at_weight_0() -> None:
    with FakeApp(canary_share=0.001).running() as app:
        wanted = target(release())
        result = measure(wanted, settings(app, requests=2000), FakeClient(v1=100, v2=0))
    assert 0 < result["measured"]["hits"] < 20
    assert broken(result) == ["split"]


@pytest.mark.parametrize(
    ("behaviour", "name"),
    [
        ({"mixed_every": 500}, "pairing"),
        ({"failing_every": 500}, "errors"),
        ({"cut_every": 500}, "errors"),
        ({"slow_every": 500}, "errors"),
    ],
)
def test_one_fault_in_500_fails_in_full_and_is_noted_in_short(
    behaviour: dict[str, Any], name: str
) -> None:
    with FakeApp(**behaviour).running() as app:
        timeout = 0.15 if "slow_every" in behaviour else 10.0
        full = measure(target(release()), settings(app, timeout=timeout), FakeClient(v1=90, v2=10))
        brief = measure(
            target(release()), settings(app, timeout=timeout, full=False), FakeClient(v1=90, v2=10)
        )
    assert broken(full) == [name]
    assert broken(brief) == []
    assert any(f"note: {name}" in note for note in brief["notes"])


def test_the_short_form_leaves_less_time_for_requests_when_it_began_late() -> None:
    with FakeApp().running() as app:
        late = settings(app, time_limit=5.5, started=time.monotonic() - 3)
    assert replace(late, full=False).seconds_left() == pytest.approx(2.5, abs=0.1)
    assert replace(late, full=False, time_limit=2).seconds_left() == 1.0
    assert late.seconds_left() == 5.5


def test_without_the_api_the_file_says_and_it_is_told() -> None:
    with FakeApp().running() as app:
        result = measure(target(release()), settings(app, requests=500, full=False))
    assert result["wanted"]["weight"] == 10
    assert "the live weight could not be read" in result["notes"][0]


class ClientWithProxies(FakeClient):
    """One gateway and one pod of each version, whose proxies count what the app was asked."""

    def __init__(self, app: FakeApp, crossed: int = 0) -> None:
        super().__init__(v1=90, v2=10)
        self.app = app
        self.crossed = crossed

    def list(self, kind: str, namespace: str | None = None, *_: Any, **__: Any) -> Any:
        if kind == "VirtualService":
            return super().list(kind, namespace)
        versions = ["gateway"] if namespace == "istio-system" else ["v1", "v2"]
        return [
            {
                "metadata": {"name": name, "uid": name, "labels": {"version": name}},
                "status": {"phase": "Running"},
            }
            for name in versions
        ]

    def ask_pod(self, namespace: str, pod: str, port: int, path: str) -> tuple[int, str]:
        if pod == "gateway":
            return 200, "\n".join(self._line("app", *item) for item in self.app.drawn.items())
        lines = [self._line("model-service", pod, self.app.drawn[pod])]
        if self.app.seen and pod == "v1":
            lines.append(self._line("model-service", "v2", self.crossed))
        return 200, "\n".join(lines)

    @staticmethod
    def _line(service: str, subset: str, count: int) -> str:
        name = f'cluster_name="outbound|8080|{subset}|{service}.digits.svc.cluster.local"'
        metric = "completed" if service == "app" else "total"
        return f"envoy_cluster_upstream_rq_{metric}{{{name}}} {count}"


@pytest.mark.parametrize(
    ("share", "crossed", "verdict"), [(0.1, 0, []), (0.2, 0, ["split"]), (0.1, 1, ["pairing"])]
)
def test_without_headers_the_proxies_counters_judge(
    share: float, crossed: int, verdict: list[str]
) -> None:
    with FakeApp(canary_share=share, headers=False).running() as app:
        # Earlier traffic, which must not count.
        app.drawn.update({"v1": 3000, "v2": 3000})
        client = ClientWithProxies(app, crossed)
        result = measure(target(release(verify={"path": "/"})), settings(app), client)
    assert broken(result) == verdict
    assert result["measured"]["split_source"] == "proxy counters"
    assert result["measured"]["trials"] == REQUESTS


def test_without_headers_and_without_the_api_nothing_can_be_told() -> None:
    with FakeApp(headers=False).running() as app, pytest.raises(ApiError, match="counters"):
        measure(target(release(verify={"path": "/"})), settings(app))


def kubeconfig(url: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }


def test_the_short_form_ends_a_playbook_with_the_broken_promise(tmp_path: Path) -> None:
    """Everything together: tasks, module, Kubernetes client, generator, verdict, exit code."""
    tasks = (REPOSITORY / "playbooks/tasks/verify_short.yml").read_text()
    assert "requests: 100000" in tasks
    # Enough for the verdict; as they are, they take all of their time.
    (tmp_path / "tasks.yml").write_text(tasks.replace("requests: 100000", f"requests: {REQUESTS}"))
    with FakeApp(canary_share=0.2, virtual_services=[entry_route(v1=90, v2=10)]).running() as app:
        (tmp_path / "kubeconfig").write_text(yaml.safe_dump(kubeconfig(app.url)))
        play = {
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "vars": {
                "release": release(),
                "roost_kubeconfig": str(tmp_path / "kubeconfig"),
                "roost_app_url": app.url,
                "verify_confidence": 0.9999,
            },
            "tasks": [{"import_tasks": "tasks.yml"}],
        }
        playbook = tmp_path / "site.yml"
        playbook.write_text(yaml.safe_dump([play]))
        run = run_playbook(
            playbook, "-i", "localhost,", ANSIBLE_CALLBACKS_ENABLED="roost.cluster.phases"
        )
    assert run.returncode == 2, run.stdout + run.stderr
    last = run.stdout.splitlines()[-1]
    assert "promise failed: split: expected 10% of the answers from v2" in last
    assert "says the live VirtualService digits/digits-gateway" in last
