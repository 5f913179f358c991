# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The edge container: one address on the host that stays when a node goes."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

from host import docker_cli, holders
from host.cluster_settings import REPOSITORY, Settings
from host.docker_cli import CHECKOUT_LABEL, CLUSTER_LABEL, ROLE_LABEL

TEMPLATE = Path(__file__).with_name("edge.yaml")
CONFIG_LABEL = "roost.config"
ENVOY = "/usr/local/bin/envoy"
NOBODY = "65534:65534"
# Where the ingress gateway's node ports are set.
OPTIONS = REPOSITORY / "inventory" / "group_vars" / "all" / "cluster.yml"
SECONDS_TO_START = 15.0


class EdgeError(Exception):
    """The edge container doesn't do its work."""


def container_name(settings: Settings) -> str:
    return f"roost-{settings.cluster}-edge"


def node_port(scheme: str, options: str) -> int:
    """The ingress gateway's port of every node, from the text of a file of options."""
    name = f"istio_gateway_{scheme}_node_port"
    found = re.search(rf"^{name}: *([0-9]+) *(#.*)?$", options, re.MULTILINE)
    if not found:
        raise EdgeError(
            f"{OPTIONS.relative_to(REPOSITORY)}: expected a line `{name}: NUMBER`, which says "
            "where the edge leads"
        )
    return int(found[1])


@dataclass(frozen=True)
class Nodes:
    """The addresses of a cluster's nodes."""

    workers: Sequence[str]
    control_plane: Sequence[str] = ()
    """Nodes without a gateway of their own, which pass a request on to any: they are asked while no
    worker answers."""

    def endpoints(self, port: int, checked: dict[str, int] | None = None) -> str:
        """As JSON, which is YAML on one line. `checked` is where checks go, if not where requests
        do."""
        asked = {"health_check_config": checked} if checked else {}
        groups = [group for group in (self.workers, self.control_plane) if group]
        return json.dumps(
            [
                {
                    "priority": priority,
                    "lb_endpoints": [
                        {
                            "endpoint": {
                                "address": {
                                    "socket_address": {"address": node, "port_value": port}
                                },
                                **asked,
                            }
                        }
                        for node in sorted(group, key=socket.inet_aton)
                    ],
                }
                for priority, group in enumerate(groups)
            ]
        )


def render(settings: Settings, nodes: Nodes, template: str | None = None) -> str:
    """Envoy's configuration for these nodes."""
    options = OPTIONS.read_text(encoding="utf-8")
    http = node_port("http", options)
    text = TEMPLATE.read_text(encoding="utf-8") if template is None else template
    return Template(text).substitute(
        http_port=settings.http_port,
        https_port=settings.https_port,
        http_endpoints=nodes.endpoints(http),
        https_endpoints=nodes.endpoints(node_port("https", options), {"port_value": http}),
    )


def up(settings: Settings, nodes: Nodes, image: str, checkout: Path) -> bool:
    """Have the edge run with this configuration; says whether anything had to be done."""
    if not nodes.workers and not nodes.control_plane:
        raise EdgeError(
            f"the cluster {settings.cluster} has no nodes to balance over; run `vagrant up` first"
        )
    config = render(settings, nodes)
    identity = hashlib.sha256(f"{image}\n{config}".encode()).hexdigest()
    present = docker_cli.edge(settings.cluster)
    if present and docker_cli.labels_of(present).get(CONFIG_LABEL) == identity:
        if docker_cli.is_running(present):
            return False
        _refuse_taken_ports(settings, checkout)
        docker_cli.docker("start", str(present["Id"]))
    else:
        down(settings)
        _refuse_taken_ports(settings, checkout)
        docker_cli.docker(*_run_arguments(settings, image, config, identity, checkout))
    _await(settings)
    return True


def _run_arguments(
    settings: Settings, image: str, config: str, identity: str, checkout: Path
) -> list[str]:
    labels = {
        CLUSTER_LABEL: settings.cluster,
        ROLE_LABEL: "edge",
        CHECKOUT_LABEL: str(checkout),
        CONFIG_LABEL: identity,
    }
    return [
        "run",
        "--detach",
        f"--name={container_name(settings)}",
        *(f"--label={key}={value}" for key, value in labels.items()),
        # On the host's own loopback address, which nothing outside the machine reaches.
        "--network=host",
        f"--user={NOBODY}",
        "--read-only",
        "--cap-drop=ALL",
        "--security-opt=no-new-privileges",
        f"--entrypoint={ENVOY}",
        image,
        "--config-yaml",
        config,
        # It takes a socket in the host's network, of which there is one for all Envoys.
        "--disable-hot-restart",
        "--concurrency",
        "1",
        "--log-level",
        "warning",
    ]


def stop(settings: Settings) -> None:
    present = docker_cli.edge(settings.cluster)
    if present and docker_cli.is_running(present):
        docker_cli.docker("stop", "--time=3", str(present["Id"]))


def down(settings: Settings) -> None:
    present = docker_cli.edge(settings.cluster)
    if present:
        docker_cli.docker("rm", "--force", "--volumes", str(present["Id"]))


def _refuse_taken_ports(settings: Settings, checkout: Path) -> None:
    """Who has come since the settings were looked at, and would answer in the edge's place."""
    if reasons := holders.conflicts_of_edge(settings, checkout):
        raise EdgeError("; ".join(reasons))


def _await(settings: Settings) -> None:
    """Return when the edge runs and listens; its log is the reason when it doesn't."""
    limit = time.monotonic() + SECONDS_TO_START
    ports = (settings.http_port, settings.https_port)
    while True:
        silent = [f"127.0.0.1:{port}" for port in ports if not _listens(port)]
        # Looked at last: somebody else's ports answer as well, and an edge that finds them dies.
        present = docker_cli.edge(settings.cluster)
        runs = present is not None and docker_cli.is_running(present)
        if runs and not silent:
            return
        if not runs or time.monotonic() > limit:
            name = container_name(settings)
            wrong = f"doesn't listen on {' and '.join(silent)}" if runs else "doesn't run"
            log = docker_cli.log(name) if present else "it is gone"
            raise EdgeError(f"{name} {wrong}; `make up` starts it again. Its log ends: {log}")
        time.sleep(0.1)  # Envoy tells nobody when it begins to listen


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
