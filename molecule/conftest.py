# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the scenarios' tests share. Molecule runs them with the cluster's variables set."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]

Setting = Callable[[str], str]
Playbook = Callable[..., "Ran"]
Eventually = Callable[[Callable[[], Any], Any, float], None]


@dataclass(frozen=True)
class Ran:
    """How a playbook ended: `recap` has Ansible's counts by host."""

    code: int
    output: str

    @property
    def recap(self) -> dict[str, dict[str, int]]:
        text = self.output.rpartition("PLAY RECAP")[2]
        return {
            host: {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", counts)}
            for host, counts in re.findall(r"^(\S+) +: +(ok=.*)$", text, re.MULTILINE)
        }


@pytest.fixture(scope="session")
def playbook() -> Playbook:
    """Runs a playbook over the scenario's machines."""

    def run(path: Path, *arguments: str) -> Ran:
        done = subprocess.run(
            ["ansible-playbook", f"--inventory={REPOSITORY / 'inventory'}", *arguments, str(path)],
            # Molecule asks for colours, which would be in the words that are looked for.
            env={**os.environ, "ANSIBLE_FORCE_COLOR": "false", "ANSIBLE_NOCOLOR": "true"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return Ran(done.returncode, done.stdout)

    return run


@pytest.fixture(scope="session")
def setting() -> Setting:
    """A setting or a path of the cluster, by its key."""

    def get(key: str) -> str:
        command = [sys.executable, str(REPOSITORY / "host" / "settings.py"), "get", key]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    return get


@pytest.fixture(scope="session")
def bundle() -> dict[str, Any]:
    """What the bundle's lock says of each component."""
    cache = os.environ.get("ROOST_CACHE") or Path.home() / ".cache" / "roost"
    lock = json.loads((Path(cache) / "bundle.lock").read_text(encoding="utf-8"))
    components: dict[str, Any] = lock["components"]
    return components


@pytest.fixture(scope="session")
def api(setting: Setting) -> Any:
    """The Kubernetes API, asked with the kubeconfig that was fetched."""
    from kubernetes import client, config

    return client.CoreV1Api(config.new_client_from_config(setting("kubeconfig")))


@pytest.fixture(scope="session")
def eventually() -> Eventually:
    """Asserts that something becomes what is expected, within seconds."""

    def wait(look: Callable[[], Any], expected: Any, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (seen := look()) != expected and time.monotonic() < until:
            time.sleep(0.5)  # what is looked at has no call that waits
        assert seen == expected, f"still not after {seconds:g} s"

    return wait
