# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The registry, asked over the network by the machines it is for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest

PORT = 5000
ASK = """
import json, sys, urllib.error, urllib.request
method, url, accept = sys.argv[1:]
request = urllib.request.Request(url, method=method, headers={"Accept": accept})
try:
    answer = urllib.request.urlopen(request, timeout=10)
except urllib.error.HTTPError as error:
    answer = error
headers = {key.lower(): value for key, value in answer.headers.items()}
print(json.dumps([answer.status, headers, answer.read().decode()]))
"""
MANIFESTS = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json"

Ask = Callable[..., "tuple[int, dict[str, str], str]"]


@pytest.fixture(scope="module")
def base(addresses: dict[str, str]) -> str:
    return f"http://{addresses['control']}:{PORT}"


@pytest.fixture(scope="module")
def worker(machine: Callable[[str], Any]) -> Any:
    return machine("worker-1")


@pytest.fixture(scope="module")
def ask(worker: Any, base: str) -> Ask:
    """Asks from a worker: status, headers and body."""

    def ask_registry(method: str, path: str, accept: str = "*/*") -> tuple[int, Any, str]:
        command = worker.check_output("python3 -c %s %s %s %s", ASK, method, base + path, accept)
        status, headers, body = json.loads(command)
        return status, headers, body

    return ask_registry


def for_nodes(bundle: dict[str, Any], kind: str) -> dict[str, Any]:
    found = {
        name: entry
        for name, entry in bundle.items()
        if entry["kind"] == kind and entry["where"] == "nodes"
    }
    assert len(found) > 5
    return found


def test_every_image_is_there_under_its_tag(ask: Ask, bundle: dict[str, Any]) -> None:
    for entry in for_nodes(bundle, "image").values():
        name, _, tag = entry["name"].partition("/")[2].rpartition(":")
        status, headers, body = ask("GET", f"/v2/{name}/manifests/{tag}", MANIFESTS)
        assert status == 200, entry["name"]
        assert headers["docker-content-digest"] == entry["digest"]
        assert f"sha256:{hashlib.sha256(body.encode()).hexdigest()}" == entry["digest"]


def test_every_file_is_there(ask: Ask, bundle: dict[str, Any]) -> None:
    for name, entry in for_nodes(bundle, "file").items():
        repository = entry["name"].rpartition(":")[0]
        status, headers, _ = ask("HEAD", f"/v2/{repository}/blobs/{entry['blob']}")
        assert status == 200, name
        assert int(headers["content-length"]) > 0


def test_a_file_arrives_whole(worker: Any, base: str, bundle: dict[str, Any]) -> None:
    """Fetched by another machine, unpacked and hashed there."""
    entry = bundle["runc"]
    url = f"{base}/v2/{entry['name'].rpartition(':')[0]}/blobs/{entry['blob']}"
    fetch = (
        "import sys, urllib.request as u; sys.stdout.buffer.write(u.urlopen(sys.argv[1]).read())"
    )
    hashed = worker.check_output("python3 -c %s %s | gzip -dc | sha256sum", fetch, url)
    assert hashed.split()[0] == entry["sha256"]


def test_what_it_lacks_it_says_so_of(ask: Ask) -> None:
    assert ask("GET", "/v2/roost/absent/manifests/v1", MANIFESTS)[0] == 404


def test_nothing_can_be_written(ask: Ask, bundle: dict[str, Any]) -> None:
    name = bundle["pause"]["name"].partition("/")[2].rpartition(":")[0]
    digest = bundle["pause"]["digest"]
    for method, path in (
        ("POST", f"/v2/{name}/blobs/uploads/"),
        ("PUT", f"/v2/{name}/manifests/other"),
        ("DELETE", f"/v2/{name}/manifests/{digest}"),
        ("DELETE", f"/v2/{name}/blobs/{digest}"),
    ):
        assert ask(method, path)[0] == 405, f"{method} {path}"
    assert ask("GET", f"/v2/{name}/manifests/{digest}", MANIFESTS)[0] == 200
    assert ask("GET", f"/v2/{name}/manifests/other", MANIFESTS)[0] == 404


def test_it_is_bound_to_the_private_address_only(host: Any, addresses: dict[str, str]) -> None:
    listening = [each for each in host.socket.get_listening_sockets() if each.endswith(f":{PORT}")]
    assert listening == [f"tcp://{addresses['control']}:{PORT}"]
    [first] = [each for each in host.interface("eth0").addresses if "." in each]
    connect = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 2)"
    host.run_expect([0], "python3 -c %s %s %s", connect, addresses["control"], str(PORT))
    for other in ("127.0.0.1", first):
        refused = host.run("python3 -c %s %s %s", connect, other, str(PORT))
        assert "ConnectionRefusedError" in refused.stderr


def process(host: Any) -> Any:
    [found] = host.process.filter(comm="registry")
    return found


def test_it_runs_as_nobody_who_could_change_the_store(host: Any) -> None:
    user = process(host).user
    assert user != "root"
    done = host.run(f"setpriv --reuid={user} --clear-groups test -w /var/lib/roost/registry")
    assert done.rc == 1, done.stderr


def test_it_comes_back_when_it_dies(host: Any, ask: Ask, eventually: Any) -> None:
    before = process(host).pid
    host.run_expect([0], f"kill -KILL {before}")
    eventually(
        lambda: [each.pid != before for each in host.process.filter(comm="registry")], [True], 10
    )
    eventually(lambda: host.run(f"ss -Hltn 'sport = {PORT}'").stdout != "", True, 10)
    assert ask("GET", "/v2/")[0] == 200


def test_it_starts_with_the_machine(host: Any) -> None:
    wanted = host.check_output("systemctl list-dependencies --plain multi-user.target").split()
    assert "roost-registry.service" in wanted
