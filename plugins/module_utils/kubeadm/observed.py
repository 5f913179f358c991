# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a machine of a running cluster has, as text; the controller compares it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.commands import (
    BINARIES,
    must,
)
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.documents import as_text
from ansible_collections.roost.cluster.plugins.module_utils.node.core import Node
from ansible_collections.roost.cluster.plugins.module_utils.node.systemd import Systemd

KUBELET_FILE = Path("/var/lib/kubelet/config.yaml")
MANIFESTS = Path("/etc/kubernetes/manifests")
CERTIFICATE = Path("/etc/kubernetes/pki/apiserver.crt")
# On the ConfigMap of kube-proxy, from a new configuration to the end of the restart.
RESTART = "roost.cluster/restart"
# What a dry run leaves out, for it would make keys, wait or ask. Not the add-ons: kubeadm records
# in its configuration that they were left out.
_SKIPPED = (
    "preflight,certs,kubeconfig,upload-certs,wait-control-plane,mark-control-plane,bootstrap-token,"
    "kubelet-finalize,show-join-command"
)


# A dry run wants a kubeconfig, of a cluster that need not answer.
_NOBODY = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "none", "cluster": {"server": "https://127.0.0.1:1"}}],
    "users": [{"name": "none", "user": {}}],
    "contexts": [{"name": "none", "context": {"cluster": "none", "user": "none"}}],
    "current-context": "none",
}


def control_plane(
    documents: list[dict[str, Any]], objects: Mapping[str, Mapping[str, Any]], node: str
) -> dict[str, Any]:
    """What kubeadm would make of the documents, and what is there. `objects` come from the API."""
    output, rendered = _dry_run(documents)
    maps = ("kubeadm-config", "kubelet-config", "kube-proxy")
    found = {name: objects[f"ConfigMap/{name}"] for name in maps}
    annotations = found["kube-proxy"]["metadata"].get("annotations") or {}
    return {
        "dry_run": output,
        "rendered": rendered,
        "config_maps": {name: {"data": item.get("data") or {}} for name, item in found.items()},
        "files": {
            str(path): path.read_text(encoding="utf-8", errors="replace")
            for path in [KUBELET_FILE, *sorted(MANIFESTS.glob("*.yaml"))]
            if path.is_file()
        },
        "certificate": _text(CERTIFICATE),
        "kubelet_restart": kubelet_is_late(),
        "proxy_restart": RESTART in annotations,
        "node": node_object(objects[f"Node/{node}"]),
    }


def worker(node: Mapping[str, Any], kubelet_configuration: str) -> dict[str, Any]:
    """What a worker has. `node` and the configuration of all kubelets come from the API."""
    return {
        "kubelet_configuration": kubelet_configuration,
        "files": {str(KUBELET_FILE): _text(KUBELET_FILE)},
        "kubelet_restart": kubelet_is_late(),
        "node": node_object(node),
    }


def node_object(item: Mapping[str, Any]) -> dict[str, Any]:
    """What is of interest of a node; the rest is long."""
    metadata = item["metadata"]
    kept = ("labels", "annotations", "resourceVersion")
    return {
        "metadata": {key: metadata[key] for key in kept if key in metadata},
        "spec": {"taints": (item.get("spec") or {}).get("taints") or []},
    }


def kubelet_is_late() -> bool:
    """Whether kubelet runs with an older file than the one that is there."""
    started = Systemd(Node()).one("kubelet.service").started
    return started is not None and KUBELET_FILE.is_file() and KUBELET_FILE.stat().st_mtime > started


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _dry_run(documents: list[dict[str, Any]]) -> tuple[str, dict[str, str]]:
    """What kubeadm init prints and writes without a cluster. It asks nobody."""
    with tempfile.TemporaryDirectory(prefix="roost-kubeadm-", dir="/run") as folder:
        (Path(folder) / "admin.conf").write_text(json.dumps(_NOBODY), encoding="utf-8")
        output = must(
            [
                *("env", f"KUBEADM_INIT_DRYRUN_DIR={folder}", str(BINARIES / "kubeadm"), "init"),
                *("--dry-run", "--config=/dev/stdin", f"--skip-phases={_SKIPPED}"),
            ],
            stdin=as_text(documents),
        )
        written = {path.name: _text(path) for path in Path(folder).glob("*.yaml")}
    return output, written


def by_name(text: str) -> dict[str, dict[str, Any]]:
    """Objects that kubectl printed as JSON, by kind and name."""
    if not text.strip():
        return {}
    found = json.loads(text)
    # Of several that were asked for, one that is found alone is no list.
    items = found["items"] if found["kind"].endswith("List") else [found]
    return {f"{item['kind']}/{item['metadata']['name']}": item for item in items}
