# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.release.lease import Holder
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.counts import Subset
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout import status as statuses
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.screen import screen
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.status import (
    Status,
    quantile,
)
from rollout_site import Rollout, Site, desk, site


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> Site:
    """A release whose users go on while somebody waits for the second reading."""
    found = site()
    found.requests(500)
    monkeypatch.setattr(statuses.time, "sleep", lambda _seconds: found.requests(1000))
    return found


def looked(found: Site) -> Status:
    return statuses.status(desk(found), 10.0)


def test_only_what_happened_in_the_window_is_counted(busy: Site) -> None:
    found = looked(busy)
    stable, canary = (found.tally("app", version).attempts for version in ("v1", "v2"))
    assert stable + canary == 1000
    assert 60 < canary < 150
    assert found.pairs == {
        "v1": {Subset("model-service", "v1"): stable},
        "v2": {Subset("model-service", "v2"): canary},
    }


def test_the_screen_has_shares_rates_and_pairs(busy: Site) -> None:
    busy.failing["v2"] = 1.0
    text = "\n".join(screen(looked(busy)))
    assert "release digits in namespace digits: 1000 requests" in text
    assert "v2       canary  wanted 10%  measured" in text
    assert "99.9% interval" in text
    assert "roost.internal/digits-app:v2@sha256:" in text
    assert "(100.0%)" in text
    assert "pairs: 0 mixed of 1000 calls" in text
    assert "12 ms" in text
    assert "no rollout yet" in text


def test_a_mixed_pair_is_told(busy: Site) -> None:
    found = looked(busy)
    mixed: dict[str, Any] = {"v2": {Subset("model-service", "v1"): 7}}
    assert "pairs: 7 mixed of 7 calls" in screen(replace(found, pairs=mixed))


def test_without_requests_nothing_is_claimed() -> None:
    found = Status(site().live(), 10.0, {}, {})
    text = "\n".join(screen(found))
    assert "measured nothing, for there were no requests" in text


def test_a_rollout_is_told_with_its_last_looks_and_who_steers_it(
    busy: Site, no_forecast: None
) -> None:
    Rollout(busy, "v2").go()
    found = looked(busy)
    assert any("promoted" in line for line in screen(found))
    assert found.rollout
    going_on = replace(found, rollout=replace(found.rollout, outcome="running"))
    text = "\n".join(screen(going_on))
    assert "nobody steers it now" in text
    assert "50%  app " in text
    held = replace(going_on, holder=Holder("bob@lab", "s", "12:00", "12:01"))
    assert "steered by bob@lab since 12:00" in "\n".join(screen(held))


@pytest.mark.parametrize(
    ("share", "edge"), [(0.0, 1.0), (0.5, 2.0), (0.75, 2.0), (0.76, 3.0), (0.9, 3.0), (0.95, None)]
)
def test_a_quantile_is_the_edge_below_which_so_many_stayed(share: float, edge: float) -> None:
    assert quantile((1, 14, 3, 2), (1.0, 2.0, 3.0), share) == edge
    assert quantile((), (1.0, 2.0), share) is None
