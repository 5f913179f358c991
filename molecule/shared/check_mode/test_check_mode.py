# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A step of every scenario: after converge, a check run plans no change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.plans import read


def test_a_check_run_plans_no_change(converge: Any, tmp_path: Path) -> None:
    target = tmp_path / "plan.json"
    ran = converge(
        *("--check", "--diff", "-e", f"plan_file={target}"),
        ANSIBLE_CALLBACKS_ENABLED="roost.cluster.plan",
    )
    assert ran.code == 0, ran.output
    assert ran.recap
    assert all(counts["changed"] == 0 for counts in ran.recap.values()), ran.output
    assert "plan: nothing would change" in ran.output
    assert read(target).changes == []
