# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The status and what is removed, against a Docker that only remembers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from host import cluster_settings, docker_cli, nodes
from host.cluster_settings import Paths, Settings
from tests.unit.host.helpers import FakeDocker, container, network

LAB = Settings("lab", http_port=9080, https_port=9443)


def volume(name: str, **labels: str) -> docker_cli.Object:
    return {"Name": name, "Labels": {key.replace("_", "."): value for key, value in labels.items()}}


@pytest.fixture
def two_clusters(paths: Paths, fake_docker: FakeDocker) -> FakeDocker:
    for cluster in ("lab", "lab-2"):
        # Any, because not every keyword of container() is a label.
        mine: dict[str, Any] = {"roost_cluster": cluster, "roost_checkout": str(paths.root)}
        node = {**mine, "roost_role": "node", "roost_node": "worker-1"}
        fake_docker.items["container"] += [
            container(f"roost-{cluster}-worker-1", **node),
            container(f"roost-{cluster}-edge", roost_role="edge", **mine),
        ]
        fake_docker.items["volume"].append(volume(f"roost-{cluster}-worker-1-kubelet", **node))
        fake_docker.items["network"].append(network(f"roost-{cluster}", "10.7.0.0/24", **mine))
    fake_docker.items["container"].append(container("postgres"))
    return fake_docker


# -- Removing -------------------------------------------------------------------------------


def test_clean_removes_what_has_the_clusters_label_and_nothing_else(
    paths: Paths, two_clusters: FakeDocker
) -> None:
    paths.directory.mkdir(parents=True)
    paths.known_hosts.write_text("10.7.0.101 ssh-ed25519 AAAA\n")
    paths.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
    paths.kubeconfig.write_text("of a cluster that is gone\n")
    removed = nodes.clean(paths)
    assert two_clusters.calls == [
        ["container", "rm", "--force", "--volumes", "roost-lab-worker-1", "roost-lab-edge"],
        ["volume", "rm", "roost-lab-worker-1-kubelet"],
        ["network", "rm", "roost-lab"],
    ]
    assert removed[0] == "removed container roost-lab-worker-1"
    assert not paths.known_hosts.exists()
    assert not paths.kubeconfig.exists()


def test_clean_of_nothing_asks_for_nothing(paths: Paths, fake_docker: FakeDocker) -> None:
    assert nodes.clean(paths) == []
    assert fake_docker.calls == []


def test_clean_can_wait_for_the_last_node(
    paths: Paths, two_clusters: FakeDocker, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["--cluster", "lab", "clean", "--if-no-nodes"]
    assert nodes.main(command, paths.root) == 0
    assert two_clusters.calls == []
    two_clusters.items["container"].pop(0)
    assert nodes.main(command, paths.root) == 0
    assert capsys.readouterr().out.splitlines()[0] == "removed container roost-lab-edge"


@pytest.mark.parametrize("still_there", [True, False])
def test_another_checkouts_cluster_is_removed_only_if_that_is_gone(
    paths: Paths, tmp_path: Path, fake_docker: FakeDocker, still_there: bool
) -> None:
    other = tmp_path / "other"
    if still_there:
        other.mkdir()
    fake_docker.items["container"].append(
        container("roost-lab-control", roost_cluster="lab", roost_checkout=str(other))
    )
    if still_there:
        with pytest.raises(nodes.NodesError, match=r"belongs to the checkout .*/other; run"):
            nodes.clean(paths)
        assert fake_docker.calls == []
        nodes.clean(paths, any_checkout=True)
    else:
        nodes.clean(paths)
    assert fake_docker.calls[0][-1] == "roost-lab-control"


def test_forget_removes_one_nodes_container_volumes_and_host_key(
    paths: Paths, two_clusters: FakeDocker
) -> None:
    paths.directory.mkdir(parents=True)
    others = "10.7.0.10 ssh-ed25519 BBBB\n10.7.0.1011 ssh-ed25519 CCCC\n"
    paths.known_hosts.write_text("10.7.0.101 ssh-ed25519 AAAA\n" + others)
    nodes.forget(paths, "worker-1", "10.7.0.101")
    assert two_clusters.calls == [
        ["container", "rm", "--force", "--volumes", "roost-lab-worker-1"],
        ["volume", "rm", "roost-lab-worker-1-kubelet"],
    ]
    assert paths.known_hosts.read_text() == others


def test_of_a_virtual_machine_the_host_key_is_forgotten_without_docker(
    paths: Paths, fake_docker: FakeDocker
) -> None:
    fake_docker.present = False
    cluster_settings.write(paths, Settings("lab", provider="libvirt"))
    paths.known_hosts.write_text("10.7.0.101 ssh-ed25519 AAAA\n10.7.0.102 ssh-ed25519 BBBB\n")
    nodes.forget(paths, "worker-1", "10.7.0.101")
    assert paths.known_hosts.read_text() == "10.7.0.102 ssh-ed25519 BBBB\n"


# -- The rest -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ({"IPAMConfig": {"IPv4Address": "10.7.0.100"}, "IPAddress": ""}, "10.7.0.100"),
        ({"IPAMConfig": None, "IPAddress": "10.7.0.3"}, "10.7.0.3"),
        ({"IPAMConfig": None, "IPAddress": ""}, None),
        (None, None),
    ],
)
def test_a_stopped_nodes_address_is_the_configured_one(
    endpoint: dict[str, Any] | None, expected: str | None
) -> None:
    node = container("roost-lab-control", running=False)
    if endpoint:
        node["NetworkSettings"]["Networks"]["roost-lab"] = endpoint
    assert docker_cli.address_in(node, "roost-lab") == expected


@pytest.mark.parametrize(
    ("states", "code"),
    [([], 1), ([False, False], 1), ([True, False], 0), ([True, True], 0)],
)
def test_quiet_status_says_by_its_exit_code_whether_a_node_runs(
    paths: Paths, fake_docker: FakeDocker, states: list[bool], code: int
) -> None:
    fake_docker.items["container"] = [
        container(f"roost-lab-{index}", running=state, roost_cluster="lab", roost_role="node")
        for index, state in enumerate(states)
    ]
    assert nodes.main(["--cluster", "lab", "status", "--quiet"], paths.root) == code


def test_status_lists_states_and_addresses(
    paths: Paths, two_clusters: FakeDocker, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster_settings.write(paths, LAB)
    assert nodes.main(["--cluster", "lab", "status"], paths.root) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["roost-lab-edge", "running", "127.0.0.1:9080"],
        ["roost-lab-worker-1", "running", "-"],
    ]


def test_without_settings_the_command_that_makes_them_is_named(
    paths: Paths, fake_docker: FakeDocker, capsys: pytest.CaptureFixture[str]
) -> None:
    assert nodes.main(["--cluster", "lab", "network", "up"], paths.root) == 1
    assert "host/settings.py record" in capsys.readouterr().err
    assert fake_docker.calls == []
