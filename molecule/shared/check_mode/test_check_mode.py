# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A step of every scenario: after converge, a check run plans no change."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml


def converge_playbook() -> Path:
    """The one that the scenario's converge step runs."""
    # Molecule writes base and scenario, put together, to this file.
    config: dict[str, Any] = yaml.safe_load(Path(os.environ["MOLECULE_FILE"]).read_text())
    playbook: str = config["ansible"]["playbooks"]["converge"]
    return Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"], playbook)


def test_a_check_run_plans_no_change(playbook: Any) -> None:
    ran = playbook(converge_playbook(), "--check", "--diff")
    assert ran.code == 0, ran.output
    assert ran.recap
    assert all(counts["changed"] == 0 for counts in ran.recap.values()), ran.output
