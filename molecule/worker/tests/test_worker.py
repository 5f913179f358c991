# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Workers, asked of the API and of kubelet; and that the way in is closed again.

There is no pod network yet, so nodes aren't Ready; what uses the node's own network runs.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

WORKERS = ("worker-1", "worker-2")
# kubeadm's bootstrap tokens: six characters that may be seen, and sixteen that may not.
TOKEN = r"\b[a-z0-9]{6}\.[a-z0-9]{16}\b"
PLACES = "/etc /home /root /run /tmp /var/lib/kubelet /var/tmp"


def condition(pod: Any, kind: str) -> str:
    return next((each.status for each in pod.status.conditions or [] if each.type == kind), "")


def proxies(api: Any) -> dict[str, Any]:
    """kube-proxy's pods, by node."""
    pods = api.list_namespaced_pod("kube-system", label_selector="k8s-app=kube-proxy").items
    return {pod.spec.node_name: pod for pod in pods}


# -- The API --------------------------------------------------------------------------------


def test_the_api_lists_them(api: Any, bundle: dict[str, Any], setting: Any) -> None:
    prefix = setting("subnet").rpartition(".")[0]
    nodes = {node.metadata.name: node for node in api.list_node().items}
    assert set(nodes) == {"control", *WORKERS}
    for number, name in enumerate(WORKERS, start=101):
        status = nodes[name].status
        [address] = [each.address for each in status.addresses if each.type == "InternalIP"]
        assert address == f"{prefix}.{number}"
        assert status.node_info.kubelet_version == bundle["kubelet"]["version"]
        assert status.node_info.container_runtime_version.startswith("containerd://")


@pytest.mark.parametrize("name", WORKERS)
def test_it_may_run_pods(api: Any, name: str) -> None:
    """Only the network is missing, and nothing else keeps pods away."""
    taints = {taint.key for taint in api.read_node(name).spec.taints or []}
    assert taints == {"node.kubernetes.io/not-ready"}


@pytest.mark.parametrize("name", WORKERS)
def test_the_api_reaches_its_kubelet(api: Any, name: str) -> None:
    assert api.connect_get_node_proxy_with_path(name, "healthz") == "ok"


@pytest.mark.parametrize("name", WORKERS)
def test_it_reports_that_it_lives(api: Any, name: str, eventually: Any) -> None:
    from kubernetes import client

    coordination = client.CoordinationV1Api(api.api_client)

    def is_renewed() -> bool:
        # Its kubelet makes the lease some time after the join.
        leases = coordination.list_namespaced_lease("kube-node-lease").items
        renewed = [lease.spec.renew_time for lease in leases if lease.metadata.name == name]
        oldest = datetime.now(timezone.utc) - timedelta(seconds=40)
        return any(when > oldest for when in renewed)

    eventually(is_renewed, True, 30)


@pytest.mark.parametrize("name", WORKERS)
def test_a_pod_runs_on_it(api: Any, name: str, bundle: dict[str, Any], eventually: Any) -> None:
    """kube-proxy comes by DaemonSet, with an image that the node pulls from the registry."""
    eventually(lambda: condition(proxies(api)[name], "Ready"), "True", 90)
    [container] = proxies(api)[name].status.container_statuses
    assert container.image_id.endswith(bundle["kube-proxy"]["digest"])


def test_no_token_is_left_in_the_cluster(api: Any, eventually: Any) -> None:
    secrets = api.list_namespaced_secret(
        "kube-system", field_selector="type=bootstrap.kubernetes.io/token"
    )
    assert [secret.metadata.name for secret in secrets.items] == []

    def signatures() -> list[str]:
        data = api.read_namespaced_config_map("cluster-info", "kube-public").data
        return [key for key in data if key.startswith("jws-")]

    # kube-controller-manager takes back what it has signed.
    eventually(signatures, [], 15)


# -- The machines ---------------------------------------------------------------------------


def test_kubelet_says_that_it_is_well(host: Any) -> None:
    """Asked at its own door, which is open to the machine only."""
    ask = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:10248/healthz').status)"
    assert host.check_output("python3 -c %s", ask) == "200"
    assert host.socket("tcp://127.0.0.1:10248").is_listening
    assert not host.socket("tcp://0.0.0.0:10248").is_listening


def test_kubelet_starts_with_the_machine(host: Any) -> None:
    assert host.service("kubelet").is_enabled


def test_systemd_keeps_the_pods_control_groups(host: Any) -> None:
    number = host.check_output("pgrep -o -x kube-proxy")
    assert "/kubepods.slice/" in host.check_output(f"cat /proc/{number}/cgroup")


def test_no_token_is_left_on_the_machine(host: Any) -> None:
    """Only a planted one is found, which shows that the search works."""
    planted = "abcdef.0123456789abcdef"
    host.run_expect([0], f"echo {planted} > /run/planted; logger {planted}; journalctl --sync")
    # None of this prints a token.
    assert host.run(f"grep -rlPI '{TOKEN}' {PLACES}").stdout.split() == ["/run/planted"]
    found = f"journalctl --no-pager --output=cat | grep -P '{TOKEN}'"
    assert host.check_output(f"{found} | grep -F {planted} | wc -l") != "0"
    assert host.check_output(f"{found} | grep -vF {planted} | wc -l") == "0"
    assert not host.file("/etc/kubernetes/bootstrap-kubelet.conf").exists


def test_its_credentials_are_its_own_and_for_nobody_else(host: Any) -> None:
    from cryptography import x509

    pem = "/var/lib/kubelet/pki/kubelet-client-current.pem"
    assert host.check_output(f"stat --dereference --format='%U %a' {pem}") == "root 600"
    # The file has the key as well, which stays where it is.
    public = host.check_output(f"sed -n '/BEGIN CERT/,/END CERT/p' {pem}")
    subject = x509.load_pem_x509_certificate(public.encode()).subject.rfc4514_string()
    assert subject == f"CN=system:node:{host.check_output('hostname')},O=system:nodes"
