# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest

from host import docker_cli, holders
from host import network as nodes_network
from host.cluster_settings import Paths, Settings
from tests.unit.host.helpers import FakeDocker, network

LAB = Settings("lab", http_port=9080, https_port=9443)


def test_the_network_is_made_with_its_labels(paths: Paths, fake_docker: FakeDocker) -> None:
    assert nodes_network.up(LAB, paths.root)
    [call] = fake_docker.calls
    assert call[:2] == ["network", "create"]
    assert call[-1] == "roost-lab"
    assert {"--subnet=192.168.56.0/24", "--gateway=192.168.56.1"} <= set(call)
    assert {
        "--label=roost.cluster=lab",
        f"--label=roost.checkout={paths.root}",
        "--label=roost.http_port=9080",
        "--label=roost.https_port=9443",
    } <= set(call)


def test_the_networks_labels_are_those_that_other_clusters_look_at(
    paths: Paths, fake_docker: FakeDocker
) -> None:
    """What it writes is what is read from another cluster's."""
    nodes_network.up(LAB, paths.root)
    labels = dict(
        part.removeprefix("--label=").split("=", 1)
        for part in fake_docker.calls[0]
        if part.startswith("--label=")
    )
    made = {**network("roost-lab", LAB.subnet), "Labels": labels}
    [reason] = holders._port_conflicts(Settings("other", http_port=9443), [made])
    assert f"by the cluster lab of {paths.root};" in reason


def test_a_network_that_is_there_is_kept(paths: Paths, fake_docker: FakeDocker) -> None:
    fake_docker.items["network"] = [network("roost-lab", LAB.subnet, roost_cluster="lab")]
    assert not nodes_network.up(LAB, paths.root)
    assert fake_docker.calls == []


@pytest.mark.parametrize(
    ("present", "message"),
    [
        (network("roost-lab", "192.168.56.0/24"), "not ours"),
        (network("roost-lab", "10.7.0.0/24", roost_cluster="lab"), "10.7.0.0/24, expected"),
        (
            network("roost-lab", LAB.subnet, roost_cluster="lab", roost_checkout="/else/where"),
            "is of the checkout /else/where; choose another ROOST_CLUSTER",
        ),
    ],
)
def test_a_network_that_does_not_fit_is_refused(
    paths: Paths, fake_docker: FakeDocker, present: docker_cli.Object, message: str
) -> None:
    fake_docker.items["network"] = [present]
    with pytest.raises(nodes_network.NetworkError, match=message):
        nodes_network.up(LAB, paths.root)


def test_who_came_while_the_bundle_was_filled_is_told(
    paths: Paths, fake_docker: FakeDocker
) -> None:
    fake_docker.items["network"] = [network("roost-other", LAB.subnet, roost_cluster="other")]
    with pytest.raises(nodes_network.NetworkError, match="taken by the cluster other"):
        nodes_network.up(LAB, paths.root)
    assert fake_docker.calls == []
