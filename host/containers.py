# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Container nodes without Vagrant: the same machines, in seconds, from the same data.

container.yml says what a container is like and inventory/hosts.yml which machines there are; the
Vagrantfile reads both as well. A node that this makes has a key of its cluster instead of
Vagrant's, in the place where the inventory looks for Vagrant's.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from host import docker_cli
from host.cluster_settings import Paths, Settings

SPECIFICATION = Path(__file__).with_name("container.yml")
USER = "vagrant"
AUTHORIZED_KEYS = f"/home/{USER}/.ssh/authorized_keys"
SECONDS_TO_ANSWER = 30.0


class ContainersError(Exception):
    """A container node can't be had; the message says why and what to do."""


@dataclass(frozen=True)
class Machine:
    name: str
    address: str
    worker: bool = True

    @property
    def group(self) -> str:
        return "workers" if self.worker else "control_plane"


def machines(root: Path, settings: Settings) -> list[Machine]:
    """All of the cluster: the listed workers first, those beyond them numbered on."""
    path = root / "inventory" / "hosts.yml"
    try:
        groups = _yaml(path)["all"]["children"]["cluster"]["children"]
        control, listed = (
            {
                host: int(variables["ansible_host"].rpartition(".")[2])
                for host, variables in groups[group]["hosts"].items()
            }
            for group in ("control_plane", "workers")
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ContainersError(
            f"{path}: expected the groups control_plane and workers below cluster, and an IPv4 "
            "address as ansible_host of each machine, whose last part its container gets"
        ) from error
    first = next(iter(listed.values()))
    numbered = [(f"worker-{index + 1}", first + index) for index in range(settings.workers)]
    workers = [*listed.items(), *numbered[len(listed) :]][: settings.workers]
    prefix = settings.subnet.rpartition(".")[0]
    return [
        Machine(name, f"{prefix}.{octet}", worker)
        for worker, group in ((False, control.items()), (True, workers))
        for name, octet in group
    ]


def select(known: list[Machine], names: list[str]) -> list[Machine]:
    """The named machines, or all if none is named."""
    unknown = sorted(set(names) - {machine.name for machine in known})
    if unknown:
        raise ContainersError(
            f"{', '.join(unknown)}: no machine of the cluster; expected some of "
            + ", ".join(machine.name for machine in known)
        )
    return [machine for machine in known if not names or machine.name in names]


def run_arguments(
    specification: dict[str, Any], settings: Settings, machine: Machine, checkout: Path
) -> list[str]:
    """The flags of `docker run` for a node, those that host/vagrant_containers.rb gives it."""

    def fill(text: str, volume: str = "") -> str:
        return _fill(text, settings.cluster, machine.name, str(checkout), volume)

    labels = {key: fill(value) for key, value in specification["labels"].items()}
    volume_labels = [f"volume-label={key}={value}" for key, value in labels.items()]
    flags = {
        "name": [fill(specification["name"])],
        "hostname": [machine.name],
        "label": [f"{key}={value}" for key, value in labels.items()],
        "cap-add": specification["capabilities"],
        "cap-drop": specification["capabilities_dropped"],
        "security-opt": specification["security_options"],
        "device-cgroup-rule": specification["device_cgroup_rules"],
        "cpu-shares": [specification["cpu_shares"][machine.group]],
        "cgroupns": [specification["cgroup_namespace"]],
        "tmpfs": specification["tmpfs"],
        "mount": [
            ",".join(
                [
                    "type=volume",
                    f"src={fill(specification['volume_name'], volume)}",
                    f"dst={path}",
                    *volume_labels,
                ]
            )
            for volume, path in specification["volumes"].items()
        ],
        "stop-signal": [specification["stop_signal"]],
    }
    return [f"--{flag}={value}" for flag, values in flags.items() for value in values]


def _fill(text: str, cluster: str, node: str, checkout: str = "", volume: str = "") -> str:
    values = {"cluster": cluster, "node": node, "checkout": checkout, "volume": volume}
    return re.sub(r"\{(\w+)\}", lambda match: values[match[1]], text)


def start(
    paths: Paths, settings: Settings, image: str, made: list[Machine], stopped: list[Machine]
) -> None:
    """Make and start nodes, all at the same time, and return when each lets Ansible in."""
    key = _key(paths)
    specification = _yaml(SPECIFICATION)

    def run(machine: Machine) -> None:
        name = _fill(specification["name"], settings.cluster, machine.name)
        if machine in made:
            arguments = run_arguments(specification, settings, machine, paths.root)
            docker_cli.docker("run", "--detach", *arguments, image)
            docker_cli.docker("cp", f"{key}.pub", f"{name}:{AUTHORIZED_KEYS}")
            # The second network, so that eth0 is Docker's own bridge, as Vagrant has it.
            docker_cli.docker(
                "network", "connect", f"--ip={machine.address}", settings.network, name
            )
            # The last step: a node without a key is one that is half-made.
            _write_private(_key_of(paths, machine.name), key.read_bytes())
        else:
            docker_cli.docker("start", name)
        _await_login(paths, machine)

    wanted = made + stopped
    with ThreadPoolExecutor(max(1, len(wanted))) as pool:
        # list(), so that the first failure is raised here.
        list(pool.map(run, wanted))


def _await_login(paths: Paths, machine: Machine) -> None:
    """Return when the user can log in: an sshd that listens may still refuse users."""
    options = {
        "BatchMode": "yes",
        "ConnectTimeout": "2",
        "ControlPath": "none",
        "IdentitiesOnly": "yes",
        "StrictHostKeyChecking": "accept-new",
        "UserKnownHostsFile": str(paths.known_hosts),
        "GlobalKnownHostsFile": "/dev/null",
        "HashKnownHosts": "no",
        "LogLevel": "ERROR",
    }
    command = ["ssh", "-i", str(_key_of(paths, machine.name))]
    command += [part for key, value in options.items() for part in ("-o", f"{key}={value}")]
    until = time.monotonic() + SECONDS_TO_ANSWER
    while True:
        done = subprocess.run(
            [*command, f"{USER}@{machine.address}", "true"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 0:
            return
        if time.monotonic() > until:
            raise ContainersError(
                f"{machine.name}: {USER} can't log in at {machine.address} within "
                f"{SECONDS_TO_ANSWER:.0f} s of its start: {done.stderr.strip()}. Look at "
                "`docker logs` and `journalctl -u ssh` in the container"
            )
        time.sleep(0.1)  # sshd tells nobody outside its container that it is ready


# -- Keys -----------------------------------------------------------------------------------


def _key_of(paths: Paths, node: str) -> Path:
    """Where the inventory looks for the key of a container node."""
    return paths.vagrant / "machines" / node / "docker" / "private_key"


def _key(paths: Paths) -> Path:
    """The cluster's key pair, made if need be."""
    key = paths.directory / "node_key"
    public = paths.directory / "node_key.pub"
    # The public half is written last: without it, a killed run left half a key.
    if not public.exists():
        key.unlink(missing_ok=True)
        paths.directory.mkdir(parents=True, exist_ok=True)
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)]
        subprocess.run([*command, "-C", f"roost-{paths.cluster}"], check=True)
    return key


def _write_private(path: Path, content: bytes) -> None:
    """Never readable by others: temporary files are made with mode 0600."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as out:
        out.write(content)
    Path(out.name).replace(path)


def is_complete(paths: Paths, node: str) -> bool:
    """Whether everything was done that makes a container a node."""
    return _key_of(paths, node).exists()


def is_vagrants(paths: Paths, node: str) -> bool:
    """Whether Vagrant has made the node, and so keeps its key."""
    return (_key_of(paths, node).parent / "id").exists()


def forget_keys(paths: Paths) -> None:
    """Remove the keys that were written here, and the folders that were made for them."""
    for name in ("node_key", "node_key.pub"):
        (paths.directory / name).unlink(missing_ok=True)
    for key in paths.vagrant.glob("machines/*/docker/private_key"):
        node = key.parents[1]
        if is_vagrants(paths, node.name):
            continue
        key.unlink()
        with contextlib.suppress(OSError):  # not empty: Vagrant's
            for folder in (key.parent, node, node.parent, paths.vagrant):
                folder.rmdir()


def _yaml(path: Path) -> dict[str, Any]:
    try:
        import yaml  # here, because what doesn't make nodes does without
    except ImportError as error:
        raise ContainersError(
            "PyYAML is missing; run `make setup` and then `.venv/bin/python host/nodes.py up`"
        ) from error
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content
