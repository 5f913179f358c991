# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.api.absent import dry_run_client
from ansible_collections.roost.cluster.plugins.module_utils.api.client import (
    KubernetesClient,
    Refused,
    Unreachable,
    repair,
)

SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "app", "namespace": "digits"},
    "spec": {"ports": [{"port": 8080}]},
}
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "digits"}}
BIG = "x" * 70_000
FAILURE = {
    "status": "Failure",
    "message": "command terminated with exit code 1",
    "details": {"causes": [{"reason": "ExitCode", "message": "1"}]},
}
# The last frames of an exec, by pod: what goes to standard error, and how it ended.
SUCCESS = (3, json.dumps({"status": "Success"}))
ENDS = {"broken": [(2, "no such page"), (3, json.dumps(FAILURE))], "endless": []}


class Api(BaseHTTPRequestHandler):
    """As much of an API server as the client needs."""

    server: Any

    def log_message(self, *_args: Any) -> None:
        pass

    def answer(self, status: int, body: Any, kind: str = "application/json") -> None:
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        self.server.seen.append(("GET", self.path, None, dict(self.headers)))
        if self.path == "/readyz":
            ready = not self.server.hangs
            self.answer(200 if ready else 500, "ok" if ready else "[+]ping ok\n[-]etcd failed")
        elif "/exec" in self.path:
            self.execute()
        elif self.path == "/api/v1/namespaces/digits/services/app":
            self.answer(200, SERVICE)
        elif self.path.startswith("/apis/apps/v1/namespaces/digits/deployments"):
            self.answer(200, {"apiVersion": "apps/v1", "items": [{"metadata": {"name": "app-v1"}}]})
        elif self.path == "/apis/networking.istio.io/v1":
            self.answer(200, {"resources": [{"name": "gateways"}, {"name": "virtualservices"}]})
        elif self.path.endswith(":15090/proxy/stats"):
            self.answer(200, "no JSON", "text/plain")
        elif "/log" in self.path:
            self.answer(200, "last line\n", "text/plain")
        elif "peerauthentications" in self.path:
            self.answer(404, "404 page not found", "text/plain")
        else:
            self.answer(404, {"message": "not found", "code": 404})

    def do_PATCH(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append(("PATCH", self.path, body, dict(self.headers)))
        if body["metadata"]["name"] == "bad":
            self.answer(422, {"message": "spec.ports: Invalid value", "code": 422})
        else:
            self.answer(200, {**body, "metadata": {**body["metadata"], "uid": "1"}})

    def execute(self) -> None:
        """A WebSocket that carries standard output in two frames, and then the status."""
        magic = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(magic.encode()).digest()).decode()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", accept)
        self.send_header("Sec-WebSocket-Protocol", "v4.channel.k8s.io")
        self.end_headers()
        pod = self.path.split("/")[6]
        frames = [(1, '{"a": '), (1, json.dumps(BIG) + "}"), *ENDS.get(pod, [SUCCESS])]
        for channel, text in frames:
            self.frame(2, bytes([channel]) + text.encode())
        self.frame(8, b"")
        self.close_connection = True

    def frame(self, kind: int, data: bytes) -> None:
        size = len(data)
        head = bytes([0x80 | kind])
        head += bytes([size]) if size < 126 else bytes([127]) + size.to_bytes(8, "big")
        self.wfile.write(head + data)


@pytest.fixture
def server() -> Iterator[Any]:
    api = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    api.seen = []  # type: ignore[attr-defined]  # the handler adds to it
    api.hangs = False  # type: ignore[attr-defined]  # a test may set it
    thread = threading.Thread(target=api.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield api
    api.shutdown()
    api.server_close()


def kubeconfig(folder: Path, port: int) -> str:
    file = folder / "config"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "u", "user": {"token": "secret"}}],
    }
    file.write_text(json.dumps(config), encoding="utf-8")
    return str(file)


@pytest.fixture
def client(server: Any, tmp_path: Path) -> KubernetesClient:
    return KubernetesClient(kubeconfig(tmp_path, server.server_port))


def test_an_object_is_fetched(client: KubernetesClient) -> None:
    assert client.get(SERVICE) == SERVICE
    assert client.get({**SERVICE, "metadata": {"name": "no", "namespace": "digits"}}) is None
    assert client.get(NAMESPACE) is None


def test_no_proxy_is_asked(server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that the machine has is for official sites."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    client = KubernetesClient(kubeconfig(tmp_path, server.server_port))
    assert client.get(SERVICE) == SERVICE
    assert client.execute("digits", "app-1", "istio-proxy", ["true"]).code == 0


def test_a_list_names_its_items_kind(client: KubernetesClient, server: Any) -> None:
    (item,) = client.list("Deployment", "digits", "a=b,c=d")
    assert item == {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "app-v1"}}
    assert server.seen[-1][1].endswith("?labelSelector=a%3Db%2Cc%3Dd")


