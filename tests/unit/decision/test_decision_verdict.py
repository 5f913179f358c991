# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From looks to verdicts, as a rollout uses it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from ansible_collections.roost.cluster.plugins.module_utils.release.rollout_settings import Settings
from ansible_collections.roost.cluster.plugins.module_utils.release.telemetry import (
    histogram_edges,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.comparison import Comparison
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.looks import (
    Look,
    Tally,
    Versions,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.verdict import (
    MetricVerdict,
    Outcome,
    Verdict,
)

EDGES = histogram_edges()
SERVICES = ("app", "model-service")


def tally(requests: int, failures: int = 0, slowdown: float = 1.0) -> Tally:
    """Latencies evenly from 20 to 60 ms on the logarithmic scale, times the slowdown."""
    latencies = slowdown * 20 * 3 ** ((np.arange(requests) + 0.5) / max(requests, 1))
    counts = np.bincount(np.searchsorted(EDGES, latencies), minlength=len(EDGES) + 1)
    return Tally(requests, failures, tuple(int(count) for count in counts))


def look(canary: int = 25, stable: int = 225, **app: Any) -> Look:
    """Both services are healthy, but for the app's canary where it is said."""
    healthy = Versions(tally(canary), tally(stable))
    return Look(5.0, {"app": Versions(tally(canary, **app), tally(stable)), SERVICES[1]: healthy})


def comparison(weight: int = 10, **settings: Any) -> Comparison:
    found = Comparison(Settings(**settings), EDGES, SERVICES)
    found.begin_step(weight)
    return found


def until_decided(state: Comparison, each: Look, limit: int = 200) -> Verdict:
    for _ in range(limit):
        state.observe(each)
        verdict = state.verdict()
        if verdict.outcome is not Outcome.WAIT:
            return verdict
    raise AssertionError(f"no decision in {limit} looks: {state.verdict().reason}")


def metric(verdict: Verdict, service: str, name: str) -> MetricVerdict:
    return next(m for m in verdict.metrics if (m.service, m.metric) == (service, name))


def test_no_traffic_is_no_health() -> None:
    state = comparison()
    for _ in range(100):
        state.observe(Look(5.0, {name: Versions() for name in SERVICES}))
    verdict = state.verdict()
    assert verdict.outcome is Outcome.WAIT
    assert verdict.missing is not None
    assert 200 < verdict.missing < 1000
    assert verdict.missing_seconds is None
    assert (
        f"no sign of health; about {verdict.missing} canary requests are missing" in verdict.reason
    )
    assert all(m.canary is m.stable is m.lower is m.upper is None for m in verdict.metrics)


def test_a_canary_without_requests_waits_however_much_the_stable_version_gets() -> None:
    state = comparison()
    for _ in range(100):
        state.observe(look(canary=0, stable=1000))
    verdict = state.verdict()
    assert verdict.outcome is Outcome.WAIT
    # What the stable version's p95 is has been learned meanwhile; all else is still missing.
    unseen = comparison().verdict().missing
    assert verdict.missing is not None
    assert unseen is not None
    assert 0.9 * unseen < verdict.missing <= unseen


def test_nothing_wrong_advances_within_two_minutes_at_50_requests_per_second() -> None:
    state = comparison()
    verdict = until_decided(state, look())
    assert verdict.outcome is Outcome.ADVANCE
    assert state.seconds <= 120
    assert verdict.reason == "all 4 metrics are shown to be below their margins"
    assert (verdict.missing, verdict.missing_seconds) == (0, 0.0)
    assert {m.outcome for m in verdict.metrics} == {Outcome.ADVANCE}
    assert all(m.upper is not None and m.upper <= m.margin for m in verdict.metrics)


def test_a_canary_that_fails_every_second_request_goes_within_100_canary_requests() -> None:
    state = comparison()
    verdict = until_decided(state, look(canary=10, stable=90, failures=5))
    assert verdict.outcome is Outcome.ROLL_BACK
    assert state.services["app"].step.canary <= 100
    assert verdict.reason.startswith("app failures: canary 50%, stable 0%; shown to be worse")
    assert metric(verdict, "app", "failures").outcome is Outcome.ROLL_BACK
    assert metric(verdict, "model-service", "failures").outcome is Outcome.WAIT


def test_a_canary_that_takes_twice_as_long_goes() -> None:
    verdict = until_decided(comparison(), look(slowdown=2.0))
    assert verdict.outcome is Outcome.ROLL_BACK
    assert verdict.reason.startswith("app p95 latency: canary ")
    assert "now by ×1.9" in verdict.reason


def test_worse_but_within_the_margin_is_no_reason_to_roll_back() -> None:
    state = comparison(failure_margin=0.2)
    verdict = until_decided(state, look(canary=100, stable=900, failures=5))
    assert verdict.outcome is Outcome.ADVANCE
    failures = metric(verdict, "app", "failures")
    assert failures.lower is not None
    assert failures.lower > 0


def test_a_step_has_its_minimum_and_keeps_what_was_learned() -> None:
    state = comparison(minimum_requests=60)
    assert until_decided(state, look()).outcome is Outcome.ADVANCE
    state.begin_step(25)
    waiting = state.verdict()
    assert waiting.outcome is Outcome.WAIT
    assert waiting.missing == 60
    assert waiting.reason == "app had 0 canary requests in this step; expected at least 60"
    state.observe(look(canary=50, stable=150))
    assert state.verdict().outcome is Outcome.WAIT
    assert state.verdict().missing == 10
    assert state.verdict().missing_seconds == pytest.approx(1.0)
    state.observe(look(canary=50, stable=150))
    assert state.verdict().outcome is Outcome.ADVANCE


def test_a_hold_keeps_a_service_from_advancing_but_not_from_rolling_back() -> None:
    state = comparison()
    until_decided(state, look())
    held = state.verdict({"model-service": "12% of its canary requests were overrides"})
    assert held.outcome is Outcome.WAIT
    assert held.reason == "model-service can't advance: 12% of its canary requests were overrides"
    while state.verdict().outcome is not Outcome.ROLL_BACK:
        state.observe(look(failures=20))
    assert state.verdict({"model-service": "held"}).outcome is Outcome.ROLL_BACK


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"maximum_seconds": 60}, "no decision within the longest wait of 60 s; app p95 lat"),
        ({"maximum_requests": 200}, "no decision within 200 canary requests of a step; app p95"),
    ],
)
def test_a_wait_ends(settings: dict[str, Any], said: str) -> None:
    state = comparison(**settings)
    near_margin = look(slowdown=1.45)
    for _ in range(7):
        state.observe(near_margin)
        assert not state.verdict().exhausted
    for _ in range(5):
        state.observe(near_margin)
    verdict = state.verdict()
    assert verdict.outcome is Outcome.WAIT
    assert verdict.exhausted
    assert verdict.reason.startswith(said)
    state.begin_step(25)
    assert not state.verdict().exhausted


