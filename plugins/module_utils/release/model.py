# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.release import names
from ansible_collections.roost.cluster.plugins.module_utils.release.rollout_settings import Settings

DEFAULT_REPLICAS = 2
DEFAULT_HEALTH_PATH = "/healthz"
# Sized for nodes of 2 GiB that carry two versions of two services and one pod more while they roll.
DEFAULT_RESOURCES: Mapping[str, Mapping[str, str]] = {
    "requests": {"cpu": "50m", "memory": "96Mi"},
    "limits": {"cpu": "1", "memory": "256Mi"},
}


@dataclass(frozen=True)
class Retries:
    """How a caller's proxy tries again when a service fails it."""

    attempts: int
    # What counts as a failure, in Envoy's words. By default only what the service can't have seen.
    on: tuple[str, ...] = ("connect-failure", "refused-stream")
    # Longest time for each attempt; None is the time for the whole request.
    timeout_seconds: float | None = None


@dataclass(frozen=True)
class Service:
    name: str
    port: int
    replicas: int = DEFAULT_REPLICAS
    entry: bool = False
    health_path: str = DEFAULT_HEALTH_PATH
    env: Mapping[str, str] = field(default_factory=dict)
    resources: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: DEFAULT_RESOURCES)
    # Longest time for a request, all attempts together; None is no limit.
    timeout_seconds: float | None = None
    # None is what Istio does by itself.
    retries: Retries | None = None


@dataclass(frozen=True)
class Canary:
    version: str
    weight: int


@dataclass(frozen=True)
class Override:
    """A header by which a request asks for a version, whatever is drawn."""

    header: str


@dataclass(frozen=True)
class Mirror:
    """A version that gets copies of requests. Nobody sees its answers."""

    version: str
    percent: int = 100


@dataclass(frozen=True)
class RateLimit:
    """Of each gateway pod. What exceeds it is answered with 429."""

    requests_per_second: int
    burst: int


@dataclass(frozen=True)
class Tls:
    """Where the gateway has its certificate from."""

    # A secret beside the gateway that somebody keeps there; None: one of the release's own.
    secret: str | None = None

    def as_block(self) -> dict[str, Any]:
        return {"self_signed": True} if self.secret is None else {"secret": self.secret}


@dataclass(frozen=True)
class Progress:
    """How far a canary has come: the weights that it has had, the last of which is the present
    one. Cookies name the rollout and the place of a weight among these."""

    # Lower-case letters and digits.
    rollout: str
    weights: tuple[int, ...]

    def at(self, weight: int) -> Progress:
        """The same after a change of the weight."""
        if self.weights[-1:] == (weight,):
            return self
        return Progress(self.rollout, (*self.weights, weight))


@dataclass(frozen=True)
class Notify:
    """Who is told of a rollout: JSON is posted to the address when it begins, at each of its steps
    and with its verdict."""

    url: str
    attempts: int = 3
    timeout_seconds: int = 5


@dataclass(frozen=True)
class Verify:
    """How a check learns which versions answered. The defaults suit the sample services."""

    path: str = "/api/version"
    app_header: str | None = "x-app-version"
    model_header: str | None = "x-model-version"


@dataclass(frozen=True)
class Drain:
    """A pod that ends sleeps first, so that every proxy has dropped it before it stops listening;
    what is left of the grace period is the longest request that is allowed to finish."""

    pre_stop_seconds: int = 5
    grace_seconds: int = 30


@dataclass(frozen=True)
class Release:
    name: str
    namespace: str
    stable: str
    canary: Canary | None
    versions: Mapping[str, Mapping[str, str]]
    services: Mapping[str, Service]
    verify: Verify = field(default_factory=Verify)
    hosts: tuple[str, ...] = ("*",)
    drain: Drain = field(default_factory=Drain)
    rollout: Settings = field(default_factory=Settings)
    notify: Notify | None = None
    sticky: bool = False
    override: Override | None = None
    mirror: Mirror | None = None
    rate_limit: RateLimit | None = None
    # None: the gateway doesn't answer over HTTPS.
    tls: Tls | None = None
    # What follows comes from the cluster and is never in the file.
    progress: Progress | None = None
    # Rollouts that were rolled back, the last one last: their cookies lead to stable and expire.
    ended: tuple[str, ...] = ()
    # Nodes that take its pods; 0 where nobody has counted them.
    workers: int = 0
    # Replica counts that were changed on the cluster and stay, by (service, version).
    scaled: Mapping[tuple[str, str], int] = field(default_factory=dict)
    # Serial number of the certificate that gateways have to have, in hexadecimal; None where nobody
    # has looked.
    certificate: str | None = None

    @property
    def entry(self) -> Service:
        return next(service for service in self.services.values() if service.entry)

    @property
    def deployed(self) -> tuple[str, ...]:
        """The versions that have pods. A version that is only listed waits for its turn."""
        return (*self.weights, *([self.shadow.version] if self.shadow else []))

    @property
    def shadow(self) -> Mirror | None:
        """Where copies go; nowhere once the version has become what users get."""
        return self.mirror if self.mirror and self.mirror.version not in self.weights else None

    @property
    def weights(self) -> dict[str, int]:
        if self.canary is None:
            return {self.stable: 100}
        return {self.stable: 100 - self.canary.weight, self.canary.version: self.canary.weight}

    @property
    def secret(self) -> str | None:
        """The secret beside the gateway that has its certificate."""
        if self.tls is None:
            return None
        return self.tls.secret or names.certificate_name(self.name)

    def subsets(self, service: str, version: str) -> tuple[str, ...]:
        """The names under which proxies know a version of a service."""
        found = [version]
        if self.services[service].entry:
            if self.override and version in self.weights:
                found.append(names.override_subset(version))
            if self.shadow and version == self.shadow.version:
                found.append(names.mirror_subset(version))
        return tuple(found)

    def replicas(self, service: str, version: str) -> int:
        return self.scaled.get((service, version), self.services[service].replicas)

    def as_block(self) -> dict[str, Any]:
        """As the file would say it, with every default written out; but without the address that
        is notified, for such an address is a secret and this is printed."""
        block = asdict(self)
        for name in ("progress", "ended", "workers", "scaled", "certificate", "notify"):
            del block[name]
        block["tls"] = self.tls and self.tls.as_block()
        block["hosts"] = list(self.hosts)
        block["rollout"] = self.rollout.as_block()
        for service in block["services"].values():
            del service["name"]
            service |= {"retries": _listed(service["retries"])}
        return _given(block) | {"services": {k: _given(v) for k, v in block["services"].items()}}


def _listed(retries: dict[str, Any] | None) -> dict[str, Any] | None:
    return retries and _given(retries | {"on": list(retries["on"])})


def _given(block: dict[str, Any]) -> dict[str, Any]:
    """Without the keys that a file would leave out."""
    return {key: value for key, value in block.items() if value is not None}
