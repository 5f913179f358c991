# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who holds a name, a network or a port."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from host import holders
from host.cluster_settings import Paths, Settings, write
from tests.unit.host.helpers import FakeDocker, container, network

BRIDGE = network("bridge", "172.17.0.0/16")
# /proc/net/route of a machine with a default route and one network of its own.
ROUTES = (
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
    "eth0\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
    "eth0\t0038A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
    "docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
)


def machine_made(paths: Paths, name: str, provider: str) -> None:
    folder = paths.vagrant / "machines" / name / provider
    folder.mkdir(parents=True)
    (folder / "id").write_text("some-id")


def test_a_cluster_lives_as_long_as_a_container_has_its_label(
    paths: Paths, fake_docker: FakeDocker
) -> None:
    fake_docker.items["container"] = [
        container("roost-lab-worker-1", running=False, roost_cluster="lab"),
        container("roost-other-control", roost_cluster="other"),
    ]
    assert holders.signs_of_life(paths, "docker") == ["container roost-lab-worker-1"]


def test_a_virtual_machine_is_a_sign_of_life(paths: Paths, fake_docker: FakeDocker) -> None:
    machine_made(paths, "control", "virtualbox")
    assert holders.signs_of_life(paths, "virtualbox") == ["virtualbox machine control"]


def test_of_containers_docker_knows_better_than_vagrant(
    paths: Paths, fake_docker: FakeDocker
) -> None:
    machine_made(paths, "control", "docker")
    assert holders.signs_of_life(paths, "docker") == []
    fake_docker.present = False
    assert holders.signs_of_life(paths, "docker") == ["docker machine control"]


def test_ones_own_cluster_is_no_other_checkouts(paths: Paths, fake_docker: FakeDocker) -> None:
    fake_docker.items["container"] = [
        container("roost-lab-control", roost_cluster="lab", roost_checkout=str(paths.root))
    ]
    assert holders.other_checkout(paths, "docker") == []
    fake_docker.present = False
    assert holders.other_checkout(paths, "docker") == []


@pytest.mark.parametrize("kind", ["container", "network"])
def test_another_checkouts_name_is_told_with_what_to_do(
    paths: Paths, tmp_path: Path, fake_docker: FakeDocker, kind: str
) -> None:
    other = tmp_path / "other"
    labels = {"roost_cluster": "lab", "roost_checkout": str(other)}
    fake_docker.items[kind] = [
        network("roost-lab", "10.7.0.0/24", **labels)
        if kind == "network"
        else container("roost-lab", **labels)
    ]
    [reason] = holders.other_checkout(paths, "docker")
    assert f"the name lab is taken by the checkout {other} ({kind} roost-lab)" in reason
    assert reason.endswith("run `make down` here, for that folder is gone")
    other.mkdir()
    assert holders.other_checkout(paths, "docker")[0].endswith("run `make down` there")


@pytest.mark.parametrize(
    ("subnet", "words"),
    [
        ("10.7.0.0/24", ["by the cluster other of /home/ops/roost", "10.7.0.0/16"]),
        ("172.17.3.0/24", ["Docker network bridge", "172.17.0.0/16"]),
        ("192.168.56.0/24", ["route", "192.168.56.0/24", "eth0"]),
    ],
)
def test_a_taken_network_is_told_with_its_holder(
    tmp_path: Path, subnet: str, words: list[str]
) -> None:
    table = tmp_path / "route"
    table.write_text(ROUTES)
    other = network(
        "roost-other", "10.7.0.0/16", roost_cluster="other", roost_checkout="/home/ops/roost"
    )
    reasons = holders._subnet_conflicts(
        Settings("lab", subnet=subnet), [BRIDGE, other], holders._routes(table)
    )
    assert len(reasons) == 1
    assert all(word in reasons[0] for word in ["ROOST_SUBNET", subnet, *words])


def test_the_clusters_own_network_is_no_conflict() -> None:
    own = network("roost-lab", "192.168.56.0/24", roost_cluster="lab")
    routes = [("192.168.56.0/24", f"br-{own['Id'][:12]}")]
    assert holders._subnet_conflicts(Settings("lab"), [BRIDGE, own], routes) == []


def test_the_kept_network_of_virtual_machines_is_a_conflict_for_containers_only() -> None:
    routes = [("192.168.56.0/24", "vboxnet0")]
    assert holders._subnet_conflicts(Settings("lab", provider="virtualbox"), [], routes) == []
    assert len(holders._subnet_conflicts(Settings("lab"), [], routes)) == 1


def test_routes_are_read_from_the_kernels_table(tmp_path: Path) -> None:
    table = tmp_path / "route"
    table.write_text(ROUTES)
    assert holders._routes(table) == [("192.168.56.0/24", "eth0"), ("172.17.0.0/16", "docker0")]
    assert holders._routes(tmp_path / "absent") == []


