# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The few things that are asked of Docker, through its command line (needs no package)."""

from __future__ import annotations

import json
import subprocess
from typing import Any

CLUSTER_LABEL = "roost.cluster"
ROLE_LABEL = "roost.role"
NODE_LABEL = "roost.node"
CHECKOUT_LABEL = "roost.checkout"

# What it says where nobody listens, until version 28 and since 29, and where it may not ask.
NO_DAEMON = ("Cannot connect to the Docker daemon", "failed to connect to the docker API")
NOT_ALLOWED = "permission denied while trying to connect to the"

# Docker's answer as JSON; what is read from it is looked at where it is used.
Object = dict[str, Any]


class DockerError(Exception):
    """Docker said no."""


class DockerAbsent(DockerError):
    """Docker isn't installed, or its daemon doesn't run."""


def docker(*arguments: str) -> str:
    """What `docker ARGUMENTS` prints."""
    try:
        done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise DockerAbsent("docker: not installed; `make setup` installs it") from error
    if done.returncode:
        message = done.stderr.strip()
        if any(said in message for said in NO_DAEMON):
            raise DockerAbsent("docker: the daemon doesn't run; `make setup` starts it")
        if NOT_ALLOWED in message:
            raise DockerError(
                "docker: this user may not ask the daemon; join its group (as root: `usermod -aG "
                "docker USER`, then log in anew), or run the same as root"
            )
        raise DockerError(f"`docker {' '.join(arguments[:3])} …` failed: {message}")
    return done.stdout


def _inspect(kind: str, names: list[str]) -> list[Object]:
    if not names:
        return []
    try:
        found: list[Object] = json.loads(docker(kind, "inspect", *names))
    except DockerAbsent:
        raise
    except DockerError:
        # One of them went away in between: ask for each by itself.
        if len(names) == 1:
            return []
        return [each for name in names for each in _inspect(kind, [name])]
    return found


def containers(*labels: str) -> list[Object]:
    """Every container, running or not, that carries all these labels (`KEY` or `KEY=VALUE`)."""
    return _inspect("container", docker("ps", "--all", "--quiet", *_filters(labels)).split())


def networks(*labels: str) -> list[Object]:
    return _inspect("network", docker("network", "ls", "--quiet", *_filters(labels)).split())


def network(name: str) -> Object | None:
    found = _inspect("network", [name])
    return found[0] if found else None


def edge(cluster: str) -> Object | None:
    """The container that has a cluster's address on this machine."""
    found = containers(f"{CLUSTER_LABEL}={cluster}", f"{ROLE_LABEL}=edge")
    return found[0] if found else None


def volumes(*labels: str) -> list[Object]:
    return _inspect("volume", docker("volume", "ls", "--quiet", *_filters(labels)).split())


def _filters(labels: tuple[str, ...]) -> list[str]:
    return [part for label in labels for part in ("--filter", f"label={label}")]


def labels_of(item: Object) -> dict[str, str]:
    """The labels of a container, a network or a volume."""
    labels = item["Config"]["Labels"] if "Config" in item else item["Labels"]
    return dict(labels or {})


def name_of(item: Object) -> str:
    return str(item["Name"]).lstrip("/")


def is_running(container: Object) -> bool:
    return bool(container["State"]["Running"])


def address_in(container: Object, network_name: str) -> str | None:
    """Its fixed address in a network, also while it is stopped."""
    endpoint = container["NetworkSettings"]["Networks"].get(network_name)
    if not endpoint:
        return None
    fixed = (endpoint.get("IPAMConfig") or {}).get("IPv4Address")
    return fixed or endpoint.get("IPAddress") or None


def remove(kind: str, items: list[Object]) -> list[str]:
    """Remove containers, volumes or networks; what was done, as lines."""
    names = [name_of(item) for item in items]
    if names:
        docker(kind, "rm", *(["--force", "--volumes"] if kind == "container" else []), *names)
    return [f"removed {kind} {name}" for name in names]


def log(container: str) -> str:
    """The end of what a container has printed."""
    done = subprocess.run(
        ["docker", "logs", "--tail=20", container],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout.strip()
