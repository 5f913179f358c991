# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.roost.cluster.plugins.module_utils.api.objects import Block
from ansible_collections.roost.cluster.plugins.module_utils.release import names, progress
from ansible_collections.roost.cluster.plugins.module_utils.release.model import Release
from ansible_collections.roost.cluster.plugins.module_utils.release.names import Context

_NETWORKING = "networking.istio.io/v1"
_MESH = "mesh"


def gateway(release: Release, context: Context) -> Block:
    return {
        "apiVersion": _NETWORKING,
        "kind": "Gateway",
        "metadata": _metadata(release, names.gateway_name(release.name)),
        "spec": {
            "selector": dict(context.gateway_selector),
            "servers": [
                {
                    "port": {"number": 80, "name": "http", "protocol": "HTTP"},
                    "hosts": list(release.hosts),
                }
            ],
        },
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
    release: Release, service: str, versions: Iterable[str], context: Context
) -> Block:
    """The versions of a service as subsets.

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
                {"name": version, "labels": {"version": version}} for version in sorted(versions)
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
    rules = [
        {
            "name": f"from-{version}",
            "match": [{"sourceLabels": {names.PART_OF: release.name, "version": version}}],
            "route": [{"destination": _destination(release, service, version, context)}],
        }
        for version in sorted(versions)
    ]
    default = {
        "name": "from-others",
        "route": [{"destination": _destination(release, service, stable, context)}],
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


def entry_route(
    release: Release,
    weights: Sequence[tuple[str, int]],
    context: Context,
    record: str | None = None,
) -> Block:
    """The one place where the version is drawn: bound to the gateway, stable first.

    `record` is the release block that the weights come from. A route that only holds the place
    until its pods are ready has none: were a run killed there, the next one must not take the
    weights for somebody's choice.
    """
    entry = release.entry.name
    metadata = _metadata(release, names.entry_route_name(release.name))
    notes = {
        names.RECORD_ANNOTATION: record,
        progress.ANNOTATION: progress.dumps(progress.Course(release.progress, release.ended)),
    }
    annotations = {name: text for name, text in notes.items() if text is not None}
    if annotations:
        metadata["annotations"] = annotations
    return {
        "apiVersion": _NETWORKING,
        "kind": "VirtualService",
        "metadata": metadata,
        "spec": {
            "hosts": list(release.hosts),
            "gateways": [f"{release.namespace}/{names.gateway_name(release.name)}"],
            "http": [
                {
                    "name": names.DRAW_RULE,
                    "route": [
                        {
                            "destination": _destination(release, entry, version, context),
                            "weight": weight,
                        }
                        for version, weight in weights
                    ],
                }
            ],
        },
    }


def _destination(release: Release, service: str, version: str, context: Context) -> Block:
    # No port: a service has one, and a rule that names it would be wrong while it is changed.
    return {"host": names.host_of(service, release.namespace, context), "subset": version}


def _metadata(release: Release, name: str) -> Block:
    labels: Mapping[str, str] = names.common_labels(release.name)
    return {"name": name, "namespace": release.namespace, "labels": dict(labels)}
