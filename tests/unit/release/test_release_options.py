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
from ansible_collections.roost.cluster.plugins.module_utils.release.model import Notify
from ansible_collections.roost.cluster.plugins.module_utils.release.rollout_settings import Settings
from release_samples import block, release, resolved
from release_world import CONTEXT, World

HOOK = "https://hooks.example/secret"


def problems(**changes: Any) -> list[str]:
    return [str(problem) for problem in spec.check(block(**changes))]


def test_options_have_defaults() -> None:
    found = release()
    assert found.rollout == Settings()
    assert found.notify is None


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
