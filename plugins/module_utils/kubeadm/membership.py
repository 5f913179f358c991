# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which cluster a machine belongs to already, as it says itself."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.commands import KUBELET_CONF
from ansible_collections.roost.cluster.plugins.module_utils.node.text import api_server

# What a machine with a control plane, or with etcd alone, has. Workers may have static pods, too.
OF_CONTROL_PLANES = (
    "/etc/kubernetes/manifests/kube-apiserver.yaml",
    "/etc/kubernetes/manifests/etcd.yaml",
    "/var/lib/etcd/member",
)


def server() -> str:
    """The address of the API that kubelet asks; empty where it has no credentials."""
    kubeconfig = Path(KUBELET_CONF)
    if not kubeconfig.exists():
        return ""
    return api_server(kubeconfig.read_text(encoding="utf-8", errors="replace")) or "no address"


def control_plane() -> str:
    """The path that shows that the machine has a control plane; empty where none does."""
    return next((path for path in OF_CONTROL_PLANES if Path(path).exists()), "")
