# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What nodes do to their host is undone when the last of them goes."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from host import docker_cli, kernel_settings, network
from host.cluster_settings import Paths, Settings
from host.docker_cli import DockerError
from tests.unit.host.conftest import HOST
from tests.unit.host.helpers import FakeDocker

LAB = Settings("lab", http_port=9080, https_port=9443)
TWIN = Settings("twin", subnet="192.168.60.0/24", http_port=9081, https_port=9444)
# What kubelet makes of the host's settings.
BY_KUBELET = {
    "kernel.keys.root_maxbytes": "25000000",
    "kernel.keys.root_maxkeys": "1000000",
    "kernel.panic": "10",
    "vm.overcommit_memory": "1",
    "vm.panic_on_oom": "0",
}


def shown(kernel: Path) -> dict[str, str]:
    return {name: (kernel / name.replace(".", "/")).read_text().strip() for name in HOST}


def sets(kernel: Path, name: str, value: str) -> None:
    (kernel / name.replace(".", "/")).write_text(value)


def make(docker: FakeDocker, settings: Settings, paths: Paths) -> None:
    """The network, as Docker would have it afterwards."""
    network.up(settings, paths.root)
    labels = [flag.partition("=")[2] for flag in docker.calls[-1] if flag.startswith("--label=")]
    docker.items["network"].append(
        {
            "Id": settings.network,
            "Name": settings.network,
            "Labels": dict(label.split("=", 1) for label in labels),
            "IPAM": {"Config": [{"Subnet": settings.subnet}]},
        }
    )


def remove(docker: FakeDocker, settings: Settings) -> list[str]:
    gone = [item for item in docker.items["network"] if item["Name"] == settings.network]
    docker.items["network"] = [item for item in docker.items["network"] if item not in gone]
    return network.remove(gone)


def test_the_last_cluster_that_goes_leaves_the_host_as_it_was(
    kernel: Path, paths: Paths, fake_docker: FakeDocker
) -> None:
    make(fake_docker, LAB, paths)
    assert shown(kernel)["fs.inotify.max_user_instances"] == "1024"
    assert shown(kernel)["fs.inotify.max_user_watches"] == "65536"
    for name, value in BY_KUBELET.items():
        sets(kernel, name, value)
    # Made while the first one's kubelets have set it all: those values are not the host's own.
    make(fake_docker, TWIN, paths)
    assert remove(fake_docker, LAB) == ["removed network roost-lab"]
    assert shown(kernel)["kernel.panic"] == "10"
    assert remove(fake_docker, TWIN) == [
        "removed network roost-twin",
        "kernel.keys.root_maxbytes is 20000 again",
        "kernel.keys.root_maxkeys is 200 again",
        "kernel.panic is 0 again",
        "vm.overcommit_memory is 2 again",
        "vm.panic_on_oom is 1 again",
        "fs.inotify.max_user_instances is 128 again",
        "fs.inotify.max_user_watches is 8192 again",
    ]
    assert shown(kernel) == HOST


def test_a_limit_that_is_high_enough_stays(
    kernel: Path, paths: Paths, fake_docker: FakeDocker
) -> None:
    enough = {"fs.inotify.max_user_instances": "8192", "fs.inotify.max_user_watches": "192536"}
    for name, value in enough.items():
        sets(kernel, name, value)
    make(fake_docker, LAB, paths)
    assert shown(kernel) == {**HOST, **enough}
    assert remove(fake_docker, LAB) == ["removed network roost-lab"]


def test_the_limit_is_raised_also_for_a_cluster_that_exists(
    kernel: Path, paths: Paths, fake_docker: FakeDocker
) -> None:
    make(fake_docker, LAB, paths)
    # The host was started anew.
    sets(kernel, "fs.inotify.max_user_instances", "128")
    assert network.up(LAB, paths.root) is False
    assert shown(kernel)["fs.inotify.max_user_instances"] == "1024"


RAISES = "sudo sysctl -w fs.inotify.max_user_instances=1024 fs.inotify.max_user_watches=65536"


