# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a machine is looked at."""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.node import machine as machine_module
from ansible_collections.roost.cluster.plugins.module_utils.node import netlink
from ansible_collections.roost.cluster.plugins.module_utils.node.core import Node
from ansible_collections.roost.cluster.plugins.module_utils.node.listeners import (
    listeners,
    listening,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.machine import (
    api_server_version,
    cgroups,
    free_mb,
    look,
    parse_os_release,
    parse_routes,
    resolve,
    synchronized,
)

from tests.unit.node.helpers import Commands

DATA = Path(__file__).parent / "data"


def test_this_machine_can_be_looked_at() -> None:
    found = look(Node(check=True), ["/var/lib/not/there/yet"], [], [], ["sh", "no-such-command"])
    assert found.commands_missing == ("no-such-command",)
    assert found.facts()["hostname"] == socket.gethostname()
    assert ("lo", "127.0.0.1", 8) in [
        (one.interface, one.address, one.prefix) for one in found.addresses
    ]
    assert found.memory_mb > 100
    assert found.free_mb["/var/lib/not/there/yet"] > 0
    json.dumps(found.facts())


def test_addresses_as_the_kernel_sent_them() -> None:
    data = bytes.fromhex((DATA / "netlink-addresses.hex").read_text())
    found = [
        netlink.parse_address(body)
        for kind, body in netlink.messages(data)
        if kind == netlink.RTM_NEWADDR
    ]
    assert (1, "127.0.0.1", 8) in found
    assert all(len(address.split(".")) == 4 for _, address, _ in found)
    assert list(netlink.messages(data[:10])) == []


def test_the_version_of_a_control_plane_is_its_api_servers() -> None:
    rendered = DATA.parents[1] / "kubeadm" / "data" / "rendered" / "kube-apiserver.yaml.txt"
    assert api_server_version(rendered.read_text()) == "v1.36.3"
    assert api_server_version("") == ""


def test_os_release() -> None:
    found = parse_os_release((DATA / "os-release-debian-12.txt").read_text())
    assert (found["ID"], found["VERSION_ID"]) == ("debian", "12")
    assert parse_os_release("ID=ubuntu\nVERSION_ID='24.04'\n#x\n")["VERSION_ID"] == "24.04"


def test_the_cheapest_default_route_counts() -> None:
    text = (
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
        "wlan0\t00000000\t0101A8C0\t3\t0\t0\t600\t00000000\t0\t0\t0\n"
        "eth9\t00000000\t0101A8C0\t3\t0\t0\t100\t00000000\t0\t0\t0\n"
    )
    assert [route.interface for route in parse_routes(text)] == ["eth9", "wlan0"]


def test_cgroup_versions(node: Node) -> None:
    assert cgroups(node) == (0, ())
    proc = node.at("/proc/cgroups")
    proc.parent.mkdir()
    proc.write_text(
        "#subsys_name\thierarchy\tnum_cgroups\tenabled\n"
        "memory\t4\t12\t1\ncpu\t1\t1\t1\npids\t0\t1\t0\n"
    )
    assert cgroups(node) == (1, ("cpu", "memory"))
    unified = node.at("/sys/fs/cgroup/cgroup.controllers")
    unified.parent.mkdir(parents=True)
    unified.write_text("cpuset cpu memory\n")
    assert cgroups(node) == (2, ("cpu", "cpuset", "memory"))


def test_listening_sockets_as_recorded() -> None:
    assert listening((DATA / "proc-net-tcp6.txt").read_text()) == {"175268": 22}
    assert 22 in listening((DATA / "proc-net-tcp.txt").read_text()).values()


def test_a_listener_is_traced_to_its_process() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        assert listeners(Path("/proc"), [port]) == []  # bound, but not listening
        server.listen()
        (found,) = listeners(Path("/proc"), [port])
        assert (found.port, found.pid) == (port, os.getpid())
        assert found.process.startswith("python")
        assert listeners(Path("/proc"), [port + 1]) == []


def test_a_name_without_an_address_or_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "127.0.0.1" in resolve("localhost")

    def unknown(*args: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert resolve("worker-1") == ()

    def silent(*args: Any) -> list[Any]:
        time.sleep(3)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    began = time.monotonic()
    assert resolve("worker-1", limit=0.1) == ()
    assert time.monotonic() - began < 1


def test_free_space_is_asked_of_what_exists(tmp_path: Path) -> None:
    assert free_mb(tmp_path / "a/b/c") == pytest.approx(free_mb(tmp_path), abs=200)


def test_a_container_has_no_clock_of_its_own(node: Node, commands: Commands) -> None:
    commands.answer("timedatectl", out="no\n")
    assert synchronized(node) is False
    commands.answer("timedatectl", out="yes\n")
    assert synchronized(node) is True
    commands.answer("timedatectl", rc=1)
    assert synchronized(node) is None
    commands.answer("timedatectl", out="no\n")
    node.at("/run/systemd").mkdir(parents=True)
    node.at("/run/systemd/container").write_text("docker\n")
    assert synchronized(node) is None
    assert machine_module.number(" 12\n") == 12
    assert machine_module.number(None) == 0
