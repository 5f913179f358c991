# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a running cluster differs from its description, and the steps that make it the same.

kubeadm renders the description once more, without a cluster; that is compared with what the
machine has and what the API holds. Nothing is compared with defaults that are written down here.
Runs on the controller, which can read YAML and certificates.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml
from ansible_collections.roost.cluster.plugins.module_utils.api.differences import (
    GONE,
    changes,
    told,
)
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.commands import KubeadmError
from ansible_collections.roost.cluster.plugins.module_utils.node.text import explain
from ansible_collections.roost.cluster.plugins.plugin_utils.kubeadm.sans import certificate_names

Document = dict[str, Any]

KUBELET_FILE = "/var/lib/kubelet/config.yaml"
MANIFESTS = "/etc/kubernetes/manifests"
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Of ClusterConfiguration: what a running cluster can't be given another value for.
_FIXED = {
    "networking": "pods and services have addresses and names in it",
    "controlPlaneEndpoint": "every machine and every kubeconfig asks there",
    "clusterName": "it is in every kubeconfig",
    "certificatesDir": "the certificates are where they are",
    "etcd.external": "the data are where they are",
    "etcd.local.dataDir": "the data are where they are",
    "kubernetesVersion": "Roost has no upgrade of a running cluster yet",
}
# Annotations of manifests that say at which address a machine serves.
_ADDRESSES = ("advertise-address.endpoint", "etcd.advertise-client-urls")


@dataclass
class Drift:
    """What differs, with its reason, and the steps for it, in the order of acting."""

    changes: list[dict[str, Any]] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)
    # What kubelets shall have, for machines that come after.
    kubelet_configuration: str = ""


def control_plane(seen: Mapping[str, Any], documents: list[Document]) -> Drift:
    """Compare what kubeadm renders with what was seen on a control-plane machine."""
    wanted = _config_maps(seen["dry_run"])
    drift = Drift(kubelet_configuration=wanted["kubelet-config"]["kubelet"])
    cluster = list(_document(wanted, seen["config_maps"], "kubeadm-config", "ClusterConfiguration"))
    _refuse_fixed(cluster, seen)
    _cluster(drift, cluster, seen, documents)
    kubelets = list(_document(wanted, seen["config_maps"], "kubelet-config", "kubelet"))
    file = _between(seen["files"].get(KUBELET_FILE, ""), seen["rendered"]["config.yaml"])
    _kubelet(drift, kubelets, file, bool(seen["kubelet_restart"]))
    if cluster or kubelets:
        drift.steps.append({"name": "upload"})
    _proxy(drift, wanted, seen)
    if any(path == "dns" or path.startswith("dns.") for path, _old, _new in cluster):
        drift.steps.append({"name": "coredns"})
    return drift


def worker(seen: Mapping[str, Any], kubelet_configuration: str) -> Drift:
    """Compare a worker's kubelet with what kubelets shall have."""
    drift = Drift()
    wanted = _load(kubelet_configuration or seen["kubelet_configuration"])
    found = _load(seen["files"][KUBELET_FILE])
    # kubeadm writes these for each machine.
    own = {"containerRuntimeEndpoint", *({"resolvConf"} - wanted.keys())}
    differences = changes("", _without(found, own), _without(wanted, own))
    _kubelet(drift, [], list(differences), bool(seen["kubelet_restart"]))
    return drift


def _config_maps(output: str) -> dict[str, dict[str, str]]:
    """The data of the ConfigMaps that kubeadm would make, by name."""
    found = {}
    for part in output.split("[dryrun] Attached object:\n")[1:]:
        lines = part.splitlines()
        end = next((at for at, line in enumerate(lines) if line.startswith("[")), len(lines))
        made = _load("\n".join(lines[:end]))
        if made.get("kind") == "ConfigMap":
            found[made["metadata"]["name"]] = made.get("data") or {}
    missing = [
        name for name in ("kubeadm-config", "kubelet-config", "kube-proxy") if name not in found
    ]
    if missing:
        raise KubeadmError(
            f"kubeadm init --dry-run: expected the ConfigMaps {', '.join(missing)} in what it "
            f"prints, and not found; its last words: {output[-500:]}"
        )
    return found


def _load(text: str) -> Document:
    # As bytes: a text of Ansible's is of a kind of its own, which the quick loader refuses.
    found = yaml.load(text.encode(), Loader=_LOADER)
    return found if isinstance(found, dict) else {}


def _without(document: Document, keys: Iterable[str]) -> Document:
    return {key: value for key, value in document.items() if key not in keys}


Difference = tuple[str, Any, Any]


def _between(found: str, wanted: str) -> list[Difference]:
    return [] if found == wanted else list(changes("", _load(found), _load(wanted)))


