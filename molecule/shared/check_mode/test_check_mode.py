# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A step of every scenario: after converge, a check run plans no change."""

from __future__ import annotations

from typing import Any


def test_a_check_run_plans_no_change(converge: Any) -> None:
    ran = converge("--check", "--diff")
    assert ran.code == 0, ran.output
    assert ran.recap
    assert all(counts["changed"] == 0 for counts in ran.recap.values()), ran.output
