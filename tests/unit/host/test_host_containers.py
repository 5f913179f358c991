# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Container nodes that are made without Vagrant, against a Docker that only remembers."""

from __future__ import annotations

import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from host import cluster_settings, containers, edge, nodes
from host.cluster_settings import Paths, Settings
from host.containers import Machine
from tests.unit.host import test_host_vagrant
from tests.unit.host.helpers import FakeDocker, container

REPOSITORY = Path(__file__).resolve().parents[3]
LAB = Settings("lab", subnet="10.7.0.0/24", http_port=9080, https_port=9443)
ADDRESSES = {"control": "10.7.0.100", "worker-1": "10.7.0.101", "worker-2": "10.7.0.102"}

# The Vagrantfile, loaded in a folder of its own.
checkout = test_host_vagrant.checkout


@pytest.fixture
def lab(paths: Paths, fake_docker: FakeDocker, monkeypatch: pytest.MonkeyPatch) -> list[Machine]:
    """Settings, an inventory and an image; filled with the machines that let one log in."""
    cluster_settings.write(paths, LAB)
    (paths.root / "inventory").mkdir()
    shutil.copy(REPOSITORY / "inventory" / "hosts.yml", paths.root / "inventory")
    reached: list[Machine] = []
    monkeypatch.setattr(containers, "_await_login", lambda _, machine: reached.append(machine))
    monkeypatch.setattr(nodes, "image", lambda _, component: f"image-of-{component}")
    return reached


def node(paths: Paths, name: str, *, running: bool = True) -> Any:
    return container(
        f"roost-lab-{name}",
        running=running,
        roost_cluster="lab",
        roost_role="node",
        roost_node=name,
        roost_checkout=str(paths.root),
    )


