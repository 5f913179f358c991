# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.release import names, progress
from ansible_collections.roost.cluster.plugins.module_utils.release.model import (
    Canary,
    Progress,
    Release,
)
from release_browsers import Browser, first, rules, shares
from release_samples import release

ROLLOUT = "aaaaaaaa"
STEPS = (5, 10, 25, 50, 75, 100)


def at(*weights: int, **changes: Any) -> Release:
    """A sticky release whose canary has come so far."""
    base = release(sticky=True, **changes)
    return replace(base, canary=Canary("v2", weights[-1]), progress=Progress(ROLLOUT, weights))


def cookie(value: str) -> dict[str, str]:
    return {"cookie": f"roost-digits={value}"}


# Which rule holds.


def test_without_options_there_is_only_the_draw() -> None:
    assert [rule["name"] for rule in rules(release())] == ["weights"]
    assert shares(rules(release())[0]) == {"v1": 0.9, "v2": 0.1}
    # With cookies off a rollout leaves no trace in the rules.
    walking = replace(release(), progress=Progress(ROLLOUT, (5, 10)), ended=("bbbbbbbb",))
    assert rules(walking) == rules(release())


def test_the_first_rule_is_the_header_then_the_cookies_then_the_draw() -> None:
    found = at(5, 10, override={"header": "x-release"})
    found = replace(found, ended=("bbbbbbbb", "cccccccc"))
    assert [rule["name"] for rule in rules(found)] == [
        "override-v1",
        "override-v2",
        "expired-cccccccc-2",
        "sticky-aaaaaaaa-canary",
        "sticky-aaaaaaaa-1-stable",
        "sticky-aaaaaaaa-1-from-5",
        "weights",
    ]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, {"v1": 0.75, "v2": 0.25}),
        (cookie("v2.aaaaaaaa.0"), {"v2": 1}),
        (cookie("v2.aaaaaaaa.2"), {"v2": 1}),
        (cookie("v1.aaaaaaaa.2"), {"v1": 1}),
        # (25 - 5) / 95 and (25 - 10) / 90
        (cookie("v1.aaaaaaaa.0"), {"v1": 75 / 95, "v2": 20 / 95}),
        (cookie("v1.aaaaaaaa.1"), {"v1": 75 / 90, "v2": 15 / 90}),
        # Of another rollout, of another release, forged, or no cookie of ours.
        (cookie("v2.bbbbbbbb.0"), {"v1": 0.75, "v2": 0.25}),
        (cookie("v1.aaaaaaaa.7"), {"v1": 0.75, "v2": 0.25}),
        (cookie("v2.aaaaaaaa.2x"), {"v1": 0.75, "v2": 0.25}),
        ({"cookie": "xroost-digits=v2.aaaaaaaa.0"}, {"v1": 0.75, "v2": 0.25}),
        ({"cookie": "roost-other=v2.aaaaaaaa.0"}, {"v1": 0.75, "v2": 0.25}),
        # Among others.
        ({"cookie": "a=b; roost-digits=v2.aaaaaaaa.0; c=d"}, {"v2": 1}),
        ({"cookie": "a=b;roost-digits=v1.aaaaaaaa.2 ;c"}, {"v1": 1}),
    ],
)
def test_what_a_cookie_leads_to(headers: dict[str, str], expected: dict[str, float]) -> None:
    assert shares(first(at(5, 10, 25), headers)) == pytest.approx(expected)


def test_a_draw_sets_the_cookie_of_the_step_and_nothing_else_does() -> None:
    found = at(5, 10, 25)
    for headers in ({}, cookie("v1.aaaaaaaa.0")):
        added = [item["headers"]["response"]["add"] for item in first(found, headers)["route"]]
        assert [each["set-cookie"].split(";")[0] for each in added] == [
            "roost-digits=v1.aaaaaaaa.2",
            "roost-digits=v2.aaaaaaaa.2",
        ]
    for value in ("v2.aaaaaaaa.0", "v1.aaaaaaaa.2"):
        assert "headers" not in str(first(found, cookie(value))["route"])
    # Set would take the place of the application's own cookies.
    assert "'set'" not in str(rules(found))


def test_a_weight_that_went_down_draws_nobody_again() -> None:
    found = at(25, 5, 10)
    assert shares(first(found, cookie("v1.aaaaaaaa.0"))) == {"v1": 1}
    assert shares(first(found, cookie("v1.aaaaaaaa.1"))) == pytest.approx(
        {"v1": 90 / 95, "v2": 5 / 95}
    )
    assert shares(first(found, cookie("v2.aaaaaaaa.0"))) == {"v2": 1}


def test_a_weight_that_comes_again_keeps_those_who_were_drawn_at_it() -> None:
    found = at(5, 10, 5)
    for step in (0, 1, 2):
        assert shares(first(found, cookie(f"v1.aaaaaaaa.{step}"))) == {"v1": 1}


def test_names_tell_one_step_from_another() -> None:
    """Proxies are asked for the names of their rules alone."""
    seen = [
        tuple(rule["name"] for rule in rules(found))
        for found in (at(5), at(5, 10), at(5, 10, 5), at(5, 10, 25))
    ]
    assert len(set(seen)) == len(seen)


# Users, over a whole rollout.


