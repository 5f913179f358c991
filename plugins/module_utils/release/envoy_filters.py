# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Istio has no object of its own for: filters that are put into Envoy's chain.

Both are in every build of Envoy. They come before the router and are no part of a route, so that
what they answer is never counted as an attempt by the proxy that has them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.api.objects import Block
from ansible_collections.roost.cluster.plugins.module_utils.release import names
from ansible_collections.roost.cluster.plugins.module_utils.release.model import (
    RateLimit,
    Release,
)
from ansible_collections.roost.cluster.plugins.module_utils.release.names import Context

_API = "networking.istio.io/v1alpha3"
_TYPES = "type.googleapis.com/envoy.extensions.filters.http"
_RATE_LIMIT_TYPE = f"{_TYPES}.local_ratelimit.v3.LocalRateLimit"
_FAULT_TYPE = f"{_TYPES}.fault.v3.HTTPFault"
_ALWAYS = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}


def rate_limit(release: Release, limit: RateLimit, context: Context) -> Block:
    """Of the requests to the release's hosts, on each gateway pod.

    It stands beside the gateway, for only there such an object concerns its pods. The filter by
    itself limits nothing; what it has to do is said for the release's hosts alone, and its name
    is the release's, so that another release on the same gateway has one of its own.
    """
    name = names.rate_limit_name(release.name)
    prefix = name.replace("-", "_")
    bucket = {
        "max_tokens": limit.burst,
        "tokens_per_fill": limit.requests_per_second,
        "fill_interval": "1s",
    }
    limited = {
        "@type": _RATE_LIMIT_TYPE,
        "stat_prefix": prefix,
        "token_bucket": bucket,
        "filter_enabled": _ALWAYS,
        "filter_enforced": _ALWAYS,
    }
    patches = [_insert("GATEWAY", name, {"@type": _RATE_LIMIT_TYPE, "stat_prefix": prefix})]
    ports = (80, names.HTTPS_PORT) if release.tls else (80,)
    for host in [f"{host}:{port}" for port in ports for host in release.hosts]:
        patches.append(
            {
                "applyTo": "VIRTUAL_HOST",
                "match": {
                    "context": "GATEWAY",
                    "routeConfiguration": {"vhost": {"name": host}},
                },
                "patch": {
                    "operation": "MERGE",
                    "value": {"typed_per_filter_config": {name: limited}},
                },
            }
        )
    return _filter(
        name,
        context.gateway_namespace,
        names.common_labels(release.name),
        dict(context.gateway_selector),
        patches,
    )


@dataclass(frozen=True)
class Fault:
    """What a drill does to a share of the requests, each in percent."""

    abort_percent: int = 0
    abort_status: int = 503
    delay_percent: int = 0
    delay_seconds: float = 0.0


def fault(release: Release, service: str, version: str, injected: Fault) -> Block:
    """Requests to one version of a service fail or are late on their way into its pods.

    A VirtualService's own fault would act before the version is drawn and never show in the
    counters of the version. Probes don't pass this way: Istio's agent asks the service itself.
    """
    settings: dict[str, Any] = {"@type": _FAULT_TYPE}
    if injected.abort_percent:
        settings["abort"] = {
            "http_status": injected.abort_status,
            "percentage": _percent(injected.abort_percent),
        }
    if injected.delay_percent:
        settings["delay"] = {
            "fixed_delay": f"{injected.delay_seconds:g}s",
            "percentage": _percent(injected.delay_percent),
        }
    return _filter(
        f"{names.workload_name(service, version)}-drill",
        release.namespace,
        {**names.common_labels(release.name), names.DRILL_LABEL: version},
        {"app": service, "version": version, names.PART_OF: release.name},
        [_insert("SIDECAR_INBOUND", "envoy.filters.http.fault", settings)],
    )


def _percent(value: int) -> Block:
    return {"numerator": value, "denominator": "HUNDRED"}


def _insert(context: str, name: str, settings: Block) -> Block:
    connections = "envoy.filters.network.http_connection_manager"
    router = {"name": "envoy.filters.http.router"}
    return {
        "applyTo": "HTTP_FILTER",
        "match": {
            "context": context,
            "listener": {"filterChain": {"filter": {"name": connections, "subFilter": router}}},
        },
        "patch": {
            "operation": "INSERT_BEFORE",
            "value": {"name": name, "typed_config": settings},
        },
    }


def _filter(
    name: str, namespace: str, labels: dict[str, str], pods: dict[str, str], patches: list[Block]
) -> Block:
    return {
        "apiVersion": _API,
        "kind": "EnvoyFilter",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"workloadSelector": {"labels": pods}, "configPatches": patches},
    }
