# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The bench's own machines: made as `make up` makes them, and gone at the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from host import docker_cli, nodes
from host.cluster_settings import Paths, cluster_name, recorded
from tests.conftest import REPOSITORY

SETTINGS = {
    "ROOST_CLUSTER": "bench",
    "ROOST_SUBNET": "192.168.61.0/24",
    "ROOST_HTTP_PORT": "18083",
    "ROOST_HTTPS_PORT": "18446",
    "WORKERS": "2",
    "PROVIDER": "docker",
}
PULLED = "/var/lib/containerd/io.containerd.content.v1.content/blobs/sha256"
PATHS = Paths(REPOSITORY, cluster_name(SETTINGS))
# Of the guard; see tests/guard.py.
TOKEN = REPOSITORY / ".roost" / "bench.guard"


class BenchError(Exception):
    """What ends the bench; the message says what was run and how it ended."""


@dataclass(frozen=True)
class Machine:
    name: str
    address: str
    user: str
    key: str
    ssh_options: str


def environment(**more: str) -> dict[str, str]:
    """Of every command of the bench; the guard knows them by the process that started them."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    return {
        **kept,
        **SETTINGS,
        "PATH": f"{REPOSITORY}/.venv/bin:{os.environ['PATH']}",
        "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "true",
        "ROOST_BENCH_RUN": str(os.getpid()),
        **more,
    }


def run(command: list[str], log: Path | None = None, **variables: str) -> str:
    """Run a command in the checkout; its output goes to `log`, or is returned."""
    with (log or Path(os.devnull)).open("a") as out:
        done = subprocess.run(
            command,
            cwd=REPOSITORY,
            env=environment(**variables),
            stdin=subprocess.DEVNULL,
            stdout=out if log else subprocess.PIPE,
            stderr=subprocess.STDOUT if log else subprocess.PIPE,
            text=True,
            check=False,
        )
    if done.returncode:
        end = log.read_text()[-3000:] if log else done.stdout + done.stderr
        where = f" (all of it is in {log})" if log else ""
        raise BenchError(f"`{' '.join(command)}` ended with {done.returncode}{where}:\n{end}")
    return done.stdout or ""


@contextmanager
def fresh_machines() -> Iterator[list[Machine]]:
    """Three bare machines, removed at the end in any case."""
    remove()
    try:
        run(["python3", "host/settings.py", "record"])
        run([sys.executable, "host/nodes.py", "up"])
        yield _machines()
    finally:
        remove()


def remove() -> None:
    run(["tests/leftovers", SETTINGS["ROOST_CLUSTER"]])


def _machines() -> list[Machine]:
    """As the inventory says how to reach them, the control plane first."""
    inventory = json.loads(run(["ansible-inventory", "--list"]))
    variables: Mapping[str, Any] = inventory["_meta"]["hostvars"]
    names = [*inventory["control_plane"]["hosts"], *inventory["workers"]["hosts"]]
    return [
        Machine(
            name,
            variables[name]["ansible_host"],
            variables[name]["ansible_user"],
            variables[name]["ansible_ssh_private_key_file"],
            variables[name]["ansible_ssh_common_args"],
        )
        for name in names
    ]


def received_bytes() -> dict[str, int]:
    """What each machine's interfaces have received since it was made."""
    return {name: _received(told) for name, told in _from_each("cat", "/proc/net/dev").items()}


def pulled_bytes() -> dict[str, int]:
    """The images that each machine's containerd has pulled, as they came."""
    told = _from_each("du", "--bytes", "--summarize", PULLED)
    return {name: int(size.split()[0]) for name, size in told.items()}


def _from_each(*command: str) -> dict[str, str]:
    """What a command prints, by machine."""
    settings = recorded(PATHS)
    assert settings is not None
    return {
        docker_cli.labels_of(node)[docker_cli.NODE_LABEL]: docker_cli.docker(
            "exec", str(node["Id"]), *command
        )
        for node in nodes.nodes(settings.cluster)
    }


def _received(table: str) -> int:
    """From /proc/net/dev: eth0 is Docker's own network, eth1 the cluster's."""
    lines = (line.partition(":") for line in table.splitlines())
    return sum(
        int(counts.split()[0]) for name, _colon, counts in lines if name.strip().startswith("eth")
    )
