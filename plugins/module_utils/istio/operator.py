# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Istio's installation, described for istioctl from typed values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.documents import merged
from ansible_collections.roost.cluster.plugins.module_utils.release.telemetry import (
    HISTOGRAM_BUCKETS,
    histogram_annotation,
)

HTTP_PORT = 8080
HTTPS_PORT = 8443

# A stock Envoy lacks the filters that Istio's own build has; istiod must not configure them.
STOCK_PROXY_ENV = {"PILOT_ENABLE_METADATA_EXCHANGE": "false", "PILOT_ENABLE_ALPN_FILTER": "false"}
# Kubernetes would ask again after ten seconds where the first time was a moment too early, and
# nothing with a sidecar can start before. As long as before without an answer, it isn't ready.
_CNI_PROBE = {
    "kind": "DaemonSet",
    "name": "istio-cni-node",
    "patches": [
        {
            "path": f"spec.template.spec.containers.[name:install-cni].readinessProbe.{key}",
            "value": value,
        }
        for key, value in (("periodSeconds", 1), ("failureThreshold", 30))
    ],
}


def _spread(label: str) -> dict[str, Any]:
    """One replica on each node while there are enough nodes; a drained node's may join another."""
    return {
        "podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {
                    "weight": 100,
                    "podAffinityTerm": {
                        "topologyKey": "kubernetes.io/hostname",
                        "labelSelector": {"matchLabels": {"istio": label}},
                    },
                }
            ]
        }
    }


def _requests(cpu: str, memory: str, limit: str) -> dict[str, Any]:
    return {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": limit}}


def operator(values: Mapping[str, Any]) -> dict[str, Any]:
    """An IstioOperator document; `values` holds the options of the role istio.

    Sized for nodes of 2 GiB. A person's `values` are merged over ours, last.
    """
    bundle = values["bundle"]
    stock = bundle["istio-proxy"].get("proxy") == "stock"
    gateway = {
        "replicaCount": values["gateway_replicas"],
        "resources": _requests("50m", "96Mi", "512Mi"),
        "affinity": _spread("ingressgateway"),
        # Latency is judged at the gateway too, so its buckets are the release's.
        "podAnnotations": {HISTOGRAM_BUCKETS: histogram_annotation()}
        | values["gateway_annotations"],
        "service": {
            "type": "NodePort",
            "ports": [
                _port("http2", 80, HTTP_PORT, values["gateway_http_node_port"]),
                _port("https", 443, HTTPS_PORT, values["gateway_https_node_port"]),
            ],
        },
        # The port of a node leads to the gateway on that node while there is one: for some 40 s
        # Kubernetes doesn't notice that another one has lost its power.
        "overlays": [
            {
                "kind": "Service",
                "name": "istio-ingressgateway",
                "patches": [{"path": "spec.trafficDistribution", "value": "PreferSameNode"}],
            }
        ],
    }
    helm = {
        # Without it istiod checks only objects that carry a label with its revision, and anything
        # else is stored as it is, however wrong.
        "defaultRevision": "default",
        "global": {
            "proxy": {
                "image": bundle["istio-proxy"]["name"],
                "resources": _requests("20m", "64Mi", "256Mi"),
            },
            # The container that checks a pod's redirection is of the same image.
            "proxy_init": {"image": bundle["istio-proxy"]["name"]},
        },
        "cni": {"cniBinDir": "/opt/cni/bin", "cniConfDir": "/etc/cni/net.d"},
        "pilot": {"autoscaleEnabled": False, "env": STOCK_PROXY_ENV if stock else {}},
        "gateways": {"istio-ingressgateway": {"autoscaleEnabled": False}},
        "telemetry": {"enabled": not stock},
    }
    spec = {
        "profile": "minimal",
        "hub": bundle["istio-pilot"]["name"].rpartition("/")[0],
        "tag": bundle["istio-pilot"]["version"],
        "meshConfig": {
            "defaultConfig": {
                # Per-subset counters are off by default, and a release is judged by them.
                "proxyStatsMatcher": {"inclusionRegexps": values["stats_inclusion"]}
            }
        },
        "components": {
            "cni": {
                "enabled": True,
                "namespace": "istio-system",
                "k8s": {"overlays": [_CNI_PROBE]},
            },
            "pilot": {
                "k8s": {
                    # While there is none, proxies don't learn which pods are left.
                    "replicaCount": values["istiod_replicas"],
                    "affinity": _spread("pilot"),
                    "resources": _requests("50m", "256Mi", "1Gi"),
                }
            },
            "ingressGateways": [{"name": "istio-ingressgateway", "enabled": True, "k8s": gateway}],
        },
        "values": helm,
    }
    return {
        "apiVersion": "install.istio.io/v1alpha1",
        "kind": "IstioOperator",
        "spec": merged(spec, values["operator_spec"]),
    }


def _port(name: str, port: int, target: int, node_port: int) -> dict[str, Any]:
    return {"name": name, "port": port, "targetPort": target, "nodePort": node_port}


def stages(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The objects in the order in which they can be applied, without what istiod itself sets."""
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "istio-system"},
    }
    for item in objects:
        for webhook in item.get("webhooks", []):
            # istiod writes its own certificate there, and closes the door once it answers.
            webhook.get("clientConfig", {}).pop("caBundle", None)
            if item["kind"] == "ValidatingWebhookConfiguration":
                webhook.pop("failurePolicy", None)
    order = {"CustomResourceDefinition": 0, "ServiceAccount": 1}
    return [namespace, *sorted(objects, key=lambda item: order.get(item["kind"], 2))]
