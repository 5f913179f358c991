# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs ansible-playbook for tests of what only shows in a real run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

COLLECTIONS = Path(__file__).resolve().parents[2] / "collections"


def run_playbook(
    playbook: Path, *options: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run it in its folder, with this collection and without anybody's settings."""
    folder = playbook.parent
    return subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", *options, playbook.name],
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(folder / "absent.cfg"),
            "ANSIBLE_HOME": str(folder / "home"),
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
            # As ansible.cfg has it; without it each task starts several processes more.
            "ANSIBLE_PIPELINING": "true",
            **environment,
        },
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def shown(done: subprocess.CompletedProcess[str]) -> Any:
    """The `msg` of the only ansible.builtin.debug of a run, which starts no module to give it."""
    assert done.returncode == 0, done.stdout + done.stderr
    _before, _arrow, result = done.stdout.partition(" => ")
    return json.JSONDecoder().raw_decode(result)[0]["msg"]
