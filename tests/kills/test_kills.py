# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A first run that is killed at any moment is gone on with by the next one.

ROOST_KILLS=20 python -m pytest -rP tests/kills    # prints moments, tasks and seconds
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from tests.kills.conftest import SEED, Site

KILLS = int(os.environ.get("ROOST_KILLS", "2"))
# How long a first run takes at least. After it only the measurement at its end is left.
SECONDS = float(os.environ.get("ROOST_SECONDS", "60"))
HOSTS = {"control", "worker-1", "worker-2", "localhost"}


@pytest.mark.parametrize("number", range(KILLS))
def test_a_run_that_was_killed_is_gone_on_with(site: Site, number: int, tmp_path: Path) -> None:
    moment = random.Random(SEED + number).uniform(0, SECONDS)
    killed = site.kill_after(moment, tmp_path / "killed.txt")
    print(f"ROOST_SEED={SEED}: kill {number} after {moment:.1f} s, {killed.play}: {killed.task}")
    began = time.monotonic()
    second = site.run()
    print(f"the next run took {time.monotonic() - began:.0f} s")
    assert second.code == 0
    assert set(second.recap) == HOSTS
    third = site.run()
    assert third.code == 0
    assert {host: counts["changed"] for host, counts in third.recap.items()} == dict.fromkeys(
        HOSTS, 0
    )