def test_another_machine_decides_the_same_from_the_state() -> None:
    looks = [look(failures=n % 3, canary=20 + n, slowdown=1 + n / 40) for n in range(12)]
    state = comparison()
    for each in looks[:5]:
        state.observe(each)
    text = json.dumps(state.as_dict(), separators=(",", ":"))
    # Two services with all edges; the ConfigMap holds 256 KiB of everything.
    assert len(text) < 64 * 1024
    other = Comparison.from_dict(json.loads(text))
    assert other.verdict() == state.verdict()
    other.begin_step(25)
    state.begin_step(25)
    for each in looks[5:]:
        other.observe(each)
        state.observe(each)
        assert other.verdict() == state.verdict()
    assert other.as_dict() == state.as_dict()


def test_the_state_does_not_grow() -> None:
    state = comparison()
    sizes = []
    for _ in range(3):
        for _ in range(30):
            state.observe(look(failures=1))
        sizes.append(len(json.dumps(state.as_dict())))
    assert max(sizes) < 1.1 * min(sizes)


def test_a_state_of_another_format_is_refused() -> None:
    block = comparison().as_dict() | {"format": 99}
    with pytest.raises(ValueError, match="the evidence: got format 99; expected 2"):
        Comparison.from_dict(block)


def test_a_verdict_is_json() -> None:
    state = comparison()
    state.observe(look())
    block = json.loads(json.dumps(state.verdict().as_dict(), allow_nan=False))
    assert block["outcome"] == "wait"
    assert len(block["metrics"]) == 4
    assert block["metrics"][0]["goal_worse"] == pytest.approx(2.602, abs=0.001)
    assert block["metrics"][0]["goal_within"] == pytest.approx(2.0)


def test_failures_that_began_in_an_earlier_look_are_requests_too() -> None:
    state = comparison()
    broken = Versions(Tally(2, 5), Tally(90, 0))
    state.observe(Look(5.0, {"app": broken, "model-service": Versions()}))
    assert metric(state.verdict(), "app", "failures").canary == 1.0


def test_unknown_services_and_histograms_of_another_size_are_refused() -> None:
    state = comparison()
    with pytest.raises(
        ValueError, match="got the service 'db'; expected one of app, model-service"
    ):
        state.observe(Look(5.0, {"db": Versions()}))
    with pytest.raises(ValueError, match="histogram: got 2 counts; expected 82"):
        state.observe(Look(5.0, {"app": Versions(Tally(1, 0, (1, 0)))}))
    with pytest.raises(ValueError, match="expected rising positive milliseconds"):
        Comparison(Settings(), [1.0, 1.0], SERVICES)
