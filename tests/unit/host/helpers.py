# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A Docker that only remembers, for tests of what is asked of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from host import docker_cli


def container(name: str, *, running: bool = True, **labels: str) -> docker_cli.Object:
    """As `docker container inspect` shows it, as far as it is read."""
    return {
        "Id": f"id-{name}",
        "Name": f"/{name}",
        "Config": {"Labels": {key.replace("_", "."): value for key, value in labels.items()}},
        "State": {"Running": running, "Status": "running" if running else "exited"},
        "NetworkSettings": {"Networks": {}},
    }


def network(name: str, subnet: str, **labels: str) -> docker_cli.Object:
    return {
        "Id": f"{name:0<64}",
        "Name": name,
        "Labels": {key.replace("_", ".", 1): value for key, value in labels.items()},
        "IPAM": {"Config": [{"Subnet": subnet}]},
    }


@dataclass
class FakeDocker:
    present: bool = True
    calls: list[list[str]] = field(default_factory=list)
    items: dict[str, list[docker_cli.Object]] = field(
        default_factory=lambda: {"container": [], "network": [], "volume": []}
    )

    def find(self, kind: str, *labels: str) -> list[docker_cli.Object]:
        if not self.present:
            raise docker_cli.DockerAbsent("docker: the daemon doesn't run")
        wanted = [label.partition("=") for label in labels]
        return [
            item
            for item in self.items[kind]
            if all(
                key in docker_cli.labels_of(item)
                and (not equals or docker_cli.labels_of(item)[key] == value)
                for key, equals, value in wanted
            )
        ]

    def run(self, *arguments: str) -> str:
        self.calls.append(list(arguments))
        return ""
