# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The control plane, asked with the kubeconfig that a person gets; and who else may ask it.

There is no pod network yet, so what runs here uses the machine's own.
"""

from __future__ import annotations

import base64
import ssl
import stat
import urllib.error
import urllib.request
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509

from tests.pods import Pods, condition

SYSTEM = "kube-system"
COMPONENTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")


@pytest.fixture(scope="session")
def kubeconfig(setting: Any) -> Path:
    return Path(setting("kubeconfig"))


@pytest.fixture(scope="session")
def access(kubeconfig: Path) -> dict[str, Any]:
    """The one cluster and the one user of the kubeconfig."""
    content = yaml.safe_load(kubeconfig.read_text())
    [cluster], [user] = content["clusters"], content["users"]
    return {**cluster["cluster"], **user["user"]}


def certificate(text: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(base64.b64decode(text))


# -- The way in -----------------------------------------------------------------------------


def test_the_kubeconfig_is_for_nobody_else(kubeconfig: Path, host: Any) -> None:
    assert stat.S_IMODE(kubeconfig.stat().st_mode) == 0o600
    for path in ("admin.conf", "pki/ca.key", "pki/apiserver.key", "pki/sa.key"):
        shown = host.check_output(f"stat --format='%U %a' /etc/kubernetes/{path}")
        assert shown == "root 600", path


def test_it_is_an_administrators(api: Any, access: dict[str, Any]) -> None:
    from kubernetes import client

    review = client.V1SelfSubjectAccessReview(
        spec=client.V1SelfSubjectAccessReviewSpec(
            resource_attributes=client.V1ResourceAttributes(verb="*", group="*", resource="*")
        )
    )
    answer = client.AuthorizationV1Api(api.api_client).create_self_subject_access_review(review)
    assert answer.status.allowed
    ends = certificate(access["client-certificate-data"]).not_valid_after_utc
    assert ends > datetime.now(timezone.utc) + timedelta(days=360)


def test_the_api_proves_who_it_is(access: dict[str, Any], addresses: dict[str, str]) -> None:
    """Under its address, with a certificate that the kubeconfig's authority has signed."""
    assert access["server"] == f"https://{addresses['control']}:6443"
    trusted = base64.b64decode(access["certificate-authority-data"]).decode()
    context = ssl.create_default_context(cadata=trusted)
    with urllib.request.urlopen(f"{access['server']}/healthz", context=context) as answer:
        assert answer.read() == b"ok"


@pytest.mark.parametrize("path", ["/api/v1/secrets", "/api/v1/nodes", "/apis/apps/v1/deployments"])
def test_strangers_learn_nothing(access: dict[str, Any], path: str) -> None:
    trusted = base64.b64decode(access["certificate-authority-data"]).decode()
    context = ssl.create_default_context(cadata=trusted)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(access["server"] + path, context=context)
    assert refused.value.code in (401, 403)


def test_only_the_api_is_open_to_other_machines(host: Any, addresses: dict[str, str]) -> None:
    listening = set(host.socket.get_listening_sockets())
    private = f"tcp://{addresses['control']}"
    etcd = {each for each in listening if each.rpartition(":")[2] in ("2379", "2380", "2381")}
    assert etcd == {
        "tcp://127.0.0.1:2379",
        f"{private}:2379",
        f"{private}:2380",
        "tcp://127.0.0.1:2381",
    }
    others = {each for each in listening if each.rpartition(":")[2] in ("10257", "10259", "10248")}
    assert others == {f"tcp://127.0.0.1:{port}" for port in (10257, 10259, 10248)}


def test_etcd_asks_for_a_certificate(host: Any, addresses: dict[str, str]) -> None:
    ask = (
        "import ssl, sys, urllib.request as u; c = ssl.create_default_context(cafile=sys.argv[1]);"
        "c.load_cert_chain(*sys.argv[3:]) if sys.argv[3:] else None;"
        "print(u.urlopen(sys.argv[2] + '/health', context=c).read().decode())"
    )
    pki, url = "/etc/kubernetes/pki/etcd", f"https://{addresses['control']}:2379"
    with_one = f"{pki}/healthcheck-client.crt {pki}/healthcheck-client.key"
    answer = host.check_output(f"python3 -c %s {pki}/ca.crt {url} {with_one}", ask)
    assert yaml.safe_load(answer)["health"] == "true"
    assert host.run(f"python3 -c %s {pki}/ca.crt {url}", ask).rc != 0


# -- What runs ------------------------------------------------------------------------------


def test_the_api_and_all_it_needs_are_ready(host: Any) -> None:
    kubectl = "kubectl --kubeconfig=/etc/kubernetes/admin.conf"
    answer = host.check_output(f"{kubectl} get --raw '/readyz?verbose'")
    assert "[+]etcd ok" in answer
    assert "[-]" not in answer


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_component_runs_the_bundles_image(
    api: Any, bundle: dict[str, Any], eventually: Any, name: str
) -> None:
    def read() -> Any:
        return api.read_namespaced_pod(f"{name}-control", SYSTEM)

    # It answers already; kubelet probes it, and writes so, every ten seconds.
    eventually(lambda: condition(read(), "Ready"), "True", 30)
    [container] = read().status.container_statuses
    assert container.image_id.endswith(bundle[name]["digest"])


def test_the_api_has_the_bundles_version(api: Any, bundle: dict[str, Any]) -> None:
    from kubernetes import client

    version = client.VersionApi(api.api_client).get_code().git_version
    assert version == bundle["kube-apiserver"]["version"]


def test_ordinary_pods_stay_away(api: Any) -> None:
    taints = {taint.key: taint.effect for taint in api.read_node("control").spec.taints}
    assert taints["node-role.kubernetes.io/control-plane"] == "NoSchedule"


def test_a_pod_is_scheduled_and_runs(pods: Pods) -> None:
    """Through API, controllers, scheduler, kubelet and runtime, with an image of the registry."""
    pods.start("probe", spec={"hostNetwork": True, "tolerations": [{"operator": "Exists"}]})
    pods.wait("probe")
    assert pods.execute("probe", "cat", "/proc/1/comm") == "python3\n"


def test_what_is_deleted_goes(pods: Pods, api: Any, eventually: Any) -> None:
    """The controllers run: a pod that was deleted is made anew, until its deployment goes."""
    from kubernetes import client

    apps = client.AppsV1Api(api.api_client)
    labels = {"app": "waits"}
    apps.create_namespaced_deployment(
        pods.namespace,
        {
            "metadata": {"name": "waits"},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pods.spec("waits")},
            },
        },
    )

    def made() -> list[str]:
        found = api.list_namespaced_pod(pods.namespace, label_selector="app=waits").items
        return [pod.metadata.uid for pod in found if not pod.metadata.deletion_timestamp]

    eventually(lambda: len(made()), 1, 15)
    [first] = made()
    [pod] = api.list_namespaced_pod(pods.namespace, label_selector="app=waits").items
    # It waits for a worker, so there is no kubelet that would have to confirm it.
    api.delete_namespaced_pod(pod.metadata.name, pods.namespace, grace_period_seconds=0)
    eventually(lambda: len(made()) == 1 and made() != [first], True, 15)
    apps.delete_namespaced_deployment("waits", pods.namespace)
    eventually(made, [], 30)
