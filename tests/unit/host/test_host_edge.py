# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The edge container: its configuration, and when it is made anew."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from host import docker_cli, edge, holders
from host.cluster_settings import Paths, Settings
from tests.unit.host.helpers import FakeDocker, container

LAB = Settings("lab", http_port=9080, https_port=9443)
ONE = edge.Nodes(["10.7.0.100"])


def cluster_of(config: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(
        each for each in config["static_resources"]["clusters"] if each["name"] == name
    )
    return found


def test_the_edge_listens_on_loopback_alone() -> None:
    config = yaml.safe_load(edge.render(LAB, ONE))
    addresses = [
        each["address"]["socket_address"] for each in config["static_resources"]["listeners"]
    ]
    assert addresses == [
        {"address": "127.0.0.1", "port_value": 9080},
        {"address": "127.0.0.1", "port_value": 9443},
    ]
    assert "admin" not in config


def addresses_of(locality: dict[str, Any]) -> list[dict[str, Any]]:
    return [each["endpoint"]["address"]["socket_address"] for each in locality["lb_endpoints"]]


def test_it_asks_the_control_plane_while_no_worker_answers() -> None:
    """A node port on a worker leads to its own gateway, elsewhere to any, dead ones included."""
    nodes = edge.Nodes(["10.7.0.101", "10.7.0.99"], control_plane=["10.7.0.100"])
    config = yaml.safe_load(edge.render(LAB, nodes))
    for name, port in (("http", 30080), ("https", 30443)):
        load = cluster_of(config, name)["load_assignment"]
        assert [(each["priority"], addresses_of(each)) for each in load["endpoints"]] == [
            (0, [{"address": f"10.7.0.{node}", "port_value": port} for node in (99, 101)]),
            (1, [{"address": "10.7.0.100", "port_value": port}]),
        ]
        # By default a group of which a third is left shares its requests with the next one.
        assert load["policy"]["overprovisioning_factor"] > 100 * 100


def test_it_leads_to_the_node_ports_that_are_set() -> None:
    options = "istio_gateway_http_node_port: 31080\nistio_gateway_https_node_port: 31443  # TLS\n"
    assert [edge.node_port(scheme, options) for scheme in ("http", "https")] == [31080, 31443]


@pytest.mark.parametrize("options", ["", "istio_gateway_http_node_port: '{{ x }}'\n"])
def test_a_node_port_that_it_can_not_read_is_named(options: str) -> None:
    with pytest.raises(edge.EdgeError, match="cluster.yml: expected a line `istio_gateway_http"):
        edge.node_port("http", options)


def test_only_requests_that_were_never_sent_are_sent_again() -> None:
    config = yaml.safe_load(edge.render(LAB, ONE))
    [chain] = config["static_resources"]["listeners"][0]["filter_chains"]
    manager = chain["filters"][0]["typed_config"]
    [route] = manager["route_config"]["virtual_hosts"][0]["routes"]
    assert route["route"]["retry_policy"]["retry_on"] == "connect-failure"


def test_it_takes_no_more_connections_than_it_can_pass_on() -> None:
    config = yaml.safe_load(edge.render(LAB, ONE))
    [monitor] = config["overload_manager"]["resource_monitors"]
    most = monitor["typed_config"]["max_active_downstream_connections"]
    [http] = cluster_of(config, "http")["circuit_breakers"]["thresholds"]
    [https] = cluster_of(config, "https")["circuit_breakers"]["thresholds"]
    limited = ("connections", "pending_requests", "requests", "retries")
    assert http == {f"max_{what}": most for what in limited}
    assert https == {"max_connections": most}


def test_a_check_is_a_request_that_the_gateway_itself_refuses() -> None:
    config = yaml.safe_load(edge.render(LAB, ONE))
    [check] = cluster_of(config, "http")["health_checks"]
    tcp = check["tcp_health_check"]
    assert bytes.fromhex(tcp["send"]["text"]) == b"GET / HTTP/1.1\r\n\r\n"
    assert bytes.fromhex(tcp["receive"][0]["text"]) == b"HTTP/1.1 "
    assert check["interval"] == check["no_traffic_interval"] == "1s"


def test_https_is_passed_on_to_nodes_that_answer_over_http() -> None:
    """What is behind it knows no names, and whether there is any TLS; a frozen gateway still takes
    connections."""
    config = yaml.safe_load(edge.render(LAB, edge.Nodes(["10.7.0.100", "10.7.0.101"])))
    http, https = (cluster_of(config, name) for name in ("http", "https"))
    assert https["health_checks"] == http["health_checks"]
    assert https["close_connections_on_host_health_failure"]
    [locality] = https["load_assignment"]["endpoints"]
    for each in locality["lb_endpoints"]:
        assert each["endpoint"]["address"]["socket_address"]["port_value"] == 30443
        assert each["endpoint"]["health_check_config"] == {"port_value": 30080}
    # Each connection of a user is one to a node.
    [accepted] = config["overload_manager"]["resource_monitors"]
    most = accepted["typed_config"]["max_active_downstream_connections"]
    assert https["circuit_breakers"]["thresholds"] == [{"max_connections": most}]
    [chain] = config["static_resources"]["listeners"][1]["filter_chains"]
    assert [each["name"] for each in chain["filters"]] == ["envoy.filters.network.tcp_proxy"]


@pytest.fixture
def edge_that_listens(monkeypatch: pytest.MonkeyPatch, fake_docker: FakeDocker) -> None:
    """What is run or started does as it should."""

    def run(*arguments: str) -> str:
        if arguments[0] == "run":
            fake_docker.items["container"] = [existing_edge(list(arguments), running=True)]
        elif arguments[0] == "start":
            fake_docker.items["container"][0]["State"]["Running"] = True
        return fake_docker.run(*arguments)

    monkeypatch.setattr(docker_cli, "docker", run)
    monkeypatch.setattr(edge, "_listens", lambda port: True)


def run_command(fake: FakeDocker) -> list[str]:
    return next(call for call in fake.calls if call[0] == "run")


def existing_edge(command: list[str], running: bool) -> docker_cli.Object:
    """The container that `docker run` with this command makes."""
    made = container("roost-lab-edge", running=running)
    made["Config"]["Labels"] = dict(
        part.removeprefix("--label=").split("=", 1)
        for part in command
        if part.startswith("--label=")
    )
    return made


@pytest.mark.usefixtures("edge_that_listens")
def test_the_edge_runs_once_and_without_rights(paths: Paths, fake_docker: FakeDocker) -> None:
    assert edge.up(LAB, ONE, "proxy:1", paths.root)
    command = run_command(fake_docker)
    assert {"--network=host", "--cap-drop=ALL", "--read-only", "--user=65534:65534"} <= set(command)
    assert "proxy:1" in command

    fake_docker.items["container"] = [existing_edge(command, running=True)]
    fake_docker.calls.clear()
    assert not edge.up(LAB, ONE, "proxy:1", paths.root)
    assert fake_docker.calls == []


@pytest.mark.usefixtures("edge_that_listens")
def test_a_stopped_edge_is_started_again(paths: Paths, fake_docker: FakeDocker) -> None:
    edge.up(LAB, ONE, "proxy:1", paths.root)
    fake_docker.items["container"] = [existing_edge(run_command(fake_docker), running=False)]
    fake_docker.calls.clear()
    assert edge.up(LAB, ONE, "proxy:1", paths.root)
    assert fake_docker.calls == [["start", "id-roost-lab-edge"]]


@pytest.mark.usefixtures("edge_that_listens")
@pytest.mark.parametrize(
    ("addresses", "image"),
    [(["10.7.0.100", "10.7.0.101"], "proxy:1"), (["10.7.0.100"], "proxy:2")],
)
def test_another_node_or_image_makes_another_edge(
    paths: Paths, fake_docker: FakeDocker, addresses: list[str], image: str
) -> None:
    edge.up(LAB, ONE, "proxy:1", paths.root)
    fake_docker.items["container"] = [existing_edge(run_command(fake_docker), running=True)]
    fake_docker.calls.clear()
    edge.up(LAB, edge.Nodes(addresses), image, paths.root)
    assert [call[0] for call in fake_docker.calls] == ["rm", "run"]


@pytest.mark.parametrize("somebody_answers", [False, True])
def test_an_edge_that_dies_is_told_with_its_log(
    paths: Paths,
    fake_docker: FakeDocker,
    monkeypatch: pytest.MonkeyPatch,
    somebody_answers: bool,
) -> None:
    """Also where another process has both ports, and so answers."""
    monkeypatch.setattr(edge, "_listens", lambda port: somebody_answers)
    monkeypatch.setattr(docker_cli, "log", lambda name: "cannot bind")
    fake_docker.items["container"] = [
        container("roost-lab-edge", running=False, roost_cluster="lab", roost_role="edge")
    ]
    with pytest.raises(edge.EdgeError, match=r"roost-lab-edge doesn't run; .*ends: cannot bind"):
        edge.up(LAB, ONE, "proxy:1", paths.root)


@pytest.mark.usefixtures("edge_that_listens")
def test_an_edge_that_lacks_one_of_its_ports_is_told(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge, "SECONDS_TO_START", 0.0)
    monkeypatch.setattr(edge, "_listens", lambda port: port == LAB.http_port)
    monkeypatch.setattr(docker_cli, "log", lambda name: "starting")
    with pytest.raises(edge.EdgeError, match=r"listen on 127\.0\.0\.1:9443; .*ends: starting"):
        edge.up(LAB, ONE, "proxy:1", paths.root)


@pytest.mark.usefixtures("edge_that_listens")
@pytest.mark.parametrize("halted", [True, False])
def test_who_has_its_port_is_told_before_it_is_started(
    paths: Paths, fake_docker: FakeDocker, monkeypatch: pytest.MonkeyPatch, halted: bool
) -> None:
    if halted:
        edge.up(LAB, ONE, "proxy:1", paths.root)
        fake_docker.items["container"] = [existing_edge(run_command(fake_docker), running=False)]
        fake_docker.calls.clear()
    monkeypatch.setattr(holders, "_is_taken", lambda port: port == LAB.https_port)
    with pytest.raises(edge.EdgeError, match=r"ROOST_HTTPS_PORT: 127\.0\.0\.1:9443 is taken by"):
        edge.up(LAB, ONE, "proxy:1", paths.root)
    assert fake_docker.calls == []


def test_an_edge_without_nodes_is_refused(paths: Paths, fake_docker: FakeDocker) -> None:
    with pytest.raises(edge.EdgeError, match="has no nodes"):
        edge.up(LAB, edge.Nodes([]), "proxy:1", paths.root)
