# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a stage has to wait for, as data. `readiness` looks whether it is so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.release import entry_rules, names
from ansible_collections.roost.cluster.plugins.module_utils.release.model import Release
from ansible_collections.roost.cluster.plugins.module_utils.release.names import Context

# Conditions by name, each with what it is about.
Wait = dict[str, Any]


def ready(release: Release, versions: Iterable[str]) -> Wait:
    """Deployments are rolled out and all their pods are ready."""
    return {
        "ready": [
            names.workload_name(service, version)
            for version in versions
            for service in release.services
        ]
    }


def subsets(release: Release, versions: Iterable[str], context: Context) -> Wait:
    """Proxies know the versions as clusters, each with at least one endpoint: the gateway those of
    the entry service, the pods those of the services that they may call."""
    versions = list(versions)

    def clusters(service: str) -> dict[str, int]:
        subsets = [name for version in versions for name in release.subsets(service, version)]
        return dict.fromkeys(_clusters(release, service, subsets, context), 1)

    return {
        "gateway_clusters": clusters(release.entry.name),
        "pod_clusters": {name: clusters(name) for name in _called(release)},
    }


def pins(
    release: Release, rules: Mapping[str, Iterable[str]], stable: str, context: Context
) -> Wait:
    """The proxies of a version's pods send its calls to the same version of the other services.

    `rules` names, for each service, the versions that have a rule there.
    """
    return {
        "pins": {
            name: {
                "host": names.host_of(name, release.namespace, context),
                "by_version": {version: version for version in rules[name]},
                "default": stable,
            }
            for name in _called(release)
        }
    }


def weights(release: Release, shares: dict[str, int], context: Context) -> Wait:
    """Every gateway pod draws with these weights, and has the release's other rules before that."""
    return _weights(release, shares, entry_rules.rule_names(release, context), context)


def held(release: Release, version: str, context: Context) -> Wait:
    """Every gateway pod sends everything to one version."""
    return _weights(release, {version: 100}, [names.DRAW_RULE], context)


def _weights(release: Release, shares: dict[str, int], rules: list[str], context: Context) -> Wait:
    return {
        "weights": {
            "host": names.host_of(release.entry.name, release.namespace, context),
            # Istio leaves destinations of weight 0 out of what proxies get.
            "versions": {version: weight for version, weight in shares.items() if weight},
            "rules": rules,
            # Where the gateway has a server for HTTPS too, it draws there in the same way.
            **(
                {"https": names.https_routes(release.name, release.namespace)}
                if release.tls
                else {}
            ),
        }
    }


def entry(release: Release, context: Context) -> Wait:
    """Every gateway pod answers as it shall, with the certificate that it shall have."""
    found = weights(release, release.weights, context)
    return {**found, "certificate": release.certificate} if release.certificate else found


def idle(release: Release, versions: Iterable[str], context: Context) -> Wait:
    """No request to these versions is under way any more. What takes longer than the time that a
    pod is given to end would be cut off in any case, so the wait for it has that limit."""
    return {
        "idle": {
            "clusters": _all_clusters(release, versions, context),
            "limit": release.drain.grace_seconds,
        }
    }


def without(release: Release, versions: Iterable[str], context: Context) -> Wait:
    """No proxy knows these versions any more."""
    return {"without": _all_clusters(release, versions, context)}


def gone(deployments: Iterable[str]) -> Wait:
    """The pods of these Deployments have ended."""
    return {"gone": sorted(deployments)}


def steady(release: Release, context: Context) -> Wait:
    """What holds whenever nobody is changing anything."""
    return {
        **ready(release, release.deployed),
        **pins(release, final_rules(release), release.stable, context),
        **entry(release, context),
    }


def final_rules(release: Release) -> dict[str, Iterable[str]]:
    return dict.fromkeys(release.services, release.deployed)


def _called(release: Release) -> list[str]:
    """The services that requests lead to from the entry on. A backend that calls the entry back is
    bound to its own version as well, but nothing waits for that."""
    return [service.name for service in release.services.values() if not service.entry]


def _clusters(
    release: Release, service: str, subsets: Iterable[str], context: Context
) -> list[str]:
    host = names.host_of(service, release.namespace, context)
    port = release.services[service].port
    return [names.envoy_cluster(port, subset, host) for subset in subsets]


def _all_clusters(release: Release, versions: Iterable[str], context: Context) -> list[str]:
    """Under every name that a version may have had; what proxies don't know is idle and gone."""
    versions, found = list(versions), []
    for service in release.services.values():
        endings = ("", *names.RESERVED_ENDINGS) if service.entry else ("",)
        subsets = [version + ending for version in versions for ending in endings]
        found += _clusters(release, service.name, subsets, context)
    return found
