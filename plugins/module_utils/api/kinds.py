# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The kinds of objects that Roost reads or writes, and where the API server has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.roost.cluster.plugins.module_utils.api.objects import Block, object_key

_CORE = "/api/v1"
_APPS = "/apis/apps/v1"
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_ADMISSION = "/apis/admissionregistration.k8s.io/v1"
_EXTENSIONS = "/apis/apiextensions.k8s.io/v1"
_ISTIO = "/apis/networking.istio.io/v1"
_ISTIO_SECURITY = "/apis/security.istio.io/v1"


@dataclass(frozen=True)
class Kind:
    api: str
    plural: str
    namespaced: bool = True

    @property
    def version(self) -> str:
        """As an object's apiVersion says it: the group's name and its version."""
        return self.api.split("/", 2)[2]

    def collection(self, namespace: str | None = None) -> str:
        """The path of all objects of the kind, in one namespace or in all."""
        place = f"namespaces/{namespace}/" if namespace else ""
        return f"{self.api}/{place}{self.plural}"


KINDS: Mapping[str, Kind] = {
    "Namespace": Kind(_CORE, "namespaces", namespaced=False),
    "Node": Kind(_CORE, "nodes", namespaced=False),
    "ServiceAccount": Kind(_CORE, "serviceaccounts"),
    "Service": Kind(_CORE, "services"),
    "Pod": Kind(_CORE, "pods"),
    "Event": Kind(_CORE, "events"),
    "ConfigMap": Kind(_CORE, "configmaps"),
    "Secret": Kind(_CORE, "secrets"),
    "Deployment": Kind(_APPS, "deployments"),
    "DaemonSet": Kind(_APPS, "daemonsets"),
    "Role": Kind(_RBAC, "roles"),
    "RoleBinding": Kind(_RBAC, "rolebindings"),
    "ClusterRole": Kind(_RBAC, "clusterroles", namespaced=False),
    "ClusterRoleBinding": Kind(_RBAC, "clusterrolebindings", namespaced=False),
    "CustomResourceDefinition": Kind(_EXTENSIONS, "customresourcedefinitions", namespaced=False),
    "MutatingWebhookConfiguration": Kind(
        _ADMISSION, "mutatingwebhookconfigurations", namespaced=False
    ),
    "ValidatingWebhookConfiguration": Kind(
        _ADMISSION, "validatingwebhookconfigurations", namespaced=False
    ),
    "HorizontalPodAutoscaler": Kind("/apis/autoscaling/v2", "horizontalpodautoscalers"),
    "PodDisruptionBudget": Kind("/apis/policy/v1", "poddisruptionbudgets"),
    "DestinationRule": Kind(_ISTIO, "destinationrules"),
    "VirtualService": Kind(_ISTIO, "virtualservices"),
    "Gateway": Kind(_ISTIO, "gateways"),
    "EnvoyFilter": Kind("/apis/networking.istio.io/v1alpha3", "envoyfilters"),
    "Lease": Kind("/apis/coordination.k8s.io/v1", "leases"),
    "PeerAuthentication": Kind(_ISTIO_SECURITY, "peerauthentications"),
}


def object_path(item: Block) -> str:
    """The path of one object."""
    if item["kind"] not in KINDS:
        raise ValueError(f"{object_key(item)} is of a kind whose path is not in KINDS")
    kind, meta = KINDS[item["kind"]], item["metadata"]
    return f"{kind.collection(meta['namespace'] if kind.namespaced else None)}/{meta['name']}"
