# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the settings of a cluster are, what values are valid, and the file they are kept in."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
DEFAULT_CLUSTER = "roost"
PROVIDERS = ("docker", "virtualbox", "libvirt")

# The environment's name of each setting.
VARIABLES = {
    "cluster": "ROOST_CLUSTER",
    "provider": "PROVIDER",
    "subnet": "ROOST_SUBNET",
    "http_port": "ROOST_HTTP_PORT",
    "https_port": "ROOST_HTTPS_PORT",
    "workers": "WORKERS",
}

# Part of the names of containers, networks and volumes; short, so that those can be read.
CLUSTER_NAME = re.compile(r"[a-z]([a-z0-9-]{0,18}[a-z0-9])?")
# Inside the cluster these are pods and services; a machine there couldn't be reached from a pod.
CLUSTER_NETWORKS = {"pods": "10.244.0.0/16", "services": "10.96.0.0/12"}
PRIVATE_NETWORKS = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
# .100 is the control-plane machine, .101 the first worker and .254 the last address there is.
MOST_WORKERS = 154
# In a path these mean something else to ssh's options, to Docker's --mount, to PATH or to Ansible.
UNFIT_FOR_PATHS = re.compile(r"""[\s,:'"\\%${]""")

HEADER = "# Written by host/settings.py. To change it: make up with the variable set.\n"


class SettingsError(Exception):
    """One or more reasons why there are no valid settings."""

    def __init__(self, *reasons: str) -> None:
        self.reasons = reasons
        super().__init__("\n".join(reasons))


@dataclass(frozen=True)
class Settings:
    cluster: str = DEFAULT_CLUSTER
    provider: str = "docker"
    subnet: str = "192.168.56.0/24"
    http_port: int = 8080
    https_port: int = 8443
    workers: int = 2

    @property
    def network(self) -> str:
        """The Docker network of the nodes."""
        return f"roost-{self.cluster}"


@dataclass(frozen=True)
class Paths:
    """Where the files of one cluster are."""

    root: Path
    cluster: str

    @property
    def directory(self) -> Path:
        return self.root / ".roost" / self.cluster

    @property
    def settings(self) -> Path:
        return self.directory / "settings.yml"

    @property
    def known_hosts(self) -> Path:
        return self.directory / "known_hosts"

    @property
    def kubeconfig(self) -> Path:
        if self.cluster == DEFAULT_CLUSTER:
            return self.root / ".kube" / "config"
        return self.directory / "kubeconfig"

    @property
    def vagrant(self) -> Path:
        if self.cluster == DEFAULT_CLUSTER:
            return self.root / ".vagrant"
        return self.directory / "vagrant"


def cluster_name(environment: Mapping[str, str]) -> str:
    """ROOST_CLUSTER, else `roost`; nothing remembers a current cluster."""
    name = environment.get(VARIABLES["cluster"]) or DEFAULT_CLUSTER
    if not CLUSTER_NAME.fullmatch(name):
        raise SettingsError(
            f"ROOST_CLUSTER: {name!r} is not a cluster's name; expected at most 20 lower-case "
            "letters, digits and hyphens, a letter first and no hyphen last"
        )
    return name


def require_fit_checkout(root: Path) -> None:
    """Refuse a checkout in whose path no cluster can be made."""
    unfit = sorted(set(UNFIT_FOR_PATHS.findall(str(root))))
    if unfit:
        raise SettingsError(
            f"the checkout {str(root)!r} has {' and '.join(map(repr, unfit))} in its path, which "
            "ssh, Docker or Ansible would take for something else; expected a path without white "
            "space and , : ' \" \\ % $ {: move the checkout, or clone it anew, to such a path"
        )


def parse(text: str, source: str) -> dict[str, str]:
    """The `key: value` lines of a settings file."""
    values: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        key, colon, value = (part.strip() for part in line.partition(":"))
        if not colon or key not in VARIABLES:
            raise SettingsError(
                f"{source}, line {number}: {line.strip()!r} is not a setting; expected "
                f"`KEY: VALUE` with one of {', '.join(VARIABLES)}. Remove the file to start anew"
            )
        values[key] = value.strip("\"'")
    return values


def render(settings: Settings) -> str:
    return HEADER + "".join(f"{key}: {value}\n" for key, value in asdict(settings).items())


def validate(values: Mapping[str, str]) -> Settings:
    """Settings from what was written; every reason against them at once."""
    given = {**{key: str(value) for key, value in asdict(Settings()).items()}, **values}
    reasons: list[str] = []
    if given["provider"] not in PROVIDERS:
        reasons.append(
            f"PROVIDER: {given['provider']!r} is unknown; expected {', '.join(PROVIDERS)}"
        )
    reasons += _subnet_reasons(given["subnet"])
    numbers = {
        key: _number(given[key], VARIABLES[key], lowest, highest, reasons)
        for key, lowest, highest in (
            ("http_port", 1024, 65535),
            ("https_port", 1024, 65535),
            ("workers", 1, MOST_WORKERS),
        )
    }
    if numbers["http_port"] == numbers["https_port"] != 0:
        reasons.append(
            f"ROOST_HTTP_PORT and ROOST_HTTPS_PORT: both are {numbers['http_port']}; "
            "expected two different ports"
        )
    if reasons:
        raise SettingsError(*reasons)
    return Settings(given["cluster"], given["provider"], given["subnet"], **numbers)


def _subnet_reasons(value: str) -> list[str]:
    expected = "expected a private IPv4 network as 192.168.56.0/24"
    try:
        subnet = ipaddress.IPv4Network(value)
    except ValueError as error:
        return [f"ROOST_SUBNET: {value!r} is no network ({error}); {expected}"]
    if subnet.prefixlen != 24 or not any(
        subnet.subnet_of(ipaddress.IPv4Network(private)) for private in PRIVATE_NETWORKS
    ):
        return [f"ROOST_SUBNET: {value} is not a private /24; {expected}"]
    return [
        f"ROOST_SUBNET: {value} lies in {taken}, which is for {what}; choose another"
        for what, taken in CLUSTER_NETWORKS.items()
        if subnet.overlaps(ipaddress.IPv4Network(taken))
    ]


def _number(text: str, variable: str, lowest: int, highest: int, reasons: list[str]) -> int:
    if re.fullmatch(r"[0-9]{1,9}", text) and lowest <= int(text) <= highest:
        return int(text)
    reasons.append(f"{variable}: {text!r}; expected a number from {lowest} to {highest}")
    return 0


def recorded(paths: Paths) -> Settings | None:
    """What the file says, or None where there is none."""
    try:
        text = paths.settings.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    settings = validate(parse(text, str(paths.settings)))
    if settings.cluster != paths.cluster:
        raise SettingsError(
            f"{paths.settings} is of the cluster {settings.cluster!r}, expected {paths.cluster!r}"
        )
    return settings


def write(paths: Paths, settings: Settings) -> None:
    paths.directory.mkdir(parents=True, exist_ok=True)
    unfinished = paths.settings.with_suffix(f".{os.getpid()}")
    unfinished.write_text(render(settings), encoding="utf-8")
    unfinished.replace(paths.settings)