@pytest.mark.usefixtures("lab")
def test_the_edge_knows_workers_from_the_control_plane(
    paths: Paths, fake_docker: FakeDocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, address in ADDRESSES.items():
        item = node(paths, name)
        item["NetworkSettings"]["Networks"]["roost-lab"] = {"IPAddress": address}
        fake_docker.items["container"].append(item)
    asked = []
    monkeypatch.setattr(edge, "up", lambda _settings, known, *_rest: asked.append(known))
    nodes.edge_up(LAB, paths.root)
    assert asked == [edge.Nodes(["10.7.0.101", "10.7.0.102"], control_plane=["10.7.0.100"])]


def give_key(paths: Paths, name: str) -> Path:
    folder = paths.vagrant / "machines" / name / "docker"
    folder.mkdir(parents=True)
    (folder / "private_key").write_text("secret")
    return folder


def up(paths: Paths, *names: str) -> list[str]:
    return nodes.up(paths, LAB, list(names))


def calls(fake: FakeDocker, command: str) -> list[list[str]]:
    return [call for call in fake.calls if call[0] == command]


# -- The same as Vagrant's ------------------------------------------------------------------


@test_host_vagrant.needs_ruby
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_the_machines_and_their_flags_are_the_vagrantfiles(checkout: Path, workers: int) -> None:
    settings = Settings("lab", subnet="10.7.3.0/24", workers=workers)
    cluster_settings.write(Paths(checkout, "lab"), settings)
    of_vagrant = test_host_vagrant.load(checkout, ROOST_CLUSTER="lab")
    machines = containers.machines(checkout, settings)
    assert [[each.name, each.address] for each in machines] == [
        [name, address] for name, _, address in of_vagrant["machines"]
    ]
    specification = containers._yaml(checkout / "host" / "container.yml")
    for machine in machines:
        flags = containers.run_arguments(specification, settings, machine, checkout)
        # Vagrant gives these two itself.
        assert set(flags) - set(of_vagrant["arguments"][machine.name]) == {
            f"--name=roost-lab-{machine.name}",
            f"--hostname={machine.name}",
        }
        assert set(of_vagrant["arguments"][machine.name]) <= set(flags)


def test_a_folders_name_is_not_filled_in() -> None:
    specification = containers._yaml(containers.SPECIFICATION)
    flags = containers.run_arguments(
        specification, LAB, Machine("control", ""), Path("/srv/{node}")
    )
    assert "--label=roost.checkout=/srv/{node}" in flags


# -- What is made ---------------------------------------------------------------------------


def test_nodes_are_made_with_both_networks_and_a_key(
    paths: Paths, fake_docker: FakeDocker, lab: list[Machine]
) -> None:
    assert up(paths) == ["made control", "made worker-1", "made worker-2"]
    assert sorted(machine.name for machine in lab) == list(ADDRESSES)
    public = paths.directory / "node_key.pub"
    for name, address in ADDRESSES.items():
        full_name = f"roost-lab-{name}"
        own = [call for call in fake_docker.calls if f"{full_name}" in " ".join(call)]
        assert [call[0] for call in own] == ["run", "cp", "network"]
        assert own[0][:3] == ["run", "--detach", f"--name={full_name}"]
        assert own[0][-1] == "image-of-node"
        # The bridge alone at first, which makes it the default route's.
        assert not any(part.startswith("--network") for part in own[0])
        assert own[1] == ["cp", str(public), f"{full_name}:{containers.AUTHORIZED_KEYS}"]
        assert own[2] == ["network", "connect", f"--ip={address}", "roost-lab", full_name]


def test_the_key_is_where_the_inventory_looks_and_fits(
    paths: Paths, fake_docker: FakeDocker, lab: list[Machine]
) -> None:
    up(paths, "worker-1")
    private = paths.directory / "vagrant" / "machines" / "worker-1" / "docker" / "private_key"
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    done = subprocess.run(
        ["ssh-keygen", "-y", "-f", private], capture_output=True, text=True, check=True
    )
    public = (paths.directory / "node_key.pub").read_text()
    assert done.stdout.split()[:2] == public.split()[:2]


def test_a_later_node_gets_the_same_key(
    paths: Paths, fake_docker: FakeDocker, lab: list[Machine]
) -> None:
    up(paths, "worker-1")
    up(paths, "worker-2")
    keys = {path.read_text() for path in paths.vagrant.glob("machines/*/docker/private_key")}
    assert len(keys) == 1


def test_half_a_key_is_made_anew(paths: Paths, fake_docker: FakeDocker, lab: list[Machine]) -> None:
    (paths.directory / "node_key").write_text("half")
    up(paths, "worker-1")
    assert (paths.directory / "node_key").read_text() != "half"


# -- What is there --------------------------------------------------------------------------


def test_running_nodes_are_left_alone(
    paths: Paths, fake_docker: FakeDocker, lab: list[Machine]
) -> None:
    for name in ADDRESSES:
        fake_docker.items["container"].append(node(paths, name))
        give_key(paths, name)
    assert up(paths) == []
    assert fake_docker.calls == []
    assert lab == []


def test_a_stopped_node_is_started(
    paths: Paths, fake_docker: FakeDocker, lab: list[Machine]
) -> None:
    fake_docker.items["container"] = [node(paths, "worker-1", running=False)]
    give_key(paths, "worker-1")
    assert up(paths, "worker-1") == ["started worker-1"]
    assert calls(fake_docker, "start") == [["start", "roost-lab-worker-1"]]
    assert calls(fake_docker, "run") == []
    assert lab == [Machine("worker-1", "10.7.0.101")]


def test_a_node_that_was_half_made_is_made_anew(
    paths: Paths, fake_docker: FakeDocker, lab: list[Machine]
) -> None:
    """Its key is written last; here a run was killed before that."""
    fake_docker.items["container"] = [node(paths, "worker-1")]
    assert up(paths, "worker-1") == ["made worker-1"]
    done = [call[:2] for call in fake_docker.calls]
    assert done.index(["container", "rm"]) < done.index(["run", "--detach"])


def test_vagrants_machines_are_vagrants(
    paths: Paths, fake_docker: FakeDocker, lab: list[Machine]
) -> None:
    (give_key(paths, "worker-1") / "id").write_text("0123")
    with pytest.raises(nodes.NodesError, match="Vagrant has made worker-1; .*`vagrant up`"):
        up(paths)
    assert fake_docker.calls == []


def test_virtual_machines_are_refused(
    paths: Paths, fake_docker: FakeDocker, lab: list[Machine]
) -> None:
    with pytest.raises(nodes.NodesError, match="are no containers"):
        nodes.up(paths, Settings("lab", provider="libvirt"), [])
    assert fake_docker.calls == []


def test_an_unknown_machine_is_refused_by_name(
    paths: Paths, lab: list[Machine], fake_docker: FakeDocker, capsys: pytest.CaptureFixture[str]
) -> None:
    assert nodes.main(["--cluster", "lab", "up", "worker-1", "worker-9"], paths.root) == 1
    assert (
        capsys.readouterr().err == "nodes: worker-9: no machine of the cluster; expected some of "
        "control, worker-1, worker-2\n"
    )
    assert fake_docker.calls == []


def test_a_machine_without_an_address_is_an_error(
    paths: Paths, fake_docker: FakeDocker, lab: list[Machine]
) -> None:
    hosts = paths.root / "inventory" / "hosts.yml"
    hosts.write_text(hosts.read_text().replace("ansible_host: 192.168.56.102", ""))
    with pytest.raises(containers.ContainersError, match=r"hosts\.yml: expected .* ansible_host"):
        up(paths)
    assert fake_docker.calls == []


def test_a_node_that_lets_nobody_in_is_an_error_in_time(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ssh = tmp_path / "ssh"
    ssh.write_text("#!/bin/sh\necho 'Connection refused' >&2\nexit 255\n")
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(containers, "SECONDS_TO_ANSWER", 0.05)
    with pytest.raises(containers.ContainersError, match=r"worker-1: .* 10\.7\.0\.101 .*refused"):
        containers._await_login(paths, Machine("worker-1", "10.7.0.101"))


# -- Removing -------------------------------------------------------------------------------


def test_clean_removes_the_keys_and_their_folders(
    paths: Paths, fake_docker: FakeDocker, lab: list[Machine]
) -> None:
    up(paths)
    nodes.clean(paths)
    assert [path.name for path in paths.directory.iterdir()] == ["settings.yml"]


def test_clean_leaves_vagrants_keys_alone(paths: Paths, fake_docker: FakeDocker) -> None:
    (give_key(paths, "worker-1") / "id").write_text("0123")
    give_key(paths, "worker-2")
    nodes.clean(paths)
    assert [path.parts[-3] for path in paths.vagrant.glob("machines/*/docker/private_key")] == [
        "worker-1"
    ]
