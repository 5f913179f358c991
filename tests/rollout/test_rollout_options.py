# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of a release, under real requests: a canary with all of them comes, rises and goes.

Each test applies what it needs, so that it also works by itself; where the one before it has left
just that, nothing is done.
"""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.request import Request, urlopen

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.api.client import KubernetesClient
from ansible_collections.roost.cluster.plugins.module_utils.release.envoy_filters import Fault

from tests import jars
from tests.command import REPOSITORY, Ran
from tests.e2e.conftest import SETTINGS, URL
from tests.pods import Answer, get
from tests.rollout.conftest import as_the_file_says, broken, playbook
from tests.rollout.options import (
    COOKIE,
    HEALTH,
    TIMEOUT,
    asking_for,
    at,
    by_subset,
    counted,
    described,
    eventually,
    has_share,
    no_flips,
    version,
)

JARS, TIMES = 1000, 20
Apply = Callable[..., Any]


@pytest.fixture(scope="module")
def apply(cluster: None) -> Iterator[Apply]:
    """Applies the release as described, unless that was done last; in the end the shipped one is
    back."""
    last = ""

    def bring(again: bool = False, **changes: Any) -> Ran | None:
        nonlocal last
        block = described(**changes)
        if json.dumps(block) == last and not again:
            return None
        last = json.dumps(block)
        ran = playbook("release", release=block)
        assert ran.code == 0, ran.output
        return ran

    try:
        as_the_file_says()
        yield bring
    finally:
        as_the_file_says()


@pytest.fixture(scope="module")
def client(cluster: None) -> KubernetesClient:
    return KubernetesClient(str(REPOSITORY / ".roost" / SETTINGS["ROOST_CLUSTER"] / "kubeconfig"))


@pytest.fixture(scope="module")
def users() -> list[jars.Jar]:
    return [jars.Jar({"session": "of-the-application"}) for _ in range(JARS)]


# -- The canary comes and rises -------------------------------------------------------------


def test_a_cookie_keeps_what_was_drawn(apply: Apply, users: list[jars.Jar]) -> None:
    apply(**at(10))
    no_flips(jars.ask(HEALTH, users, TIMES))
    has_share(users, 10)
    assert all(jar.cookies["session"] == "of-the-application" for jar in users)


def test_a_second_run_changes_nothing(apply: Apply) -> None:
    apply(**at(10))
    ran = apply(again=True, **at(10))
    assert {counts["changed"] for counts in ran.recap.values()} == {0}


def test_each_answer_to_a_new_user_has_the_cookie_of_what_was_drawn(apply: Apply) -> None:
    apply(**at(10))
    for _ in range(20):
        answer = get(HEALTH)
        assert answer.headers["set-cookie"].startswith(f"{COOKIE}={version(answer)}.")


def test_a_header_asks_for_a_version_and_does_not_count(
    apply: Apply, client: KubernetesClient
) -> None:
    apply(**at(10))
    before = counted(client)
    for wanted in ("v1", "v2"):
        seen = Counter(version(asking_for(wanted)) for _ in range(40))
        assert seen == {wanted: 40}
    subsets, evidence = by_subset(client, before)
    assert (subsets["v1-override"].answers, subsets["v2-override"].answers) == (40, 40)
    # Only what was drawn is left for the split; nobody else asks here.
    assert sum(evidence.versions.values()) == 0
    assert "v2-override" not in evidence.versions


def test_only_reads_are_copied_and_nobody_sees_the_shadow(
    apply: Apply,
    client: KubernetesClient,
) -> None:
    apply(**at(10))
    before = counted(client)
    seen = Counter(version(get(HEALTH)) for _ in range(60))
    assert set(seen) <= {"v1", "v2"}
    for _ in range(30):
        # No such call, which is all the same here: it is a write.
        request = Request(f"{URL}/api/nothing", data=b"{}", method="POST")
        with pytest.raises(OSError, match="40[45]"):
            urlopen(request, timeout=10)

    def copies() -> int:
        return int(by_subset(client, before)[0]["v3-mirror"].answers)

    # Copies are on their way when the answer is back.
    eventually(copies, 60, 10)
    _subsets, evidence = by_subset(client, before)
    assert sum(evidence.versions.values()) == 90
    assert {name for name, count in evidence.versions.items() if count} == {"v1", "v2"}


def test_a_raised_weight_moves_users_to_the_canary_and_none_back(
    apply: Apply, users: list[jars.Jar]
) -> None:
    had = {id(jar): jar.now for jar in users if jar.seen}
    assert had, "the test of the cookie before this one makes the users"
    apply(**at(40))
    no_flips(jars.ask(HEALTH, users, TIMES))
    assert [jar for jar in users if had[id(jar)] == "v2" and jar.now == "v1"] == []
    has_share(users, 40)
    # The header works in this step as well.
    assert version(asking_for("v2")) == "v2"


# -- Retries and time -----------------------------------------------------------------------


def on_the_canary(times: int) -> list[Answer]:
    with ThreadPoolExecutor(8) as pool:
        asked = pool.map(lambda _: asking_for("v2"), range(times))
        return list(asked)


def test_failed_attempts_are_repeated_and_each_of_them_is_counted(
    apply: Apply,
    client: KubernetesClient,
) -> None:
    apply(**at(40))
    with broken("v2", Fault(abort_percent=50)):
        # With three retries one request in sixteen fails, so that 40 show the fault by chance
        # but for 8%; the number of attempts shows it for certain.
        def attempts() -> bool:
            before = counted(client)
            on_the_canary(20)
            return bool(by_subset(client, before)[0]["v2-override"].attempts > 25)

        eventually(attempts, True, 30)
        before = counted(client)
        statuses = Counter(answer.status for answer in on_the_canary(200))
    counts = by_subset(client, before)[0]["v2-override"]
    assert counts.answers == 200
    # 200 requests at one half: 375 attempts are expected, 187.5 of which fail. Two pods have the
    # fault for certain only when both have been seen with it, so the bounds are wide.
    assert 300 < counts.attempts < 450
    assert counts.failures == counts.attempts - statuses[200]
    assert statuses[200] > 170
    # The stable version never had it.
    assert version(asking_for("v1")) == "v1"


def test_a_request_takes_no_longer_than_its_time(
    apply: Apply,
) -> None:
    apply(**at(40))

    def canary() -> int:
        return on_the_canary(1)[0].status

    eventually(canary, 200, 30)
    with broken("v2", Fault(delay_percent=100, delay_seconds=10)):
        # Of both of its pods, each of which learns of the fault by itself.
        eventually(lambda: {answer.status for answer in on_the_canary(16)}, {504}, 30)
        began = time.monotonic()
        assert canary() == 504
        assert TIMEOUT - 0.1 < time.monotonic() - began < TIMEOUT + 1
        assert version(asking_for("v1")) == "v1"
    eventually(canary, 200, 30)


# -- The canary goes ------------------------------------------------------------------------


def test_after_a_rollback_old_cookies_get_stable_and_expire(
    apply: Apply, users: list[jars.Jar]
) -> None:
    assert any(jar.now == "v2" for jar in users if jar.seen), "the tests before make the users"
    apply(canary=None)
    assert all(COOKIE in jar.cookies for jar in users)
    answers = jars.ask(HEALTH, users, 3)
    assert {seen for each in answers for seen in each} == {"v1"}
    assert [jar for jar in users if COOKIE in jar.cookies] == []
    assert all(jar.cookies["session"] == "of-the-application" for jar in users)


def test_after_a_rollback_the_header_is_served_by_stable(apply: Apply) -> None:
    apply(canary=None)
    seen = Counter(version(asking_for("v2")) for _ in range(30))
    assert seen == {"v1": 30}


# -- The rate -------------------------------------------------------------------------------


def test_what_exceeds_the_rate_is_turned_away_and_nothing_else(
    apply: Apply,
) -> None:
    gateways, rate = 2, 20
    apply(canary=None, rate_limit={"requests_per_second": rate, "burst": rate})

    def burst(requests: int) -> tuple[Counter[int], float]:
        began = time.monotonic()
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda _: get(HEALTH).status, range(requests)))
        return Counter(answers), time.monotonic() - began

    def turned_away() -> bool:
        return burst(100)[0][429] > 0

    eventually(turned_away, True, 30)
    statuses, seconds = burst(400)
    assert set(statuses) == {200, 429}
    assert statuses[200] <= gateways * rate * (1 + math.ceil(seconds))
    # Half of the rate of one gateway: whichever answers, nothing is turned away.
    time.sleep(1.5)  # the buckets fill
    for _ in range(40):
        assert get(HEALTH).status == 200
        time.sleep(2 / rate)
