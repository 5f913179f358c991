# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""While somebody steers a rollout, what was edited in the file is not applied."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.release import lease, planning
from release_samples import resolved
from release_world import CONTEXT
from rollout_site import Site, site

EDITED = {"drain": {"pre_stop_seconds": 7, "grace_seconds": 40}}


@pytest.fixture
def steered() -> Site:
    """A release whose lock was renewed just now."""
    found = site()
    held(found, seconds_ago=1.0)
    return found


def held(found: Site, seconds_ago: float) -> None:
    then = lease.written(datetime.now(timezone.utc) - timedelta(seconds=seconds_ago))
    spec = {"holderIdentity": "ann@desk", "acquireTime": then, "renewTime": then}
    found.apply({**lease.lease("digits", "digits"), "spec": spec})


def test_an_edited_file_is_refused_and_names_key_and_holder(steered: Site) -> None:
    with pytest.raises(planning.Rejected) as refused:
        planning.plan(resolved(**EDITED), steered, CONTEXT)
    (problem,) = refused.value.problems
    assert problem.key == "drain"
    assert "a rollout is steered by ann@desk since " in str(problem)
    assert "playbooks/rollback.yml" in str(problem)


def test_a_file_that_was_not_edited_changes_nothing_as_ever(steered: Site) -> None:
    assert planning.plan(resolved(), steered, CONTEXT).changes == []


@pytest.mark.parametrize("stale", [True, False])
def test_without_a_living_holder_the_file_is_applied(stale: bool) -> None:
    found = site()
    if stale:
        held(found, seconds_ago=lease.STALE_SECONDS)
    assert planning.plan(resolved(**EDITED), found, CONTEXT).changes
