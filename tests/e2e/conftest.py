# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A cluster of its own for the end-to-end tests: another name, network and ports."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SETTINGS = {
    "ROOST_CLUSTER": "e2e",
    "ROOST_SUBNET": "192.168.58.0/24",
    "ROOST_HTTP_PORT": "18080",
    "ROOST_HTTPS_PORT": "18443",
}
URL = f"http://127.0.0.1:{SETTINGS['ROOST_HTTP_PORT']}"
LABEL = f"label=roost.cluster={SETTINGS['ROOST_CLUSTER']}"
HOSTS = ("control", "worker-1", "worker-2")
CONFIDENCE = "verify_confidence=0.9999"
MINUTES = 60


@dataclass(frozen=True)
class Ran:
    """What a command printed, and how it ended."""

    code: int
    output: str

    @property
    def recap(self) -> dict[str, dict[str, int]]:
        """Ansible's last recap: counts by host."""
        text = self.output.rpartition("PLAY RECAP")[2]
        return {
            host: {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", counts)}
            for host, counts in re.findall(r"^(\S+) +: +(ok=.*)$", text, re.MULTILINE)
        }


def run(*command: str, **environment: str) -> Ran:
    """Run a command as a person in the checkout would, for the test cluster; print what it says."""
    process = subprocess.run(
        command,
        cwd=REPOSITORY,
        env={**os.environ, **SETTINGS, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=20 * MINUTES,
        check=False,
    )
    # pytest shows it when the test fails.
    print(process.stdout)
    return Ran(process.returncode, process.stdout)


def docker(*arguments: str) -> list[str]:
    """Lines that docker prints."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True)
    return done.stdout.split()


def left_over() -> dict[str, list[str]]:
    """Everything in Docker that carries the cluster's label or name."""
    name = f"name=roost-{SETTINGS['ROOST_CLUSTER']}"
    return {
        "containers": docker("ps", "--all", "--quiet", "--filter", LABEL),
        "networks": docker("network", "ls", "--quiet", "--filter", name),
        "volumes": docker("volume", "ls", "--quiet", "--filter", name),
    }


def kubectl(*arguments: str) -> Any:
    """What kubectl answers, read as JSON."""
    binary = run("python", "-m", "bundle", "path", "kubectl").output.strip()
    kubeconfig = REPOSITORY / ".roost" / SETTINGS["ROOST_CLUSTER"] / "kubeconfig"
    command = [binary, f"--kubeconfig={kubeconfig}", *arguments, "--output=json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def make_up() -> Ran:
    """`make up`, its measurement of the split failing by chance once in ten thousand runs."""
    return run("make", "up", f"ARGS=-e {CONFIDENCE}")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Ran]:
    """A running cluster, and what `make up` said; it is taken down in any case."""
    try:
        yield make_up()
    finally:
        run("make", "down")
