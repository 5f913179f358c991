# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""kubeadm's documents: ours, and a person's values over them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.documents import (
    as_text,
    control_plane_documents,
    join_document,
    merged,
)

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
    "init_configuration": {
        "nodeRegistration": {"kubeletExtraArgs": [{"name": "v", "value": "2"}]},
        "localAPIEndpoint": {"bindPort": 8443},
    },
    "join_configuration": {"nodeRegistration": {"imagePullPolicy": "Always"}},
    "taints": [{"key": "gpu", "value": "", "effect": "NoSchedule"}],
    "cluster_configuration": {"networking": {"dnsDomain": "lab.example"}},
    "kubelet_configuration": {"failSwapOn": False},
    "kube_proxy_configuration": {"mode": "nftables"},
}


def documents() -> dict[str, dict[str, Any]]:
    return {document["kind"]: document for document in control_plane_documents(VALUES)}


def test_everything_is_bound_to_the_private_address() -> None:
    init = documents()["InitConfiguration"]
    assert init["localAPIEndpoint"]["advertiseAddress"] == "192.168.56.100"
    assert {"name": "node-ip", "value": "192.168.56.100"} in init["nodeRegistration"][
        "kubeletExtraArgs"
    ]


def test_a_node_is_registered_with_its_taints() -> None:
    taints = [{"key": "gpu", "effect": "NoSchedule"}]
    assert documents()["InitConfiguration"]["nodeRegistration"]["taints"] == taints
    assert join_document(VALUES)["nodeRegistration"]["taints"] == taints
    assert join_document({**VALUES, "taints": []})["nodeRegistration"]["taints"] == []


def test_versions_come_from_the_bundle() -> None:
    cluster = documents()["ClusterConfiguration"]
    assert cluster["kubernetesVersion"] == "v1.36.3"
    assert cluster["dns"]["imageTag"] == "v1.15.0"
    assert cluster["etcd"]["local"]["imageTag"] == "3.6.16-0"


def test_a_persons_values_win_key_by_key() -> None:
    found = documents()
    networking = found["ClusterConfiguration"]["networking"]
    assert networking["dnsDomain"] == "lab.example"
    assert networking["podSubnet"] == "10.244.0.0/16"
    assert found["KubeletConfiguration"]["failSwapOn"] is False
    assert found["KubeletConfiguration"]["cgroupDriver"] == "systemd"
    assert found["KubeProxyConfiguration"]["mode"] == "nftables"
    assert found["InitConfiguration"]["localAPIEndpoint"]["bindPort"] == 8443
    joined = join_document(VALUES)["nodeRegistration"]
    assert (joined["imagePullPolicy"], joined["name"]) == ("Always", "control")


def test_extra_arguments_come_beside_ours() -> None:
    arguments = documents()["InitConfiguration"]["nodeRegistration"]["kubeletExtraArgs"]
    assert arguments == [
        {"name": "node-ip", "value": "192.168.56.100"},
        {"name": "v", "value": "2"},
    ]


def test_the_api_listens_on_the_endpoints_port_unless_told_otherwise() -> None:
    init = control_plane_documents({**VALUES, "init_configuration": {}})[0]
    assert init["localAPIEndpoint"]["bindPort"] == 6443


def test_the_api_certificate_names_the_endpoint_and_the_extra_names() -> None:
    assert documents()["ClusterConfiguration"]["apiServer"]["certSANs"] == [
        "192.168.56.100",
        "api.example",
    ]


def test_a_join_document_holds_no_secret() -> None:
    document = join_document(VALUES)
    assert document["discovery"] == {"bootstrapToken": {"apiServerEndpoint": "192.168.56.100:6443"}}
    assert "token" not in json.dumps(document).replace("bootstrapToken", "")


@pytest.mark.parametrize(
    ("ours", "theirs", "result"),
    [
        ({"a": 1}, {}, {"a": 1}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}, {"a": {"b": 3, "c": 2}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": {"b": 1}}, {"a": None}, {"a": None}),
        (
            [{"name": "a", "x": 1, "y": 1}, {"name": "b"}],
            [{"name": "c"}, {"name": "a", "x": 2}],
            [{"name": "b"}, {"name": "c"}, {"name": "a", "x": 2, "y": 1}],
        ),
        ([{"name": "a"}], [1], [1]),
        ([{"name": "a"}], [], []),
    ],
)
def test_merged(ours: Any, theirs: Any, result: Any) -> None:
    assert merged(ours, theirs) == result


def test_documents_are_separated() -> None:
    assert [json.loads(part) for part in as_text([{"a": 1}, {"b": 2}]).split("---")] == [
        {"a": 1},
        {"b": 2},
    ]
