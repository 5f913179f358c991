# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A cluster of its own for the end-to-end tests: another name, network and ports."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests import command
from tests.command import REPOSITORY, Ran

SETTINGS = {
    "BUNDLE_SOURCE": "build",
    "ROOST_CLUSTER": "e2e",
    "ROOST_SUBNET": "192.168.58.0/24",
    "ROOST_HTTP_PORT": "18080",
    "ROOST_HTTPS_PORT": "18443",
}
URL = f"http://127.0.0.1:{SETTINGS['ROOST_HTTP_PORT']}"
LABEL = f"label=roost.cluster={SETTINGS['ROOST_CLUSTER']}"
HOSTS = ("control", "worker-1", "worker-2")
CONFIDENCE = "verify_confidence=0.9999"
OPTIONS = REPOSITORY / "tests" / "e2e" / "options.yml"
SYSCTL = Path("/proc/sys")
KERNEL_SETTINGS = ("fs/inotify", "kernel", "net/ipv4", "vm")
# What is no setting, or comes and goes without anybody setting it; names are regular expressions.
CHANGING_BY_THEMSELVES = {
    r"kernel/hung_task_(detect_count|warnings)": "counts processes that have hung",
    r"kernel/ns_last_pid": "the process that was started last",
    r"kernel/perf_event_max_sample_rate": "the kernel lowers it on a busy machine",
    r"kernel/pty/nr": "counts open terminals",
    r"kernel/random/entropy_avail": "grows and shrinks on older kernels",
    r"kernel/tainted": "the kernel notes there what has happened to it",
    r"net/ipv4/(conf|neigh)/(?!(all|default)/).*": "interfaces come and go, and these with them",
}
PLAN = REPOSITORY / ".roost" / SETTINGS["ROOST_CLUSTER"] / "plan.json"


def run(*words: str, **environment: str) -> Ran:
    """Run a command for the test cluster."""
    return command.run(*words, **{**SETTINGS, **environment})


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
    words = [binary, f"--kubeconfig={kubeconfig}", *arguments, "--output=json"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def make_up() -> Ran:
    """`make up` with options, its measurement failing by chance once in ten thousand runs."""
    return run("make", "up", f"ARGS=-e {CONFIDENCE} -e @{OPTIONS} -e plan_file={PLAN}")


def kernel_settings() -> dict[str, str]:
    """All numbers of the host that nodes might change, known to host/kernel_settings.py or not."""
    changing = re.compile("|".join(CHANGING_BY_THEMSELVES))
    found = {}
    for path in (path for folder in KERNEL_SETTINGS for path in (SYSCTL / folder).rglob("*")):
        name = str(path.relative_to(SYSCTL))
        if path.is_dir() or changing.fullmatch(name):
            continue
        with suppress(OSError, ValueError):  # some are there to be written alone, some are no text
            value = path.read_text(encoding="ascii").strip()
            if re.fullmatch(r"-?\d+(\s+-?\d+)*", value):
                found[name] = value
    return found


@pytest.fixture(scope="session")
def host_before() -> dict[str, str]:
    """Before the first machine; Docker Engine lets packages through for good when it starts."""
    assert run("host/docker_engine", "start").code == 0
    return kernel_settings()


@pytest.fixture(scope="session")
def cluster(host_before: dict[str, str]) -> Iterator[Ran]:
    """A running cluster, and what `make up` said; it is taken down in any case."""
    try:
        yield make_up()
    finally:
        run("make", "down")