@pytest.fixture
def read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_arguments: object, **_more: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "write_text", refused)


@pytest.mark.usefixtures("kernel", "read_only")
def test_who_may_not_is_told_the_command_before_there_are_machines(
    paths: Paths, fake_docker: FakeDocker
) -> None:
    with pytest.raises(network.NetworkError, match=f"may not raise that; run `{RAISES}`, and the"):
        make(fake_docker, LAB, paths)


def test_who_may_not_put_it_back_is_told_the_command(
    kernel: Path,
    paths: Paths,
    fake_docker: FakeDocker,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make(fake_docker, LAB, paths)
    sets(kernel, "kernel.panic", "10")
    request.getfixturevalue("read_only")
    assert remove(fake_docker, LAB) == ["removed network roost-lab"]
    assert "may not set it: sudo sysctl -w kernel.panic=0 " in capsys.readouterr().err


def test_a_network_without_a_record_changes_nothing(
    kernel: Path, paths: Paths, fake_docker: FakeDocker
) -> None:
    make(fake_docker, LAB, paths)
    fake_docker.items["network"][0]["Labels"] = {"roost.cluster": "lab"}
    sets(kernel, "kernel.panic", "10")
    remove(fake_docker, LAB)
    assert shown(kernel)["kernel.panic"] == "10"


def test_a_network_that_can_not_be_made_leaves_the_host_as_it_was(
    kernel: Path, paths: Paths, fake_docker: FakeDocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: str) -> str:
        raise DockerError("`docker network create …` failed: all is taken")

    monkeypatch.setattr("host.network.docker", refuse)
    with pytest.raises(DockerError):
        network.up(LAB, paths.root)
    assert shown(kernel) == HOST


def test_what_another_cluster_is_about_to_put_back_is_not_recorded(
    kernel: Path, paths: Paths, fake_docker: FakeDocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first of new ones begins when the last one's network is gone and its settings aren't."""
    make(fake_docker, LAB, paths)
    sets(kernel, "kernel.panic", "10")
    begins = threading.Thread(target=make, args=(fake_docker, TWIN, paths))
    restore = kernel_settings.restore

    def begin_before(removed: list[docker_cli.Object]) -> list[str]:
        begins.start()
        begins.join(0.3)  # it ends if nothing holds it up
        return restore(removed)

    monkeypatch.setattr(kernel_settings, "restore", begin_before)
    assert "kernel.panic is 0 again" in remove(fake_docker, LAB)
    begins.join()
    [twin] = fake_docker.items["network"]
    assert docker_cli.labels_of(twin)["roost.host.kernel.panic"] == "0"


def test_what_an_older_cluster_has_not_recorded_is_read(
    kernel: Path, paths: Paths, fake_docker: FakeDocker
) -> None:
    make(fake_docker, LAB, paths)
    del fake_docker.items["network"][0]["Labels"]["roost.host.vm.panic_on_oom"]
    make(fake_docker, TWIN, paths)
    labels = docker_cli.labels_of(fake_docker.items["network"][1])
    assert labels["roost.host.vm.panic_on_oom"] == "1"


@pytest.mark.parametrize("loads", [True, False])
def test_the_bridge_filter_is_loaded_before_there_is_a_network(
    fake_docker: FakeDocker,
    kernel: Path,
    paths: Paths,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    loads: bool,
) -> None:
    there = kernel / "net/bridge/bridge-nf-call-iptables"
    there.unlink()
    modprobe = tmp_path / "bin" / "modprobe"
    modprobe.parent.mkdir()
    loading = f'[ "$1" = br_netfilter ] && echo 1 >{there}' if loads else "exit 1"
    modprobe.write_text(f"#!/bin/sh\n{loading}\n")
    modprobe.chmod(0o755)
    monkeypatch.setenv("PATH", f"{modprobe.parent}:/usr/bin:/bin")
    if loads:
        make(fake_docker, LAB, paths)
    else:
        with pytest.raises(network.NetworkError, match="run `sudo modprobe br_netfilter`, and"):
            network.up(LAB, paths.root)
        assert fake_docker.calls == []
