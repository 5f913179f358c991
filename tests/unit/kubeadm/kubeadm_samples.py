# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A running cluster that is as described: documents, and what kubeadm 1.36.3 has made of them.

data/dry-run.txt and data/rendered/ are what `kubeadm init --dry-run` printed and wrote for these
documents. A test changes what was found, and looks at what is said about it.
"""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.documents import (
    control_plane_documents,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.kubeadm import drift

DATA = Path(__file__).with_name("data")
VALUES: dict[str, Any] = {
    "node_name": "control",
    "node_ip": "192.168.56.100",
    "endpoint": "192.168.56.100:6443",
    "bundle": {
        "kube-apiserver": {"version": "v1.36.3"},
        "coredns": {"name": "registry.k8s.io/coredns/coredns:v1.15.0"},
        "etcd": {"name": "registry.k8s.io/etcd:3.6.16-0"},
    },
    "cluster_name": "roost",
    "domain": "cluster.local",
    "pod_cidr": "10.244.0.0/16",
    "service_cidr": "10.96.0.0/12",
    "extra_sans": ["api.example"],
    "ignored_preflight_errors": ["Swap"],
    "init_configuration": {},
    "taints": [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}],
    "cluster_configuration": {
        "apiServer": {"extraArgs": [{"name": "audit-log-maxage", "value": "30"}]}
    },
    "kubelet_configuration": {"maxPods": 120, "evictionHard": {"memory.available": "100Mi"}},
    "kube_proxy_configuration": {"conntrack": {"maxPerCore": 0, "tcpEstablishedTimeout": "0s"}},
}
NAMES = ("api.example", "control", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
DOMAIN = "kubernetes.default.svc.cluster.local"
ADDRESSES = ("10.96.0.1", "192.168.56.100")


def documents() -> list[dict[str, Any]]:
    return control_plane_documents(VALUES)


def seen() -> dict[str, Any]:
    """What the module would find on a control-plane machine that is as described."""
    output = (DATA / "dry-run.txt").read_text()
    files = {path.stem: path.read_text() for path in (DATA / "rendered").glob("*.yaml.txt")}
    made = drift._config_maps(output)
    return {
        "dry_run": output,
        "rendered": files,
        "config_maps": {name: {"data": dict(data)} for name, data in made.items()},
        "files": {
            drift.KUBELET_FILE: files["config.yaml"],
            **{
                f"{drift.MANIFESTS}/{name}": text
                for name, text in files.items()
                if name.startswith(("etcd", "kube-"))
            },
        },
        "certificate": certificate(),
        "kubelet_restart": False,
        "proxy_restart": False,
        "node": {"metadata": {}, "spec": {}},
    }


def found_instead(wanted: str, found: str, *path: str) -> dict[str, Any]:
    """The same, with another text in one place."""
    changed = copy.deepcopy(seen())
    place = changed
    for key in path[:-1]:
        place = place[key]
    assert wanted in place[path[-1]], f"{wanted} is not there, so nothing would change"
    place[path[-1]] = place[path[-1]].replace(wanted, found)
    return changed


@cache
def certificate(*more: str, without: str = "", addresses: tuple[str, ...] = ADDRESSES) -> str:
    """A certificate with the names that kubeadm gives it, and others. Nobody signs with it."""
    import ipaddress
    from datetime import datetime, timedelta, timezone

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([])
    now = datetime.now(timezone.utc)
    names = [each for each in (*NAMES, DOMAIN, *more) if each != without]
    numbers = [x509.IPAddress(ipaddress.ip_address(each)) for each in addresses]
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([*map(x509.DNSName, names), *numbers]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(Encoding.PEM).decode()
