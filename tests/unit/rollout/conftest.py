# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What tests of rollouts share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.api import parallel
from ansible_collections.roost.cluster.plugins.plugin_utils.decision import counts
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout import preview

from tests.unit.release.conftest import OneAfterTheOther

# The small world that the stages of a release are tested in.
sys.path.insert(0, str(Path(__file__).parents[1] / "release"))


@pytest.fixture(autouse=True)
def one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "ThreadPoolExecutor", OneAfterTheOther)


@pytest.fixture(autouse=True)
def latencies_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The small world's proxies show what they have measured without delay, and looks are short."""
    monkeypatch.setattr(counts, "SHOWN_WITHIN", 0.0)


@pytest.fixture
def no_forecast(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes longer than the whole rollout."""
    monkeypatch.setattr(preview, "steps_at", lambda *_asked: None)
