# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.roost.cluster.plugins.module_utils.api.objects import (
    FIELD_MANAGER,
    Block,
    label_of,
)

# The release block as last applied from the file, on the VirtualService that carries the weights.
RECORD_ANNOTATION = "roost.cluster/release"
RECORD_WORDING = {
    RECORD_ANNOTATION: (
        "the record of the release block is new",
        "the record of the release block follows the file",
    )
}
# The image reference as a person wrote it; the pods run its digest.
IMAGE_ANNOTATION = "roost.cluster/image"

# On what a drill injects: the version that it is about.
DRILL_LABEL = "roost.cluster/drill"

PART_OF = "app.kubernetes.io/part-of"
MANAGED_BY = "app.kubernetes.io/managed-by"

# The name of the HTTP rule that draws the version. Envoy's route carries the same name.
DRAW_RULE = "weights"
# Subsets of the entry service beside the versions' own: the same pods under another name, so that
# proxies count apart what was not drawn.
OVERRIDE_ENDING, MIRROR_ENDING = "-override", "-mirror"
RESERVED_ENDINGS = (OVERRIDE_ENDING, MIRROR_ENDING)

# The server of the gateway that ends TLS: its port as the gateway's Service has it, and its name.
HTTPS_PORT, HTTPS_SERVER = 443, "https"

# The sidecar's container, and the gateway's.
PROXY = "istio-proxy"


@dataclass(frozen=True)
class Context:
    """What a release has to know of the cluster that it is derived for."""

    gateway_namespace: str = "istio-system"
    gateway_selector: Mapping[str, str] = field(default_factory=lambda: {"istio": "ingressgateway"})
    cluster_domain: str = "cluster.local"


def common_labels(release: str) -> dict[str, str]:
    return {PART_OF: release, MANAGED_BY: FIELD_MANAGER}


def is_ours(item: Block) -> bool:
    """Whether some release has made it."""
    return label_of(item, MANAGED_BY) == FIELD_MANAGER


def release_selector(release: str) -> str:
    """The label selector of everything that belongs to a release."""
    return f"{PART_OF}={release},{MANAGED_BY}={FIELD_MANAGER}"


def workload_name(service: str, version: str) -> str:
    return f"{service}-{version}"


def workload_of(pod: Block) -> str:
    """The Deployment that a pod of a release belongs to."""
    return workload_name(label_of(pod, "app"), label_of(pod, "version"))


def gateway_name(release: str) -> str:
    return release


def https_routes(release: str, namespace: str) -> str:
    """What the gateway's proxy calls the routes of the release's own HTTPS server."""
    server = f"{HTTPS_SERVER}.{HTTPS_PORT}.{HTTPS_SERVER}"
    return f"{server}.{gateway_name(release)}.{namespace}"


def entry_route_name(release: str) -> str:
    """The VirtualService that is bound to the gateway; those on the mesh bear a service's name."""
    return f"{release}-gateway"


def cookie_name(release: str) -> str:
    """Says in which rollout a browser was drawn, and what was drawn for it."""
    return f"roost-{release}"


def override_subset(version: str) -> str:
    """Gets the requests that ask for a version by a header."""
    return version + OVERRIDE_ENDING


def mirror_subset(version: str) -> str:
    """Gets the copies of requests."""
    return version + MIRROR_ENDING


def version_of(subset: str) -> str:
    for ending in RESERVED_ENDINGS:
        if subset.endswith(ending):
            return subset[: -len(ending)]
    return subset


def is_drawn(subset: str) -> bool:
    """Whether requests come to a subset by the weights, so that they count for a verdict."""
    return version_of(subset) == subset


def rate_limit_name(release: str) -> str:
    """The EnvoyFilter beside the gateway, and the filter that it adds there."""
    return f"roost-{release}-rate-limit"


def certificate_name(release: str) -> str:
    """The secret beside the gateway with the certificate that the release has made itself."""
    return f"roost-{release}-tls"


def rollout_name(release: str) -> str:
    """The Lease and the ConfigMap in which a rollout keeps who steers and how far it got."""
    return f"roost-{release}"


def host_of(service: str, namespace: str, context: Context) -> str:
    # Full names only: Istio reads a short one relative to the namespace of the rule.
    return f"{service}.{namespace}.svc.{context.cluster_domain}"


def envoy_cluster(port: int, subset: str, host: str) -> str:
    return f"outbound|{port}|{subset}|{host}"
