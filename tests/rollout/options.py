# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A release with all options, and what is asked of it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.api.client import KubernetesClient
from ansible_collections.roost.cluster.plugins.module_utils.verify import counters, target

from tests import jars
from tests.e2e.conftest import URL
from tests.pods import Answer, get
from tests.rollout.conftest import file

COOKIE = "roost-digits"
DEVIATIONS = 4
TIMEOUT = 1.5
HEALTH = f"{URL}/healthz"


def described(**changes: Any) -> dict[str, Any]:
    """The shipped release, with some of its keys in another way; None removes."""
    block = file()
    block["versions"]["v3"] = {
        service: image.replace(":v1", ":v3") for service, image in block["versions"]["v1"].items()
    }
    block["services"]["app"] |= {
        "timeout_seconds": TIMEOUT,
        "retries": {"attempts": 3, "on": ["5xx"]},
    }
    block |= {
        "sticky": True,
        "override": {"header": "x-release"},
        "mirror": {"version": "v3"},
        **changes,
    }
    return {key: value for key, value in block.items() if value is not None}


def at(weight: int) -> dict[str, Any]:
    return {"canary": {"version": "v2", "weight": weight}}


def version(answer: Answer) -> str:
    assert answer.status == 200, answer.body
    return answer.headers["x-app-version"]


def asking_for(wanted: str) -> Answer:
    headers: dict[str, Any] = {"x-release": wanted}
    return get(HEALTH, **headers)


def eventually(look: Callable[[], Any], expected: Any, seconds: float) -> None:
    until = time.monotonic() + seconds
    while (seen := look()) != expected and time.monotonic() < until:
        time.sleep(0.5)  # proxies learn of it at some time
    assert seen == expected, f"still not after {seconds:g} s"


def no_flips(answers: list[list[str]]) -> None:
    assert [seen for seen in answers if len(set(seen)) != 1] == []


def has_share(users: list[jars.Jar], percent: int) -> None:
    share = percent / 100
    tolerance = DEVIATIONS * math.sqrt(share * (1 - share) / len(users))
    found = sum(jar.now == "v2" for jar in users) / len(users)
    assert abs(found - share) < tolerance, f"{found} of the users have the canary"


def counted(client: KubernetesClient) -> counters.Reading:
    return counters.read(client, "istio-system", "istio=ingressgateway")


def by_subset(
    client: KubernetesClient, before: counters.Reading
) -> tuple[dict[str, Any], counters.CounterEvidence]:
    """What the gateways counted since then: of each subset, and as a check of the split sees it."""
    grown = counters.difference(before, counted(client))
    wanted = target.target(described(**at(10)))
    evidence = counters.evidence(grown, counters.Difference(), wanted)
    return grown.merged("app", "digits"), evidence
