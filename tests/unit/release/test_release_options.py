# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.release import (
    live,
    objects,
    planning,
    spec,
)
from ansible_collections.roost.cluster.plugins.module_utils.release.live import Live
from ansible_collections.roost.cluster.plugins.module_utils.release.model import (
    Canary,
    Mirror,
    Notify,
    Override,
    RateLimit,
    Retries,
)
from ansible_collections.roost.cluster.plugins.module_utils.release.rollout_settings import Settings
from ansible_collections.roost.cluster.plugins.module_utils.release.three_way import merge
from release_samples import block, release, resolved
from release_world import CONTEXT, World

HOOK = "https://hooks.example/secret"


def problems(**changes: Any) -> list[str]:
    return [str(problem) for problem in spec.check(block(**changes))]


def test_options_have_defaults() -> None:
    found = release()
    assert found.rollout == Settings()
    assert (found.notify, found.override, found.mirror, found.rate_limit) == (None,) * 4
    assert found.sticky is False
    assert found.entry.retries is found.entry.timeout_seconds is None


def test_how_rollouts_are_decided_is_part_of_a_release() -> None:
    assert release(rollout={"steps": [50, 100]}).rollout == Settings(steps=(50, 100))
    assert "release.rollout.alpha: got 2; expected" in problems(rollout={"alpha": 2})[0]


# Notifications.


def test_who_is_notified() -> None:
    assert release(notify={"url": HOOK}).notify == Notify(HOOK)
    everything = {"url": "http://h:81", "attempts": 1, "timeout_seconds": 9}
    assert release(notify=everything).notify == Notify("http://h:81", 1, 9)


@pytest.mark.parametrize(
    ("notify", "expected"),
    [
        ([], "release.notify: got []; expected a mapping, at least {url}"),
        ({}, "release.notify.url: missing; expected the key url"),
        ({"url": "hooks.example"}, "expected an address that begins with http:// or https://"),
        ({"url": "https://"}, "expected an address that begins with http:// or https://"),
        ({"url": "http://a:b/"}, "expected an address that begins with http:// or https://"),
        (
            {"url": HOOK, "attempts": 0},
            "release.notify.attempts: got 0; expected an integer from 1",
        ),
        ({"url": HOOK, "retries": 2}, "release.notify.retries: got 2; expected one of the keys"),
    ],
)
def test_wrong_notifications_are_refused(notify: Any, expected: str) -> None:
    (problem,) = problems(notify=notify)
    assert expected in problem


def test_the_address_that_is_notified_is_never_written_down() -> None:
    assert "ftp" not in str(problems(notify={"url": "ftp://hooks.example"}))
    file = resolved(notify={"url": HOOK})
    plan = planning.plan(file, World(), CONTEXT)
    assert HOOK not in str(plan.rendered())
    assert HOOK not in str(plan.diff())
    (route,) = plan.steps[-1].stage.objects
    assert live.record_of(route) == resolved()
    assert HOOK not in str(objects.derive(plan.release, CONTEXT, file))
    assert plan.release.notify == Notify(HOOK)


# Routing.

EVERYTHING: dict[str, Any] = {
    "sticky": True,
    "override": {"header": "x-release"},
    "mirror": {"version": "v3", "percent": 20},
    "rate_limit": {"requests_per_second": 50, "burst": 80},
}


def patient(**settings: Any) -> dict[str, Any]:
    """Services of which the entry has these settings."""
    services = block()["services"]
    services["app"] |= settings
    return {"services": services}


def test_options_that_are_given() -> None:
    found = release(**EVERYTHING)
    assert found.sticky is True
    assert found.override == Override("x-release")
    assert found.mirror == Mirror("v3", 20)
    assert found.rate_limit == RateLimit(50, 80)
    assert release(mirror={"version": "v3"}).mirror == Mirror("v3", 100)
    assert release(rate_limit={"requests_per_second": 9}).rate_limit == RateLimit(9, 9)
    hop = release(**patient(timeout_seconds=2, retries={"attempts": 1})).entry
    assert (hop.timeout_seconds, hop.retries) == (2.0, Retries(1))


def test_a_release_can_be_written_down_and_read_again() -> None:
    retries = {"attempts": 2, "on": ["5xx"], "timeout_seconds": 0.5}
    for changes in ({}, {**EVERYTHING, **patient(timeout_seconds=2, retries=retries)}):
        found = release(**changes)
        assert spec.read(found.as_block()) == (found, [])


