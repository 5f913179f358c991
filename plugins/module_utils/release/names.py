# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# One Kubernetes object or one release block, as it stands in YAML.
Block = dict[str, Any]

FIELD_MANAGER = "roost"
# The release block as last applied from the file, on the VirtualService that carries the weights.
RECORD_ANNOTATION = "roost.cluster/release"
# The image reference as a person wrote it; the pods run its digest.
IMAGE_ANNOTATION = "roost.cluster/image"

PART_OF = "app.kubernetes.io/part-of"
MANAGED_BY = "app.kubernetes.io/managed-by"

# The name of the HTTP rule that draws the version. Envoy's route carries the same name.
DRAW_RULE = "weights"


@dataclass(frozen=True)
class Context:
    """What a release has to know of the cluster that it is derived for."""

    gateway_namespace: str = "istio-system"
    gateway_selector: Mapping[str, str] = field(default_factory=lambda: {"istio": "ingressgateway"})
    cluster_domain: str = "cluster.local"


def common_labels(release: str) -> dict[str, str]:
    return {PART_OF: release, MANAGED_BY: FIELD_MANAGER}


def release_selector(release: str) -> str:
    """The label selector of everything that belongs to a release."""
    return f"{PART_OF}={release},{MANAGED_BY}={FIELD_MANAGER}"


def workload_name(service: str, version: str) -> str:
    return f"{service}-{version}"


def gateway_name(release: str) -> str:
    return release


def entry_route_name(release: str) -> str:
    """The VirtualService that is bound to the gateway; those on the mesh bear a service's name."""
    return f"{release}-gateway"


def host_of(service: str, namespace: str, context: Context) -> str:
    # Full names only: Istio reads a short one relative to the namespace of the rule.
    return f"{service}.{namespace}.svc.{context.cluster_domain}"


def envoy_cluster(port: int, subset: str, host: str) -> str:
    return f"outbound|{port}|{subset}|{host}"


def object_key(item: Mapping[str, Any]) -> str:
    """`Deployment digits/app-v1`: unique among all objects of a release, and readable."""
    meta = item["metadata"]
    namespace = meta.get("namespace")
    place = f"{namespace}/" if namespace else ""
    return f"{item['kind']} {place}{meta['name']}"
