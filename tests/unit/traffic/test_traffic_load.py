# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import socket
import time
from collections import Counter
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.release import certificates
from ansible_collections.roost.cluster.plugins.module_utils.traffic.load import Plan, run

from tests.unit.traffic.fake_app import FakeApp
from tests.unit.traffic.fake_tls import data_for, secret_of, server


def plan(url: str, **changes: Any) -> Plan:
    settings: dict[str, Any] = {
        "requests": 200,
        "time_limit": 20,
        "concurrency": 8,
        "app_header": "x-app-version",
        "model_header": "x-model-version",
    }
    return Plan(url=url, **{**settings, **changes})


def test_sends_exactly_n_gets_over_kept_connections_without_cookies() -> None:
    with FakeApp().running() as app:
        samples, _ = run(plan(app.url + "/api/version", headers={"Host": "digits.example"}))
    assert len(samples) == app.seen == 200
    assert {sample.status for sample in samples} == {200}
    assert len(app.connections) <= 8
    assert app.most_at_once <= 8
    assert {request["method"] for request in app.requests} == {"GET"}
    assert {request["Host"] for request in app.requests} == {"digits.example"}
    assert not any("Cookie" in request for request in app.requests)


def test_records_the_versions_that_answered() -> None:
    with FakeApp().running() as app:
        samples, _ = run(plan(app.url))
    versions = Counter(sample.app for sample in samples)
    assert set(versions) == {"v1", "v2"}
    assert all(sample.app == sample.model for sample in samples)


def test_stops_at_the_time_limit() -> None:
    with FakeApp().running() as app:
        samples, seconds = run(plan(app.url, requests=1_000_000, time_limit=0.2))
    assert 0 < len(samples) < 1_000_000
    assert seconds < 5


def test_requests_that_run_at_the_end_are_waited_for() -> None:
    with FakeApp(slow_every=1).running() as app:
        samples, _ = run(plan(app.url, requests=1000, time_limit=0.1))
    assert len(samples) == app.seen == 8
    assert {sample.status for sample in samples} == {200}


def test_a_rate_spaces_the_requests() -> None:
    with FakeApp().running() as app:
        samples, seconds = run(plan(app.url, requests=25, rate=100))
    assert len(samples) == 25
    assert 0.2 <= seconds < 5


def test_a_rate_counts_the_time_from_when_a_request_was_due() -> None:
    with FakeApp(slow_every=1).running() as app:
        samples, _ = run(plan(app.url, requests=4, rate=1000, concurrency=1))
    # The fourth waits for three others of 0.2 s each.
    assert max(sample.latency for sample in samples) > 0.55


def test_a_cut_connection_is_a_failure_and_is_not_repeated() -> None:
    with FakeApp(cut_every=10).running() as app:
        samples, _ = run(plan(app.url))
    assert app.seen == 200
    assert Counter(sample.failure for sample in samples) == {None: 180, "connection closed": 20}


def test_a_closed_kept_connection_is_not_hidden_by_a_repetition() -> None:
    with FakeApp(close_kept_connections=True).running() as app:
        samples, _ = run(plan(app.url, requests=20, concurrency=1))
    assert app.seen == 20
    assert Counter(sample.failure for sample in samples) == {None: 10, "connection closed": 10}


def test_a_slow_answer_times_out() -> None:
    with FakeApp(slow_every=10).running() as app:
        samples, _ = run(plan(app.url, requests=50, timeout=0.1))
    assert Counter(sample.failure for sample in samples)["timeout"] >= 5


def test_a_refused_connection_has_its_own_kind() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        start = time.monotonic()
        samples, _ = run(plan(address, requests=3))
    assert [sample.failure for sample in samples] == ["connection refused"] * 3
    assert all(sample.status is None and sample.detail for sample in samples)
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"url": "https://example.org/"}, "url"),
        ({"url": "file:///etc/passwd"}, "url"),
        ({"url": "http:///nohost"}, "url"),
        ({"requests": 0}, "requests"),
        ({"requests": 10**9}, "requests"),
        ({"concurrency": 100_000}, "concurrency"),
        ({"time_limit": 0}, "time_limit"),
        ({"rate": -1.0}, "rate"),
    ],
)
def test_what_it_must_not_do_is_refused(changes: dict[str, Any], named: str) -> None:
    settings = {"url": "http://127.0.0.1:1/", **changes}
    with pytest.raises(ValueError, match=f"^{named}: expected"):
        run(plan(**settings))


def test_over_https_each_connection_has_to_show_the_certificate() -> None:
    data = data_for()
    fingerprint = certificates.read(secret_of(data)).fingerprint
    with FakeApp(secured=server(data)).running() as app:
        right, _ = run(plan(app.url, fingerprint=fingerprint, server_name="digits.example"))
        wrong, _ = run(plan(app.url, fingerprint="ab" * 32))
    assert {sample.status for sample in right} == {200}
    assert len(app.connections) <= 8
    assert {sample.failure for sample in wrong} == {"another certificate"}


def test_https_without_a_certificate_to_expect_is_refused() -> None:
    with pytest.raises(ValueError, match="or https and a fingerprint"):
        plan("https://127.0.0.1:8443").check()
    with pytest.raises(ValueError, match="expected https://"):
        plan("http://127.0.0.1:8080", fingerprint="ab" * 32).check()
    with pytest.raises(ValueError, match="fingerprint: expected 64 hexadecimal digits, got abc"):
        plan("https://127.0.0.1:8443", fingerprint="abc").check()
