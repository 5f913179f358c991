# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One drifted setting is named alone, with its values, and has the steps that it needs."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.commands import KubeadmError
from ansible_collections.roost.cluster.plugins.plugin_utils.kubeadm import drift
from ansible_collections.roost.cluster.plugins.plugin_utils.kubeadm.sans import certificate_names
from kubeadm_samples import ADDRESSES, certificate, documents, found_instead, seen

CLUSTER = ("config_maps", "kubeadm-config", "data", "ClusterConfiguration")
KUBELETS = ("config_maps", "kubelet-config", "data", "kubelet")
PROXY = ("config_maps", "kube-proxy", "data", "config.conf")
FILE = ("files", drift.KUBELET_FILE)
APISERVER = ("files", f"{drift.MANIFESTS}/kube-apiserver.yaml")


def compared(found: dict[str, Any]) -> tuple[list[dict[str, Any]], list[str]]:
    result = drift.control_plane(found, documents())
    steps = [step.get("component", step["name"]) for step in result.steps]
    return result.changes, steps


def test_as_described_nothing_differs() -> None:
    assert compared(seen()) == ([], [])


def test_a_setting_of_all_kubelets() -> None:
    changes, steps = compared(found_instead("maxPods: 120", "maxPods: 110", *KUBELETS))
    assert changes == [
        {
            "what": "KubeletConfiguration maxPods",
            "why": "110 → 120; kubelet restarts",
            "before": 110,
            "after": 120,
        }
    ]
    assert steps == ["upload"]


def test_the_same_setting_in_the_file_is_not_named_twice() -> None:
    found = found_instead("maxPods: 120", "maxPods: 110", *KUBELETS)
    found["files"] = found_instead("maxPods: 120", "maxPods: 110", *FILE)["files"]
    changes, steps = compared(found)
    assert [change["what"] for change in changes] == ["KubeletConfiguration maxPods"]
    assert steps == ["kubelet", "upload"]


def test_a_setting_that_left_the_description_goes() -> None:
    text = "maxPods: 120\n"
    found = found_instead(text, f"{text}    podPidsLimit: 99\n".replace("    ", ""), *KUBELETS)
    [change], _steps = compared(found)
    assert change["what"] == "KubeletConfiguration podPidsLimit"
    assert change["why"] == "removed 99; kubelet restarts"
    assert change["after"] is None


def test_a_file_that_was_edited_by_hand() -> None:
    changes, steps = compared(found_instead("maxPods: 120", "maxPods: 7", *FILE))
    assert [change["what"] for change in changes] == [f"{drift.KUBELET_FILE} maxPods"]
    assert changes[0]["why"] == "7 → 120; kubelet restarts"
    assert steps == ["kubelet"]


def test_a_kubelet_that_was_not_restarted() -> None:
    changes, steps = compared({**seen(), "kubelet_restart": True})
    assert [change["what"] for change in changes] == ["kubelet.service"]
    assert steps == ["kubelet"]


def test_an_argument_of_the_api_server() -> None:
    found = found_instead('value: "30"', 'value: "7"', *CLUSTER)
    found["files"] = found_instead("maxage=30", "maxage=7", *APISERVER)["files"]
    changes, steps = compared(found)
    assert changes == [
        {
            "what": "ClusterConfiguration apiServer.extraArgs[audit-log-maxage].value",
            "why": "7 → 30; kube-apiserver restarts",
            "before": "7",
            "after": "30",
        }
    ]
    assert steps == ["images", "kube-apiserver", "upload"]


def test_a_manifest_that_was_edited_by_hand() -> None:
    changes, steps = compared(found_instead("maxage=30", "maxage=7", *APISERVER))
    [change] = changes
    assert change["what"] == APISERVER[1]
    assert "maxage=7" in change["why"]
    assert "maxage=30" in change["why"]
    assert steps == ["images", "kube-apiserver"]


def test_a_name_that_the_certificate_lacks() -> None:
    changes, steps = compared({**seen(), "certificate": certificate(without="api.example")})
    assert [change["what"] for change in changes] == ["/etc/kubernetes/pki/apiserver.crt"]
    assert changes[0]["why"] == "it lacks api.example; it is made anew"
    assert steps == ["certificate"]


def test_a_name_that_left_the_description_leaves_the_certificate() -> None:
    [change], _steps = compared({**seen(), "certificate": certificate("old.example")})
    assert change["why"] == "it also has old.example; it is made anew"


def test_names_are_compared_as_kubeadm_writes_them() -> None:
    described = documents()
    described[1]["apiServer"]["certSANs"] = ["API.example", "2001:DB8:0::1"]
    made = certificate(addresses=(*ADDRESSES, "2001:db8::1"))
    assert certificate_names(made, described) == []


