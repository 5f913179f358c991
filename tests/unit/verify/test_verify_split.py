# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.traffic.summary import Failure, Summary
from ansible_collections.roost.cluster.plugins.module_utils.verify.counters import CounterEvidence
from ansible_collections.roost.cluster.plugins.module_utils.verify.split import (
    Bar,
    Verdict,
    judge,
)
from ansible_collections.roost.cluster.plugins.module_utils.verify.target import Target, target

from tests.unit.traffic.fake_app import release

WANTED = target(release())
BY_COUNTERS = target(release(verify={"path": "/"}))
FULL = Bar(confidence=0.999, requests=5000, full=True)
SHORT = replace(FULL, full=False)


def summary(**changes: Any) -> Summary:
    settings: dict[str, Any] = {
        "requests": 5000,
        "seconds": 50.0,
        "versions": {"v1": 4480, "v2": 520},
        "pairs": {"v1": {"v1": 4480}, "v2": {"v2": 520}},
        "failures": {},
        "latency": {"p50": 10.0},
        "latency_by_version": {},
        **changes,
    }
    return Summary(**settings)


def counted(**changes: Any) -> CounterEvidence:
    settings: dict[str, Any] = {
        "versions": {"v1": 4480, "v2": 520},
        "failures": {"v1": 0, "v2": 0},
        "pairs": {"v1": {"v1": 4480}, "v2": {"v2": 520}},
        "vanished": 0,
        **changes,
    }
    return CounterEvidence(**settings)


def broken(verdict: Verdict) -> list[str]:
    return [item["name"] for item in verdict.promises if not item["ok"]]


def test_a_sound_release_breaks_no_promise() -> None:
    verdict = judge(WANTED, summary(), None, FULL)
    assert broken(verdict) == []
    names = [item["name"] for item in verdict.promises]
    assert names == ["split", "requests", "versions", "pairing", "errors"]
    assert (verdict.hits, verdict.trials, verdict.split_source) == (520, 5000, "response headers")


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"versions": {"v1": 4000, "v2": 1000}}, "split"),
        ({"versions": {"v1": 5000}}, "split"),
        ({"requests": 4999}, "requests"),
        ({"versions": {"v1": 4479, "v2": 520, "v3": 1}}, "versions"),
        ({"pairs": {"v1": {"v1": 4479, "v2": 1}, "v2": {"v2": 520}}}, "pairing"),
        ({"pairs": {}}, "pairing"),
        ({"failures": {"HTTP 503": Failure(1, "GET …: HTTP 503")}}, "errors"),
    ],
)
def test_each_full_promise_can_fail(changes: dict[str, Any], name: str) -> None:
    verdict = judge(WANTED, summary(**changes), None, FULL)
    assert broken(verdict) == [name]
    (item,) = (item for item in verdict.promises if item["name"] == name)
    assert item["expected"] and item["found"] and item["advice"]


def test_in_short_only_the_interval_fails_and_the_rest_is_noted() -> None:
    bad = summary(
        requests=400,
        versions={"v1": 360, "v2": 40},
        pairs={"v1": {"v1": 359, "v2": 1}, "v2": {"v2": 40}},
        failures={"timeout": Failure(2, "t")},
    )
    verdict = judge(WANTED, bad, None, SHORT)
    assert broken(verdict) == []
    assert [note.split(":")[1].strip() for note in verdict.notes] == ["pairing", "errors"]
    verdict = judge(WANTED, replace(bad, versions={"v1": 300, "v2": 100}), None, SHORT)
    assert broken(verdict) == ["split"]


@pytest.mark.parametrize("weight_0", [True, False], ids=["weight 0", "no canary"])
def test_a_share_of_zero_is_exact(weight_0: bool) -> None:
    canary = {"version": "v2", "weight": 0} if weight_0 else None
    wanted = target(release(canary=canary))
    clean = {"versions": {"v1": 5000}, "pairs": {"v1": {"v1": 5000}}}
    assert broken(judge(wanted, summary(**clean), None, FULL)) == []
    one = summary(versions={"v1": 4999, "v2": 1}, pairs={"v1": {"v1": 4999}, "v2": {"v2": 1}})
    assert "split" in broken(judge(wanted, one, None, SHORT))


@pytest.mark.parametrize("bar", [FULL, SHORT])
def test_no_answer_at_all_is_no_success(bar: Bar) -> None:
    silent = summary(versions={}, pairs={}, failures={"timeout": Failure(5000, "t")})
    assert "split" in broken(judge(WANTED, silent, None, bar))


def test_counters_take_the_place_of_headers() -> None:
    blind = summary(versions={}, pairs={})
    verdict = judge(BY_COUNTERS, blind, counted(), FULL)
    assert broken(verdict) == []
    assert (verdict.hits, verdict.trials) == (520, 5000)
    assert (verdict.split_source, verdict.pairs_source) == ("proxy counters", "proxy counters")


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"versions": {"v1": 4000, "v2": 1000}}, ["split"]),
        ({"versions": {}}, ["split", "counters"]),
        ({"versions": {"v1": 4479, "v2": 520, "": 1}}, ["versions"]),
        ({"pairs": {"v1": {"v1": 4479, "v2": 1}}}, ["pairing"]),
        ({"pairs": {"v1": {"v1": 4479, "no subset": 1}}}, ["pairing"]),
        ({"vanished": 1}, ["counters"]),
        ({"versions": {"v1": 3584, "v2": 416}}, ["counters"]),
    ],
)
def test_each_promise_on_counters_can_fail(changes: dict[str, Any], names: list[str]) -> None:
    blind = summary(versions={}, pairs={})
    assert broken(judge(BY_COUNTERS, blind, counted(**changes), FULL)) == names


def test_without_a_canary_any_other_subset_is_a_hit() -> None:
    wanted: Target = replace(BY_COUNTERS, canary=None, weight=0)
    blind = summary(versions={}, pairs={})
    seen = counted(versions={"v1": 4999, "v2": 1})
    assert "split" in broken(judge(wanted, blind, seen, SHORT))


def test_the_lines_say_share_interval_source_and_quantiles() -> None:
    text = "\n".join(judge(WANTED, summary(), None, FULL).lines)
    for part in ("520 of 5000 = 10.40%", "99.9% interval 9.0", "wanted 10%", "the file", "p50 10"):
        assert part in text
