# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Values that kubeadm would choke on minutes later are refused at once, all of them."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.roost.cluster.plugins.filter.kubeadm import (
    checked_control_plane_documents,
    checked_join_document,
)
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.commands import KubeadmError
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.surroundings import (
    api_answers,
    own_address,
)
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.values import problems

RIGHT: dict[str, Any] = {
    "node_name": "control",
    "node_ip": "192.168.56.100",
    "endpoint": "192.168.56.100:6443",
    "pod_cidr": "10.244.0.0/16",
    "service_cidr": "10.96.0.0/12",
}


def test_right_values_have_no_problem() -> None:
    assert problems(RIGHT, "control_plane") == []
    assert problems({**RIGHT, "endpoint": "api.example.org:443"}, "control_plane") == []
    worker = {name: RIGHT[name] for name in ("node_name", "node_ip", "endpoint")}
    assert problems(worker, "worker") == []
    assert problems({**worker, "node_name": "worker-1.example.org"}, "worker") == []


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("node_name", "Worker-1", "found 'Worker-1', expected at most 63 lower-case letters, "),
        ("node_name", "worker_1", "found 'worker_1', expected .*; rename the machine in the inv"),
        ("node_name", "w" * 64, "expected at most 63 lower-case letters"),
        ("node_ip", "fe80::1", "found 'fe80::1', expected an IPv4 address of the machine"),
        ("node_ip", "192.168.56.300", "expected an IPv4 address of the machine"),
        (
            "endpoint",
            "192.168.56.100",
            "expected the API's address and port, as in 192.168.56.1",
        ),
        ("endpoint", ":6443", "expected the API's address and port"),
        ("endpoint", "192.168.56.100:0", "expected the API's address and port"),
        ("endpoint", "https://192.168.56.100:6443", "expected the API's address and port"),
        ("pod_cidr", "10.244.0.0/33", "expected an IPv4 network such as 10.0.0.0/16"),
        ("service_cidr", "10.96.0.1/12", "expected an IPv4 network such as 10.0.0.0/16: .*host bi"),
        ("pod_cidr", "10.244.0.0", "expected an IPv4 network such as 10.0.0.0/16: write the leng"),
        ("pod_cidr", "10.96.0.0/16", "which overlaps control_plane_service_cidr 10.96.0.0/12"),
    ],
)
def test_a_wrong_value_is_named(name: str, value: str, said: str) -> None:
    [problem] = problems({**RIGHT, name: value}, "control_plane")
    assert problem.startswith(f"control_plane_{name}: found ")
    assert re.search(said, problem)


@pytest.mark.parametrize(
    ("configuration", "said"),
    [
        ({"certificatesDir": "/srv/pki"}, "certificatesDir: found '/srv/pki', expected /etc/kube"),
        (
            {"etcd": {"local": {"dataDir": "/data"}}},
            "etcd.local.dataDir: found '/data', expected /var/lib/etcd, .* mount a disk there",
        ),
    ],
)
def test_places_that_are_looked_at_stay(configuration: dict[str, Any], said: str) -> None:
    [problem] = problems({**RIGHT, "cluster_configuration": configuration}, "control_plane")
    assert re.match(f"control_plane_cluster_configuration: {said}", problem)


@pytest.mark.parametrize(
    "configuration",
    [
        {},
        {"certificatesDir": "/etc/kubernetes/pki"},
        {"etcd": {"local": {"dataDir": "/var/lib/etcd"}}},
        {"etcd": None},
    ],
)
def test_their_own_names_are_fine(configuration: dict[str, Any]) -> None:
    assert problems({**RIGHT, "cluster_configuration": configuration}, "control_plane") == []


def test_all_are_told_at_once() -> None:
    wrong = {**RIGHT, "node_ip": "none", "endpoint": "none", "pod_cidr": "none"}
    with pytest.raises(AnsibleFilterError) as refused:
        checked_control_plane_documents(wrong)
    assert str(refused.value).count("found 'none'") == 3
    with pytest.raises(AnsibleFilterError, match="worker_endpoint: found 'none'"):
        checked_join_document({**RIGHT, "endpoint": "none"})


def test_an_address_of_another_machine_is_refused() -> None:
    own_address("127.0.0.1")
    with pytest.raises(KubeadmError, match=r"node IP 192\.0\.2\.1: found on no interface"):
        own_address("192.0.2.1")


@pytest.fixture
def plain() -> Iterator[str]:
    """A server that speaks no TLS, and says so as soon as it is spoken to."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            try:
                while True:
                    connection, _peer = server.accept()
                    with connection:
                        connection.recv(1024)
                        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            except OSError:
                return  # closed at the end of the test

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_an_api_that_does_not_answer_is_named_with_its_port(plain: str) -> None:
    with pytest.raises(KubeadmError, match=r"at 127\.0\.0\.1:9 can't be .*refused; expected an"):
        api_answers("127.0.0.1:9", limit=0.1)
    port = plain.rpartition(":")[2]
    with pytest.raises(
        KubeadmError, match=rf"found .*SSL.*; expected an answer on TCP port {port}"
    ):
        api_answers(plain, limit=0.1)


def test_an_answer_over_tls_is_enough(monkeypatch: pytest.MonkeyPatch, plain: str) -> None:
    """Whatever its status; that the certificate is right, kubeadm looks at."""

    def unwrapped(_context: Any, sock: socket.socket, **_options: Any) -> socket.socket:
        return sock

    monkeypatch.setattr(ssl.SSLContext, "wrap_socket", unwrapped)
    api_answers(plain, limit=0.1)