def test_another_name_is_one_change() -> None:
    found = found_instead("  - api.example\n", "", *CLUSTER)
    changes, steps = compared({**found, "certificate": certificate(without="api.example")})
    assert [change["what"] for change in changes] == ["ClusterConfiguration apiServer.certSANs"]
    assert changes[0]["after"] == ["192.168.56.100", "api.example"]
    assert "new certificate" in changes[0]["why"]
    assert steps == ["certificate", "upload"]


def test_a_setting_of_kube_proxy() -> None:
    found = found_instead("tcpEstablishedTimeout: 0s", "tcpEstablishedTimeout: 1h", *PROXY)
    changes, steps = compared(found)
    assert [change["what"] for change in changes] == [
        "KubeProxyConfiguration conntrack.tcpEstablishedTimeout"
    ]
    assert steps == ["kube-proxy"]


def test_a_kube_proxy_that_was_not_restarted() -> None:
    changes, steps = compared({**seen(), "proxy_restart": True})
    assert [change["what"] for change in changes] == ["DaemonSet kube-system/kube-proxy"]
    assert steps == ["kube-proxy"]


def test_another_tag_of_coredns() -> None:
    changes, steps = compared(found_instead("imageTag: v1.15.0", "imageTag: v1.14.0", *CLUSTER))
    assert [change["what"] for change in changes] == ["ClusterConfiguration dns.imageTag"]
    assert steps == ["upload", "coredns"]


@pytest.mark.parametrize(
    ("wanted", "found", "path"),
    [
        ("10.244.0.0/16", "10.1.0.0/16", "networking.podSubnet"),
        ("dnsDomain: cluster.local", "dnsDomain: other", "networking.dnsDomain"),
        ("v1.36.3", "v1.36.2", "kubernetesVersion"),
        ("192.168.56.100:6443", "192.168.56.9:6443", "controlPlaneEndpoint"),
        ("dataDir: /var/lib/etcd", "dataDir: /mnt", "etcd.local.dataDir"),
    ],
)
def test_what_can_not_be_changed_is_refused(wanted: str, found: str, path: str) -> None:
    with pytest.raises(KubeadmError, match="nothing was changed") as refused:
        drift.control_plane(found_instead(wanted, found, *CLUSTER), documents())
    said = str(refused.value)
    assert f"{path}: {found.rpartition(' ')[2]} → " in said
    assert "run `kubeadm reset` on each machine, then site.yml; or `make down`, then" in said


def test_a_machine_can_not_move() -> None:
    address = "192.168.56.100:6443"
    found = found_instead(f"endpoint: {address}", "endpoint: 192.168.56.7:6443", *APISERVER)
    with pytest.raises(KubeadmError, match="a machine can't move"):
        drift.control_plane(found, documents())


def test_half_an_answer_of_kubeadm_is_an_error() -> None:
    found = seen()
    found["dry_run"] = found["dry_run"][: found["dry_run"].index('"kubelet-config"')]
    with pytest.raises(KubeadmError, match="kubelet-config, kube-proxy"):
        drift.control_plane(found, documents())


# -- Workers --------------------------------------------------------------------------------


class Text(str):
    """What a template gives is no plain text: Ansible's says where it comes from."""


def on_worker(file: str, planned: str = "", **more: bool) -> list[dict[str, Any]]:
    cluster = seen()["config_maps"]["kubelet-config"]["data"]["kubelet"]
    found = {"kubelet_configuration": cluster, "files": {drift.KUBELET_FILE: file}}
    return drift.worker({**found, "kubelet_restart": False, **more}, planned).changes


def test_a_worker_as_described() -> None:
    """kubeadm writes a worker's own container runtime and resolver into its file."""
    file = seen()["files"][drift.KUBELET_FILE]
    assert "containerRuntimeEndpoint: unix:" in file
    assert on_worker(f"{file}resolvConf: /run/systemd/resolve/resolv.conf\n") == []


def test_a_worker_that_lacks_a_setting() -> None:
    file = seen()["files"][drift.KUBELET_FILE].replace("maxPods: 120", "maxPods: 110")
    [change] = on_worker(file)
    assert change["what"] == f"{drift.KUBELET_FILE} maxPods"
    assert (change["before"], change["after"]) == (110, 120)


def test_a_check_run_knows_what_it_has_only_planned() -> None:
    planned = seen()["config_maps"]["kubelet-config"]["data"]["kubelet"]
    planned = Text(planned.replace("maxPods: 120", "maxPods: 130"))
    [change] = on_worker(seen()["files"][drift.KUBELET_FILE], planned)
    assert (change["before"], change["after"]) == (120, 130)


def test_a_worker_whose_kubelet_was_not_restarted() -> None:
    [change] = on_worker(seen()["files"][drift.KUBELET_FILE], kubelet_restart=True)
    assert change["what"] == "kubelet.service"
