# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The steps idempotence and check mode fail where they should, with the shared configuration."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
NO_CHANGE_EXPECTED = "Idempotence test failed because of the following tasks:"


def steps(changes: str, **environment: str) -> tuple[int, str]:
    """How Molecule ends with a playbook that reports changes `never`, `always` or `in a check`."""
    done = subprocess.run(
        ["molecule", "test", "--scenario-name=self_test", "--destroy=never"],
        cwd=REPOSITORY,
        env={
            **os.environ,
            "MOLECULE_GLOB": "molecule/shared/*/molecule.yml",
            "SELF_TEST_CHANGES": changes,
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)


def test_a_role_that_changes_nothing_passes() -> None:
    code, output = steps("never")
    assert code == 0, output
    assert "self_test ➜ idempotence: Executed: Successful" in output


# Molecule reads what the default callback prints: the base must not leave the choice to anyone.
@pytest.mark.parametrize("callback", ["default", "minimal"])
def test_a_role_that_always_changes_fails(callback: str) -> None:
    code, output = steps("always", ANSIBLE_STDOUT_CALLBACK=callback)
    assert code != 0, output
    assert NO_CHANGE_EXPECTED in output
    assert "Say that something changed" in output.partition(NO_CHANGE_EXPECTED)[2]


def test_a_role_that_plans_changes_in_a_check_run_fails() -> None:
    code, output = steps("in a check")
    assert code != 0, output
    assert "self_test ➜ idempotence: Executed: Successful" in output
    assert "FAILED ../check_mode/test_check_mode.py" in output