def _document(
    wanted: Mapping[str, Mapping[str, str]], live: Mapping[str, Any], name: str, key: str
) -> list[Difference]:
    return _between(live[name]["data"].get(key, ""), wanted[name][key])


def _refuse_fixed(cluster: Iterable[Difference], seen: Mapping[str, Any]) -> None:
    """What can't be changed on a running cluster stops the run before anything is changed."""
    refused = [
        f"{path}: {told(old, new)}, and that can't be changed on a running cluster: {why}"
        for path, old, new in cluster
        for fixed, why in _FIXED.items()
        if path == fixed or path.startswith(f"{fixed}.")
    ]
    for name, text in seen["files"].items():
        rendered = seen["rendered"].get(name.rpartition("/")[2], "")
        for word in _ADDRESSES:
            old, new = _line_with(text, word), _line_with(rendered, word)
            if old and new and old != new:
                refused.append(
                    f"{name}: {explain(old, new)}, and a machine can't move on a running cluster"
                )
    if refused:
        raise KubeadmError(
            "nothing was changed, because:\n"
            + "\n".join(refused)
            + "\nPut the old value back, or make a new cluster: run `kubeadm reset` on each "
            "machine, then site.yml; or `make down`, then `make up`, where that has made them"
        )


def _line_with(text: str, word: str) -> str:
    return next((line.strip() for line in text.splitlines() if word in line), "")


def _cluster(
    drift: Drift, differences: list[Difference], seen: Mapping[str, Any], documents: list[Document]
) -> None:
    """ClusterConfiguration, and what is made from it: certificate and static pods."""
    names = certificate_names(seen["certificate"], documents)
    manifests = {
        name: (seen["files"].get(f"{MANIFESTS}/{name}.yaml", ""), text)
        for name, text in _manifests(seen["rendered"])
        if seen["files"].get(f"{MANIFESTS}/{name}.yaml", "") != text
    }
    effects = [f"{name} restarts" for name in manifests]
    if names:
        effects.insert(0, "the API server gets a new certificate")
    drift.changes += _named("ClusterConfiguration", differences, effects)
    if not any(path.startswith("apiServer.certSANs") for path, _old, _new in differences):
        drift.changes += names
    if not differences:
        drift.changes += [
            {
                "what": f"{MANIFESTS}/{name}.yaml",
                "why": f"{explain(found, wanted) if found else 'missing'}; {name} restarts",
            }
            for name, (found, wanted) in manifests.items()
        ]
    if names:
        drift.steps.append({"name": "certificate"})
    if manifests:
        drift.steps.append({"name": "images"})
    drift.steps += [{"name": "manifest", "component": name} for name in manifests]


def _manifests(rendered: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    return (
        (name, rendered[f"{name}.yaml"])
        for name in ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
        if f"{name}.yaml" in rendered
    )


def _kubelet(
    drift: Drift, cluster_wide: list[Difference], file: list[Difference], restart: bool
) -> None:
    """The configuration of all kubelets, and the file and the process on this machine."""
    drift.changes += _named("KubeletConfiguration", cluster_wide, ["kubelet restarts"])
    known = {path for path, _old, _new in cluster_wide}
    own = [difference for difference in file if difference[0] not in known]
    drift.changes += _named(KUBELET_FILE, own, ["kubelet restarts"])
    if file:
        drift.steps.append({"name": "kubelet"})
    elif restart:
        why = f"{KUBELET_FILE} changed after it was started"
        drift.changes.append({"what": "kubelet.service", "why": f"restart: {why}"})
        drift.steps.append({"name": "kubelet"})


def _proxy(drift: Drift, wanted: Mapping[str, Mapping[str, str]], seen: Mapping[str, Any]) -> None:
    differences = _document(wanted, seen["config_maps"], "kube-proxy", "config.conf")
    drift.changes += _named("KubeProxyConfiguration", differences, ["kube-proxy restarts"])
    if not differences and seen["proxy_restart"]:
        why = "restart: an earlier run ended between a new configuration and the restart"
        drift.changes.append({"what": "DaemonSet kube-system/kube-proxy", "why": why})
    if differences or seen["proxy_restart"]:
        config = wanted["kube-proxy"]["config.conf"]
        drift.steps.append({"name": "kube-proxy", "config": config})


def _named(
    document: str, differences: Iterable[Difference], effects: list[str]
) -> list[dict[str, Any]]:
    """One entry for each setting, with its values."""
    found: list[dict[str, Any]] = []
    for path, old, new in differences:
        change: dict[str, Any] = {
            "what": f"{document} {path}",
            "why": "; ".join([told(old, new), *effects]),
            "before": _value(old),
            "after": _value(new),
        }
        found.append(change)
    return found


def _value(value: Any) -> Any | None:
    return None if value is GONE else value