@pytest.mark.parametrize(
    ("changes", "key", "expected"),
    [
        ({"sticky": "yes"}, "sticky", "true or false"),
        ({"sticky": {"consistentHash": {}}}, "sticky", "true or false"),
        ({"override": True}, "override", "a mapping {header}"),
        ({"override": {}}, "override.header", "the key header"),
        ({"override": {"header": "X-Release"}}, "override.header", "in lower-case letters"),
        ({"override": {"header": "cookie"}}, "override.header", "a header of its own"),
        ({"override": {"header": "x", "value": "y"}}, "override.value", "one of the keys header"),
        ({"mirror": "v3"}, "mirror", "a mapping {version, percent}"),
        ({"mirror": {"version": "v9"}}, "mirror.version", "one of the versions v1, v2, v3"),
        ({"mirror": {"version": "v1"}}, "mirror.version", "another version than stable and"),
        ({"mirror": {"version": "v2"}}, "mirror.version", "another version than stable and"),
        ({"mirror": {"version": "v3", "percent": 0}}, "mirror.percent", "an integer from 1 to 100"),
        ({"mirror": {"version": "v3", "percent": 2.5}}, "mirror.percent", "an integer from 1"),
        ({"rate_limit": 50}, "rate_limit", "a mapping {requests_per_second, burst}"),
        ({"rate_limit": {"burst": 5}}, "rate_limit.requests_per_second", "the key requests_per"),
        (
            {"rate_limit": {"requests_per_second": 9, "burst": 5}},
            "rate_limit.burst",
            "an integer from 9",
        ),
        (patient(timeout_seconds=0), "services.app.timeout_seconds", "a number from 0.01 to 3600"),
        (patient(timeout_seconds="5"), "services.app.timeout_seconds", "write it without quotes"),
        (patient(timeout=5), "services.app.timeout", "did you mean timeout_seconds?"),
        (patient(retries=3), "services.app.retries", "a mapping {attempts, on, timeout_seconds}"),
        (patient(retries={}), "services.app.retries.attempts", "the key attempts"),
        (patient(retries={"attempts": 11}), "services.app.retries.attempts", "from 0 to 10"),
        (
            patient(retries={"attempts": 1, "on": "5xx"}),
            "services.app.retries.on",
            "a list of 5xx, connect-failure",
        ),
        (
            patient(retries={"attempts": 1, "on": ["4xx"]}),
            "services.app.retries.on",
            "repeat writes as well",
        ),
        (
            patient(timeout_seconds=1, retries={"attempts": 1, "timeout_seconds": 2}),
            "services.app.retries.timeout_seconds",
            "at most the 1 seconds of the whole request",
        ),
        (
            {"versions": {**block()["versions"], "v3-mirror": block()["versions"]["v3"]}},
            "versions.v3-mirror",
            "a name that doesn't end in -override or -mirror",
        ),
    ],
)
def test_what_is_refused(changes: dict[str, Any], key: str, expected: str) -> None:
    (problem,) = spec.check(block(**changes))
    assert problem.key == key
    assert expected in str(problem)


def test_consistent_hashing_is_refused_by_its_name() -> None:
    (problem,) = problems(consistentHash={"httpCookie": {}})
    assert "release.consistentHash: got" in problem
    assert "Envoy draws the version at random first" in problem


def test_a_shadow_that_became_the_canary_on_the_cluster_gets_no_copies() -> None:
    file = resolved(mirror={"version": "v3"})
    images = {"v3": file["versions"]["v3"], "v1": file["versions"]["v1"]}
    merged = merge(file, file, Live("v1", Canary("v3", 25), images))
    assert "mirror" not in merged.block
    assert any("no copies go to v3, for users have it now" in note for note in merged.notes)
    assert file["mirror"] == {"version": "v3"}


@pytest.mark.parametrize(("length", "count"), [(54, 0), (55, 1)])
def test_a_version_leaves_room_for_the_names_beside_it(length: int, count: int) -> None:
    versions = {**block()["versions"], "v" * length: block()["versions"]["v3"]}
    services = {"app": {"port": 8080, "entry": True}}
    only_app = {version: {"app": pair["app"]} for version, pair in versions.items()}
    assert len(problems(versions=only_app, services=services)) == count
