# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Setting up a machine asks for Go only where there is something to build."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
OLD = "go: found go1.20, expected go1.26 or newer"


@pytest.fixture
def said(tmp_path: Path) -> Callable[..., str]:
    """Runs the check on a machine with an old Go; returns what it says."""
    go = tmp_path / "bin" / "go"
    go.parent.mkdir()
    go.write_text("#!/bin/sh\necho go version go1.20 linux/amd64\n")
    go.chmod(0o755)

    def run(source: str, *arguments: str) -> str:
        environment = {
            **os.environ,
            "PATH": f"{go.parent}:{os.environ['PATH']}",
            "ROOST_CACHE": str(tmp_path / "cache"),
            "BUNDLE_SOURCE": source,
        }
        command = [str(REPOSITORY / "host" / "setup.sh"), "--check", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    return run


def test_to_build_takes_a_recent_go(said: Callable[..., str]) -> None:
    assert OLD in said("build")


def test_to_fetch_takes_none(said: Callable[..., str]) -> None:
    assert "go:" not in said("fetch")


def test_a_bundle_from_another_machine_takes_none(said: Callable[..., str], tmp_path: Path) -> None:
    assert "go:" not in said("build", "--import")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "bundle.lock").write_text("{}")
    assert "go:" not in said("build")


def test_another_back_end_is_refused(said: Callable[..., str]) -> None:
    assert "setup: bundle: BUNDLE_SOURCE=magic: expected fetch or build" in said("magic")
