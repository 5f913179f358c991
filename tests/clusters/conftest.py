# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Two clusters of two checkouts, at once on one machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from host.cluster_settings import Paths
from tests import command
from tests.command import REPOSITORY, Ran
from tests.e2e import conftest as e2e
from tests.e2e.conftest import CONFIDENCE, SETTINGS, docker

# How the machine was is seen there in the same way.
host_before = e2e.host_before

# Where a third one would be.
FREE = {
    "ROOST_CLUSTER": "third",
    "ROOST_SUBNET": "192.168.63.0/24",
    "ROOST_HTTP_PORT": "18084",
    "ROOST_HTTPS_PORT": "18447",
}
SECOND = {
    "BUNDLE_SOURCE": "build",
    "ROOST_CLUSTER": "twin",
    "ROOST_SUBNET": "192.168.60.0/24",
    "ROOST_HTTP_PORT": "18082",
    "ROOST_HTTPS_PORT": "18445",
}


@dataclass(frozen=True)
class Cluster:
    """One of several, and the checkout that it is of."""

    checkout: Path
    settings: dict[str, str]

    @property
    def name(self) -> str:
        return self.settings["ROOST_CLUSTER"]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings['ROOST_HTTP_PORT']}"

    @property
    def label(self) -> str:
        return f"label=roost.cluster={self.name}"

    def run(self, *words: str, **environment: str) -> Ran:
        """Run a command for it, as a person does in its checkout."""
        given = {"PATH": os.environ["PATH"], **self.settings, **environment}
        given["PATH"] = f"{self.checkout}/.venv/bin{os.pathsep}{given['PATH']}"
        return command.run_in(self.checkout, *words, **given)

    def up(self, *arguments: str, **environment: str) -> Ran:
        words = ("-e", CONFIDENCE, *arguments)
        return self.run("make", "up", f"ARGS={' '.join(words)}", **environment)

    def forget(self) -> None:
        """Remove it with its settings, which another test's cluster of this name would keep."""
        self.run("make", "down")
        self.run("tests/leftovers", self.name)

    def serves(self) -> bool:
        """Whether both services of its release answer at its address."""
        with urllib.request.urlopen(f"{self.url}/api/version", timeout=10) as answer:
            return bool(answer.status == 200 and json.load(answer))

    def kubectl(self, *arguments: str) -> str:
        binary = self.run("python", "-m", "bundle", "path", "kubectl").output.strip()
        kubeconfig = Paths(self.checkout, self.name).kubeconfig
        words = [binary, f"--kubeconfig={kubeconfig}", *arguments]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def containers(self) -> dict[str, str]:
        """Each of its containers, running or halted: name → id and when it was started."""
        ids = docker("ps", "--all", "--quiet", "--filter", self.label)
        form = "{{.Name}} {{.Id}}@{{.State.StartedAt}}"
        words = docker("inspect", "--format", form, *ids) if ids else []
        return dict(zip(words[::2], words[1::2], strict=True))

    def left_over(self) -> list[str]:
        """Everything in Docker that carries its label."""
        return [
            *docker("ps", "--all", "--quiet", "--filter", self.label),
            *docker("network", "ls", "--quiet", "--filter", self.label),
            *docker("volume", "ls", "--quiet", "--filter", self.label),
        ]


def clone(target: Path) -> Path:
    """Another checkout, with what isn't committed yet, and with the same tools."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(listing, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    for name in listed.stdout.rstrip("\0").split("\0"):
        # Where the tools are a link, git doesn't take it for the folder that it is to ignore.
        if name != ".venv" and os.path.lexists(REPOSITORY / name):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, target / name, follow_symlinks=False)
    (target / ".venv").symlink_to((REPOSITORY / ".venv").resolve())
    return target


@pytest.fixture(scope="session")
def first(host_before: dict[str, str]) -> Cluster:
    return Cluster(REPOSITORY, SETTINGS)


@pytest.fixture(scope="session")
def second(tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    return Cluster(clone(tmp_path_factory.mktemp("twin") / "checkout"), SECOND)


@pytest.fixture(scope="module")
def both(first: Cluster, second: Cluster) -> Iterator[None]:
    """Both run, with a worker each, and were begun at the same time."""
    try:
        with ThreadPoolExecutor() as pool:
            ran = list(pool.map(lambda cluster: cluster.up(WORKERS="1"), (first, second)))
        assert [each.code for each in ran] == [0, 0]
        yield
    finally:
        second.run("make", "down")
        first.forget()


@pytest.fixture
def third(second: Cluster) -> Iterator[Cluster]:
    """One that isn't there yet, of the second checkout."""
    cluster = Cluster(second.checkout, {**SECOND, **FREE})
    yield cluster
    assert cluster.left_over() == [], "nothing is made before all is known to be free"
    assert not Paths(cluster.checkout, cluster.name).settings.exists()
