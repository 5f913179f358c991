# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout import preview
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.opening import Asked
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.preview import Preview
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.refusal import Refusal
from rollout_site import Site, desk, site

ONLY_V1 = {"canary": None}


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> Site:
    """Its users go on while the rate is measured, a thousand requests in that time."""
    found = site(**ONLY_V1)
    now = [0.0]

    def sleep(_seconds: float) -> None:
        found.requests(1000)
        now[0] += 20

    monkeypatch.setattr(preview.time, "sleep", sleep)
    monkeypatch.setattr(preview.time, "monotonic", lambda: now[0])
    return found


def previewed(found: Site, version: str) -> Preview:
    before = found.mutations
    seen = preview.preview(desk(found, **ONLY_V1), Asked(version, {}))
    assert found.mutations == before, "a plan touches nothing"
    return seen


def test_objects_weights_requests_and_times_are_foreseen(busy: Site) -> None:
    found = previewed(busy, "v3")
    text = "\n".join(found.lines)
    assert found.walks
    assert "Deployment digits/app-v3" in text
    assert "the canary's weights: 5%, 10%, 25%, 50%, 100%" in text
    assert "at 50.0 requests per second, if nothing is wrong with the canary:" in text
    assert found.plan
    assert [step["weight"] for step in found.plan["steps"]] == [5, 10, 25, 50]
    assert "after 4:00:00 or 20000 canary requests" in text
    assert {change.item.split()[0] for change in found.objects.changes} >= {"Deployment"}


def test_without_traffic_the_end_is_foreseen_too(
    busy: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(busy, "requests", lambda _count: None)
    found = previewed(busy, "v2")
    assert found.plan is None
    assert "without traffic nothing is ever decided" in "\n".join(found.lines)


def test_the_stable_version_has_nowhere_to_go(busy: Site) -> None:
    found = previewed(busy, "v1")
    assert not found.walks
    assert found.lines == ["v1 is the stable version already"]
    assert found.objects.changes == []


def test_what_would_be_refused_is_refused(busy: Site) -> None:
    with pytest.raises(Refusal, match="v9 is none of the release's versions"):
        previewed(busy, "v9")