def test_a_halted_cluster_keeps_its_ports(fake_docker: FakeDocker) -> None:
    other = network("roost-other", "10.7.0.0/24", roost_cluster="other")
    other["Labels"].update({"roost.http_port": "9080", "roost.https_port": "9443"})
    other["Labels"]["roost.checkout"] = "/home/ops/roost"
    assert holders._port_conflicts(Settings("lab"), [BRIDGE, other]) == []
    assert holders._port_conflicts(Settings("lab", http_port=9443), [BRIDGE, other]) == [
        "ROOST_HTTP_PORT: 127.0.0.1:9443 is taken by the cluster other of /home/ops/roost; choose "
        "another"
    ]
    assert holders._port_conflicts(Settings("other", http_port=9080), [other]) == []


@pytest.mark.parametrize("provider", ["docker", "virtualbox"])
def test_halted_virtual_machines_of_this_checkout_keep_network_and_ports(
    tmp_path: Path, paths: Paths, fake_docker: FakeDocker, provider: str
) -> None:
    other = Paths(tmp_path, "roost")
    write(other, Settings(provider="libvirt", http_port=9080, https_port=9443))
    wanted = Settings("lab", provider=provider, http_port=9443, https_port=9444)
    assert holders.conflicts(wanted, paths.root) == []
    machine_made(other, "control", "libvirt")
    holder = "taken by the virtual machines of the cluster roost of this checkout; choose another"
    assert holders.conflicts(wanted, paths.root) == [
        f"ROOST_SUBNET: 192.168.56.0/24 is {holder}",
        f"ROOST_HTTP_PORT: 127.0.0.1:9443 is {holder}",
    ]
    assert holders.conflicts(Settings(http_port=9080, https_port=9443), tmp_path) == []
    assert holders.conflicts(wanted, tmp_path / "another") == []


def test_a_halted_clusters_edge_finds_its_port_with_virtual_machines(
    tmp_path: Path, paths: Paths, fake_docker: FakeDocker
) -> None:
    other = Paths(tmp_path, "roost")
    write(other, Settings(provider="libvirt"))
    machine_made(other, "control", "libvirt")
    reasons = holders.conflicts_of_edge(Settings("lab", https_port=9443), paths.root)
    assert [reason.split(":")[0] for reason in reasons] == ["ROOST_HTTP_PORT"]


def test_containers_and_damaged_records_of_other_clusters_are_no_virtual_machines(
    tmp_path: Path,
) -> None:
    for name, record in (("a", Settings("a")), ("b", Settings("c", provider="libvirt"))):
        other = Paths(tmp_path, name)
        write(other, record)
        machine_made(other, "control", record.provider)
    assert holders.virtual_clusters(Settings("lab"), tmp_path) == []


def test_an_open_port_is_told_with_its_process() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        reasons = holders._port_conflicts(Settings("lab", http_port=port, https_port=port), [])
    assert len(reasons) == 2
    assert f"ROOST_HTTP_PORT: 127.0.0.1:{port} is taken by process {os.getpid()} (" in reasons[0]
    assert reasons[1].startswith("ROOST_HTTPS_PORT")
    assert holders._port_conflicts(Settings("lab", http_port=port, https_port=port), []) == []


def test_listeners_are_found_in_the_kernels_tables(tmp_path: Path) -> None:
    header = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt uid\n"
    row = "   0: 0100007F:{port:04X} 00000000:0000 {state} 0:0 00:0 0 0 0 {inode} 1 0 100 0 0\n"
    (tmp_path / "tcp").write_text(
        header
        + row.format(port=8080, state="0A", inode=11)
        + row.format(port=8080, state="01", inode=12)
        + row.format(port=8443, state="0A", inode=13)
    )
    assert holders._listening_inodes(8080, tmp_path) == {"11"}


@pytest.mark.parametrize("present", [True, False], ids=["docker", "no-docker"])
def test_a_port_is_missed_by_an_edge_alone(
    paths: Paths, fake_docker: FakeDocker, monkeypatch: pytest.MonkeyPatch, present: bool
) -> None:
    """A virtual machine that runs has its ports itself."""
    monkeypatch.setattr(holders, "_is_taken", lambda port: port == 8443)
    fake_docker.present = present
    [reason] = holders.conflicts_of_edge(Settings("lab"), paths.root)
    assert reason.startswith("ROOST_HTTPS_PORT: 127.0.0.1:8443 is taken by ")
    assert holders.conflicts_of_edge(Settings("lab", provider="libvirt"), paths.root) == []


def test_without_docker_its_networks_are_no_reason(paths: Paths, fake_docker: FakeDocker) -> None:
    fake_docker.present = False
    assert holders.conflicts(Settings("lab"), paths.root) == []
