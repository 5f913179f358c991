# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ansible_collections.roost.cluster.plugins.module_utils.api.objects import Block
from ansible_collections.roost.cluster.plugins.module_utils.release import (
    entry_rules,
    hops,
    names,
    progress,
)
from ansible_collections.roost.cluster.plugins.module_utils.release.model import Canary, Release
from ansible_collections.roost.cluster.plugins.module_utils.release.names import Context

_NETWORKING = "networking.istio.io/v1"
_MESH = "mesh"


def gateway(release: Release, context: Context) -> Block:
    servers = [_server(release, 80, "http")]
    if release.secret:
        # The secret is looked for where the gateway's pods are, and only there.
        tls = {
            "mode": "SIMPLE",
            "credentialName": release.secret,
            "minProtocolVersion": "TLSV1_2",
        }
        servers.append({**_server(release, names.HTTPS_PORT, names.HTTPS_SERVER), "tls": tls})
    return {
        "apiVersion": _NETWORKING,
        "kind": "Gateway",
        "metadata": _metadata(release, names.gateway_name(release.name)),
        "spec": {
            "selector": dict(context.gateway_selector),
            "servers": servers,
        },
    }


def _server(release: Release, port: int, name: str) -> Block:
    return {
        "port": {"number": port, "name": name, "protocol": name.upper()},
        "hosts": list(release.hosts),
    }


def peer_authentication(release: Release) -> Block:
    return {
        "apiVersion": "security.istio.io/v1",
        "kind": "PeerAuthentication",
        # Without a selector it holds for the namespace; such a one is called `default`.
        "metadata": _metadata(release, "default"),
        "spec": {"mtls": {"mode": "STRICT"}},
    }


def destination_rule(
    release: Release, service: str, subsets: Iterable[str], context: Context
) -> Block:
    """The versions of a service as subsets, some under a second name.

    There is no outlier detection, on neither version: on the canary it could eject the only pod,
    and on the stable one alone it would hide failures that the canary shows, so that the two can't
    be compared any more. Broken pods leave through their readiness probes.
    """
    return {
        "apiVersion": _NETWORKING,
        "kind": "DestinationRule",
        "metadata": _metadata(release, service),
        "spec": {
            "host": names.host_of(service, release.namespace, context),
            "trafficPolicy": {
                "tls": {"mode": "ISTIO_MUTUAL"},
                # A pod on a node that died answers nothing at all; the next attempt should not
                # have to wait for the default of ten seconds.
                "connectionPool": {"tcp": {"connectTimeout": "2s"}},
            },
            "subsets": [
                {"name": subset, "labels": {"version": names.version_of(subset)}}
                for subset in sorted(subsets)
            ],
        },
    }


def service_route(
    release: Release, service: str, versions: Iterable[str], stable: str, context: Context
) -> Block:
    """Calls from inside the mesh: a caller of the release gets its own version, others stable.

    Every service has one, the entry service too. The gateway's route can't be bound to the mesh
    as well (Istio refuses the host `*` there), and without a rule of its own a call from the mesh
    would be spread over the pods of all versions, past the weights.
    """
    patience = hops.patience(release, service)
    rules = [
        {
            "name": f"from-{version}",
            "match": [{"sourceLabels": {names.PART_OF: release.name, "version": version}}],
            "route": [{"destination": hops.destination(release, service, version, context)}],
            **patience,
        }
        for version in sorted(versions)
    ]
    default = {
        "name": "from-others",
        "route": [{"destination": hops.destination(release, service, stable, context)}],
        **patience,
    }
    return {
        "apiVersion": _NETWORKING,
        "kind": "VirtualService",
        "metadata": _metadata(release, service),
        "spec": {
            "hosts": [names.host_of(service, release.namespace, context)],
            "gateways": [_MESH],
            "http": [*rules, default],
        },
    }


def entry_route(release: Release, context: Context, record: str | None = None) -> Block:
    """The one place where the version is drawn: bound to the gateway, stable first. `record` is
    the release block that the weights come from."""
    notes = {
        names.RECORD_ANNOTATION: record,
        progress.ANNOTATION: progress.dumps(progress.Course(release.progress, release.ended)),
    }
    annotations = {name: text for name, text in notes.items() if text is not None}
    return _gateway_route(release, context, annotations)


def holding_route(release: Release, holder: str, context: Context) -> Block:
    """Holds the place of the other until its pods are ready: one version has all of the weight.

    It has no record: were a run killed here, the next one must not take the weights for somebody's
    choice.
    """
    plain = replace(release, sticky=False, override=None, mirror=None)
    if holder not in release.weights:
        plain = replace(plain, stable=holder, canary=None)
    elif release.canary:
        version = release.canary.version
        plain = replace(plain, canary=Canary(version, 100 if version == holder else 0))
    return _gateway_route(plain, context, {})


def _gateway_route(release: Release, context: Context, annotations: dict[str, str]) -> Block:
    metadata = _metadata(release, names.entry_route_name(release.name))
    if annotations:
        metadata["annotations"] = annotations
    return {
        "apiVersion": _NETWORKING,
        "kind": "VirtualService",
        "metadata": metadata,
        "spec": {
            "hosts": list(release.hosts),
            "gateways": [f"{release.namespace}/{names.gateway_name(release.name)}"],
            "http": entry_rules.rules(release, context),
        },
    }


def _metadata(release: Release, name: str) -> Block:
    labels: Mapping[str, str] = names.common_labels(release.name)
    return {"name": name, "namespace": release.namespace, "labels": dict(labels)}