@pytest.mark.parametrize("seed", range(3))
def test_users_move_to_the_canary_only_when_the_weight_rises(seed: int) -> None:
    chance = random.Random(seed)
    browsers = [Browser(chance, "session=abc") for _ in range(300)]
    had = ["v1"] * len(browsers)
    for step in range(len(STEPS)):
        found = rules(at(*STEPS[: step + 1]))
        for index, browser in enumerate(browsers):
            # Some come at every step, some miss steps, and some only come later.
            if (index + step) % 3 == 0 and STEPS[step] != 100:
                continue
            answers = {browser.ask(found) for _ in range(20)}
            assert len(answers) == 1, "flipped within a step"
            (now,) = answers
            assert (had[index], now) != ("v2", "v1")
            had[index] = now
    assert set(had) == {"v2"}


def test_the_share_of_users_is_the_weight_at_each_step() -> None:
    chance = random.Random(7)
    browsers = [Browser(chance) for _ in range(9_000)]
    for step, weight in enumerate(STEPS):
        found = rules(at(*STEPS[: step + 1]))
        asking = [browser for index, browser in enumerate(browsers) if (index + step) % 3]
        share = sum(browser.ask(found) == "v2" for browser in asking) / len(asking)
        # Five standard deviations of some 6,000 users.
        assert share == pytest.approx(weight / 100, abs=5 * 0.5 / len(asking) ** 0.5)


def test_after_a_rollback_old_cookies_lead_to_stable_and_expire() -> None:
    chance = random.Random(1)
    browsers = [Browser(chance) for _ in range(300)]
    for browser in browsers:
        browser.ask(rules(at(50)))
    course = progress.Course(Progress(ROLLOUT, (50,))).rolled_back()
    back = rules(replace(release(sticky=True, canary=None), ended=course.ended))
    for browser in browsers:
        assert browser.cookie
        assert browser.ask(back) == "v1"
        assert browser.cookie is None
    # The next canary's users are drawn as if there had been no other.
    again = replace(at(30), progress=Progress("bbbbbbbb", (30,)), ended=course.ended)
    seen = Counter(browser.ask(rules(again)) for browser in browsers)
    assert 50 < seen["v2"] < 130


def test_an_old_cookie_that_comes_late_expires_in_the_next_rollout() -> None:
    browser = Browser(random.Random(1))
    browser.cookie = "v2.aaaaaaaa.3"
    found = replace(at(30), progress=Progress("bbbbbbbb", (30,)), ended=("aaaaaaaa",))
    assert browser.ask(rules(found)) == "v1"
    assert browser.cookie is None


# Header.


def test_a_header_gets_a_version_under_a_name_that_does_not_count() -> None:
    found = at(5, 10, override={"header": "x-release"})
    for value in ("v1.aaaaaaaa.1", "v2.aaaaaaaa.1"):
        asked = {**cookie(value), "x-release": "v2"}
        assert shares(first(found, asked)) == {"v2-override": 1}
    assert shares(first(found, {"x-release": "v1"})) == {"v1-override": 1}
    assert shares(first(found, {"x-release": "v9"})) == {"v1": 0.9, "v2": 0.1}
    assert not names.is_drawn("v2-override") and names.version_of("v2-override") == "v2"


def test_after_a_rollback_the_header_is_served_by_stable() -> None:
    found = release(canary=None, override={"header": "x-release"})
    assert shares(first(found, {"x-release": "v2"})) == {"v1": 1}


# Copies.


def test_only_reads_are_copied_and_the_rules_are_the_same_for_both() -> None:
    found = at(5, 10, mirror={"version": "v3", "percent": 20}, override={"header": "x-release"})
    for headers in ({}, cookie("v1.aaaaaaaa.0"), cookie("v1.aaaaaaaa.1")):
        written = first(found, headers, "POST")
        assert "mirrors" not in written
        for method in ("GET", "HEAD"):
            read = first(found, headers, method)
            (mirror,) = read["mirrors"]
            assert mirror["destination"]["subset"] == "v3-mirror"
            assert mirror["percentage"] == {"value": 20}
            assert read["route"] == written["route"]
            assert read["name"] == written["name"] + "-reads"
    # What the canary's users and testers ask is no traffic of the stable version.
    for headers in (cookie("v2.aaaaaaaa.0"), {"x-release": "v2"}):
        assert "mirrors" not in first(found, headers)


def test_a_shadow_that_a_rollout_makes_the_canary_gets_no_copies() -> None:
    found = replace(at(5, mirror={"version": "v3"}), canary=Canary("v3", 5))
    assert found.deployed == ("v1", "v3")
    assert found.subsets("app", "v3") == ("v3",)
    assert "mirrors" not in str(rules(found))


# Time and retries.


def test_every_rule_has_the_patience_of_the_service_that_it_leads_to() -> None:
    services = {
        "app": {
            "port": 8080,
            "entry": True,
            "timeout_seconds": 2.5,
            "retries": {"attempts": 3, "on": ["5xx", "reset"], "timeout_seconds": 1},
        },
        "model-service": {"port": 8080, "retries": {"attempts": 0}},
    }
    for rule in rules(at(5, 10, services=services, mirror={"version": "v3"})):
        assert rule["timeout"] == "2.5s"
        assert rule["retries"] == {
            "attempts": 3,
            "retryOn": "5xx,reset",
            "perTryTimeout": "1s",
        }