def test_a_kind_that_is_not_served_has_no_objects(client: KubernetesClient) -> None:
    assert client.list("PeerAuthentication", "digits") == []
    assert client.serves("VirtualService") is True
    assert client.serves("DestinationRule") is False
    assert client.serves("PeerAuthentication") is False


def test_a_dry_run_is_a_server_side_apply(client: KubernetesClient, server: Any) -> None:
    assert client.dry_run(SERVICE)["metadata"]["uid"] == "1"
    method, path, body, headers = server.seen[-1]
    assert (method, body) == ("PATCH", SERVICE)
    assert path == (
        "/api/v1/namespaces/digits/services/app?fieldManager=roost&force=true&dryRun=All"
    )
    assert headers["Content-Type"] == "application/apply-patch+yaml"
    assert headers["authorization"] == "Bearer secret"


def test_a_refusal_has_the_servers_words(client: KubernetesClient) -> None:
    with pytest.raises(Refused, match=r"422 spec\.ports: Invalid value") as refused:
        client.dry_run({**SERVICE, "metadata": {"name": "bad", "namespace": "digits"}})
    assert refused.value.status == 422


def test_the_output_of_a_command_is_as_it_was_written(
    client: KubernetesClient, server: Any
) -> None:
    ended = client.execute(
        "digits", "app-1", "istio-proxy", ["pilot-agent", "request", "GET", "a?b=c"]
    )
    assert (ended.code, ended.errors) == (0, "")
    assert json.loads(ended.output) == {"a": BIG}
    _method, path, _body, headers = server.seen[-1]
    assert path.startswith("/api/v1/namespaces/digits/pods/app-1/exec?container=istio-proxy")
    assert path.endswith("command=pilot-agent&command=request&command=GET&command=a%3Fb%3Dc")
    assert headers["authorization"] == "Bearer secret"


def test_a_command_that_fails_is_told(client: KubernetesClient) -> None:
    ended = client.execute("digits", "broken", "istio-proxy", ["false"])
    assert (ended.code, ended.errors) == (1, "no such page")


def test_a_command_without_an_end_is_told(client: KubernetesClient) -> None:
    ended = client.execute("digits", "endless", "istio-proxy", ["sleep"])
    assert (ended.code, ended.errors) == (None, "exec in endless: no end within 15 s")


def test_a_pod_is_asked_through_the_api_server(client: KubernetesClient, server: Any) -> None:
    assert client.ask_pod("digits", "app-1", 15090, "stats") == (200, "no JSON")
    assert client.ask_pod("digits", "app-1", 8080, "")[0] == 404
    assert server.seen[0][1] == "/api/v1/namespaces/digits/pods/app-1:15090/proxy/stats"


def test_the_log(client: KubernetesClient) -> None:
    assert client.log("digits", "app-1", "app", 5) == "last line\n"


def test_a_dry_run_needs_no_cluster(tmp_path: Path) -> None:
    nobody = dry_run_client(str(tmp_path / "none"))
    assert nobody.get(SERVICE) is None
    with pytest.raises(Refused, match="there is no cluster yet"):
        nobody.dry_run(SERVICE)


def test_of_a_cluster_that_is_not_ready_a_dry_run_asks_nothing_more(
    server: Any, tmp_path: Path
) -> None:
    path = kubeconfig(tmp_path, server.server_port)
    assert dry_run_client(path).get(SERVICE) == SERVICE
    server.hangs = True
    asked = len(server.seen)
    with pytest.raises(Unreachable, match=r"isn't ready: found \[-\]etcd failed; expected ok"):
        dry_run_client(path)
    assert len(server.seen) == asked + 1


def test_no_kubeconfig(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match=r"no kubeconfig at .* run playbooks/cluster\.yml first"):
        KubernetesClient(str(tmp_path / "none"))


def test_a_kubeconfig_that_can_not_be_used(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("{}", encoding="utf-8")
    with pytest.raises(Unreachable, match="config can't be used: "):
        KubernetesClient(str(file))


def test_no_server(tmp_path: Path) -> None:
    client = KubernetesClient(kubeconfig(tmp_path, 1))
    with pytest.raises(Unreachable, match="doesn't answer"):
        client.get(SERVICE)
    ended = client.execute("digits", "app-1", "istio-proxy", ["true"])
    assert ended.code is None
    assert "exec in app-1: " in ended.errors


@pytest.mark.parametrize(
    ("error", "renewed"),
    [
        ("certificate verify failed: certificate has expired (_ssl.c:1006)", True),
        ("certificate verify failed: certificate is not yet valid (_ssl.c:1006)", False),
    ],
)
def test_a_certificate_that_has_run_out_is_told_beside_a_clock(error: str, renewed: bool) -> None:
    told = repair(error)
    assert "by the clock of this machine: set it right if it is off" in told
    assert ("`kubeadm certs renew all`" in told) == renewed
