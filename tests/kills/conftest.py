# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Machines of a cluster of its own, and runs of site.yml on them that may be killed."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import command
from tests.command import REPOSITORY, Ran

SETTINGS = {
    "BUNDLE_SOURCE": "build",
    "ROOST_CLUSTER": "kills",
    "ROOST_SUBNET": "192.168.61.0/24",
    "ROOST_HTTP_PORT": "18083",
    "ROOST_HTTPS_PORT": "18446",
}
# The measurement at the end fails by chance once in ten thousand runs.
SITE = ("ansible-playbook", "playbooks/site.yml", "-e", "verify_confidence=0.9999")
# A failure prints the seed, and ROOST_SEED=… repeats it.
SEED = int(os.environ.get("ROOST_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)


@dataclass(frozen=True)
class Killed:
    """Where a run was when it was killed."""

    play: str
    task: str


@dataclass(frozen=True)
class Site:
    """Runs of site.yml on machines that nothing was installed on before."""

    environment: dict[str, str]

    def run(self) -> Ran:
        return command.run(*SITE, **self.environment)

    def kill_after(self, seconds: float, output: Path) -> Killed:
        """Start a run and end it and its process group by SIGKILL after so many seconds.

        Ansible's workers have groups of their own: they, and what they run on machines, go on with
        the task at hand, as they do when a person kills a run.
        """
        with output.open("w") as file:
            process = subprocess.Popen(
                SITE,
                cwd=REPOSITORY,
                env={**os.environ, "ANSIBLE_NOCOLOR": "true", **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            time.sleep(seconds)
            ended = process.poll()
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        said = output.read_text()
        assert ended is None, f"it had ended within {seconds:.1f} s; ROOST_SECONDS is too high"
        return Killed(*(_last(word, said) for word in ("PLAY", "TASK")))


def _last(word: str, said: str) -> str:
    return (re.findall(rf"^{word} \[(.*)\]", said, re.MULTILINE) or ["none yet"])[-1]


def _nodes(*words: str) -> None:
    assert command.run("python3", "host/nodes.py", *words, **SETTINGS).code == 0


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Machines as they come, without Vagrant, which takes longer."""
    _nodes("clean")
    assert command.run("python3", "host/settings.py", "record", **SETTINGS).code == 0
    _nodes("up")
    _nodes("edge", "up")
    # Connections that are still open lead to the machines that had these addresses before.
    yield Site({**SETTINGS, "ANSIBLE_SSH_CONTROL_PATH_DIR": str(tmp_path / "ssh")})
    _nodes("clean")
