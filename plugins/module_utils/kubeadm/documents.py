# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""kubeadm's configuration documents, from typed values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.marks import plain

Document = dict[str, Any]

API_VERSION = "kubeadm.k8s.io/v1beta4"
CRI_SOCKET = "unix:///run/containerd/containerd.sock"


def merged(ours: Any, theirs: Any) -> Any:
    """A person's values over ours: dicts key by key, lists of what has names entry by entry,
    anything else replaced."""
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        result = dict(ours)
        for key, value in theirs.items():
            result[key] = merged(ours[key], value) if key in ours else value
        return result
    if _named(ours) and _named(theirs):
        present = {item["name"]: item for item in ours}
        names = {item["name"] for item in theirs}
        return [
            *(item for item in ours if item["name"] not in names),
            *(merged(present.get(item["name"], {}), item) for item in theirs),
        ]
    return theirs


def _named(value: Any) -> bool:
    """Whether it is a list like that of extra arguments, gateways or variables."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(item, Mapping) and "name" in item for item in value)
    )


def node_registration(values: Mapping[str, Any]) -> Document:
    """How kubelet registers its node: under its inventory name, on its private address.

    With its taints, so that nothing is scheduled on it that they would keep away. Labels come
    afterwards, for kubelet itself may not set all that an administrator may.
    """
    return {
        "name": values["node_name"],
        "criSocket": CRI_SOCKET,
        "imagePullPolicy": "IfNotPresent",
        # Without it kubelet takes the default route's address: the wrong one of two networks.
        "kubeletExtraArgs": [{"name": "node-ip", "value": values["node_ip"]}],
        "ignorePreflightErrors": list(values["ignored_preflight_errors"]),
        "taints": plain(values["taints"]),
    }


def tag_of(image: str) -> str:
    return image.rpartition(":")[2]


def control_plane_documents(values: Mapping[str, Any]) -> list[Document]:
    """The documents for `kubeadm init`; `values` holds the options of the role control_plane."""
    bundle = values["bundle"]
    host, _colon, port = str(values["endpoint"]).rpartition(":")
    init = {
        "apiVersion": API_VERSION,
        "kind": "InitConfiguration",
        "localAPIEndpoint": {"advertiseAddress": values["node_ip"], "bindPort": int(port)},
        "nodeRegistration": node_registration(values),
    }
    cluster = {
        "apiVersion": API_VERSION,
        "kind": "ClusterConfiguration",
        "clusterName": values["cluster_name"],
        "kubernetesVersion": bundle["kube-apiserver"]["version"],
        "controlPlaneEndpoint": values["endpoint"],
        "networking": {
            "podSubnet": values["pod_cidr"],
            "serviceSubnet": values["service_cidr"],
            "dnsDomain": values["domain"],
        },
        "apiServer": {"certSANs": sorted({host, values["node_ip"], *values["extra_sans"]})},
        # Tags that say what is inside, where kubeadm would take its release's defaults.
        "dns": {"imageTag": tag_of(bundle["coredns"]["name"])},
        "etcd": {"local": {"imageTag": tag_of(bundle["etcd"]["name"])}},
    }
    kubelet = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": "systemd",
    }
    proxy = {"apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration"}
    return [
        merged(init, values["init_configuration"]),
        merged(cluster, values["cluster_configuration"]),
        merged(kubelet, values["kubelet_configuration"]),
        merged(proxy, values["kube_proxy_configuration"]),
    ]


def join_document(values: Mapping[str, Any]) -> Document:
    """The document for `kubeadm join` of a worker, but for the token."""
    join = {
        "apiVersion": API_VERSION,
        "kind": "JoinConfiguration",
        "nodeRegistration": node_registration(values),
        "discovery": {"bootstrapToken": {"apiServerEndpoint": values["endpoint"]}},
    }
    document: Document = merged(join, values["join_configuration"])
    return document


def as_text(documents: list[Document]) -> str:
    """Documents as kubeadm reads them; JSON is YAML."""
    return "\n---\n".join(json.dumps(document, indent=1) for document in documents) + "\n"
