# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.node import services
from ansible_collections.roost.cluster.plugins.module_utils.node.core import Node, StateError, Step
from ansible_collections.roost.cluster.plugins.module_utils.node.ready import check_shape, probe
from ansible_collections.roost.cluster.plugins.module_utils.node.services import (
    plan_restart,
    plan_service,
    reload_steps,
    service_steps,
    settle,
    stop_steps,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.systemd import (
    Systemd,
    UnitLook,
    parse_show,
)

from tests.unit.node.helpers import BlobHandler, Commands

RECORDED = (Path(__file__).parent / "data/systemctl-show.txt").read_text()
NAMES = [
    "roost-try.service",
    "loop.service",
    "broken.service",
    "nothere.service",
    "systemd-timesyncd.service",
    "ssh.service",
    "systemd-sysctl.service",
    "multi-user.target",
]
BLOCKS = dict(zip(NAMES, RECORDED.strip("\n").split("\n\n")))


def show(commands: Commands, *names: str, **changes: str) -> None:
    """Let systemd tell of these units, with some properties as a test needs them."""
    blocks = []
    for name in names:
        fields = dict(line.split("=", 1) for line in BLOCKS[name].splitlines())
        blocks.append("\n".join(f"{key}={value}" for key, value in {**fields, **changes}.items()))
    commands.answer("systemctl", "show", out="\n\n".join(blocks) + "\n")


def unit(name: str) -> UnitLook:
    return parse_show(name, BLOCKS[name], 0)


def test_what_systemd_really_says_is_understood(node: Node, commands: Commands) -> None:
    show(commands, *NAMES)
    seen = Systemd(node).show(NAMES)
    assert len(commands.ran) == 1
    assert [(unit.load, unit.state, unit.file_state) for unit in seen.values()] == [
        ("loaded", "active (running)", "enabled"),
        ("loaded", "activating (auto-restart)", "enabled"),
        ("loaded", "failed (failed)", "static"),
        ("not-found", "inactive (dead)", ""),
        ("masked", "inactive (dead)", "masked"),
        ("loaded", "active (running)", "enabled"),
        ("loaded", "active (exited)", "static"),
        ("loaded", "active (active)", "indirect"),
    ]
    assert [name for name in NAMES if seen[name].needs_reload] == ["roost-try.service"]
    assert unit("roost-try.service").started == pytest.approx(2423.888542)
    assert unit("multi-user.target").started == pytest.approx(2325.355270)
    assert unit("broken.service").started is None


def test_a_machine_without_systemd_is_named(node: Node, commands: Commands) -> None:
    commands.answer("systemctl", "show", rc=1, err="System has not been booted with systemd")
    with pytest.raises(StateError, match="systemd does not answer: .*not been booted"):
        Systemd(node).one("x.service")


@pytest.mark.parametrize(
    ("name", "wanted", "verbs"),
    [
        ("ssh.service", {"enabled": True, "state": "started"}, []),
        ("ssh.service", {"enabled": False, "state": "stopped"}, ["disable", "stop"]),
        ("ssh.service", {}, []),
        ("nothere.service", {"enabled": True, "state": "started"}, ["enable", "start"]),
        ("nothere.service", {"enabled": False, "state": "stopped"}, []),
        ("broken.service", {"state": "started"}, ["start"]),
        ("loop.service", {"state": "started"}, []),  # systemd starts it again and again
        ("loop.service", {"state": "stopped"}, ["stop"]),
        ("systemd-timesyncd.service", {"enabled": False, "state": "stopped"}, []),
    ],
)
def test_what_a_service_needs(name: str, wanted: dict[str, Any], verbs: list[str]) -> None:
    planned = plan_service({"name": name, **wanted}, unit(name), "")
    assert [verb for verb, _ in planned] == verbs


def test_reasons_name_what_was_found() -> None:
    planned = plan_service(
        {"name": "nothere", "enabled": True, "state": "started"}, unit("nothere.service"), ""
    )
    assert [why for _, why in planned] == [
        "not installed, expected enabled",
        "inactive (dead), expected started",
    ]


def test_a_masked_service_is_left_to_people() -> None:
    with pytest.raises(StateError, match="systemctl unmask systemd-timesyncd.service"):
        plan_service(
            {"name": "systemd-timesyncd", "state": "started"}, unit("systemd-timesyncd.service"), ""
        )


@pytest.mark.parametrize(
    ("changing", "changed_at", "why"),
    [
        ({"/c", "/other"}, {"/c": 50.0}, "/c changed"),
        (set(), {"/c": 99.0, "/d": 98.0}, ""),
        (set(), {"/c": 100.5}, "/c changed after it was started, in an earlier run"),
        (set(), {}, ""),
    ],
)
def test_a_service_restarts_for_what_is_newer_than_its_process(
    changing: set[str], changed_at: dict[str, float], why: str
) -> None:
    seen = UnitLook("x.service", active="active", started=100.0)
    assert plan_restart(seen, ["/c", "/d"], changing, changed_at) == why


def test_a_service_that_does_not_run_is_not_restarted() -> None:
    assert plan_restart(UnitLook("x.service"), ["/c"], {"/c"}, {}) == ""


def test_the_interrupted_restart_is_made_up_for(node: Node, commands: Commands) -> None:
    """A process that is older than its configuration, as a killed run leaves it."""
    config = node.at("/etc/c")
    config.parent.mkdir(parents=True)
    config.write_text("x")
    service = {"name": "ssh", "state": "started", "restart_on": ["/etc/c", "/etc/none"]}
    started = int((time.monotonic() - 10) * 1e6)
    show(commands, "ssh.service", ExecMainStartTimestampMonotonic=str(started))
    (step,) = service_steps({"services": [service]}, node, [])
    assert step.why == "restart: /etc/c changed after it was started, in an earlier run"
    os.utime(config, (0, time.time() - 20))  # older than the process, although touched just now
    assert service_steps({"services": [service]}, node, []) == []


def test_its_own_unit_file_restarts_a_service(node: Node, commands: Commands) -> None:
    show(commands, "ssh.service")
    wanted = {
        "services": [{"name": "ssh", "state": "started"}],
        "files": [
            {"path": "/etc/systemd/system/ssh.service.d/10.conf"},
            {"path": "/etc/systemd/system/other.service"},
        ],
    }
    changed = [
        Step(item["path"], "x", lambda: None, changes=(item["path"],)) for item in wanted["files"]
    ]
    (step,) = service_steps(wanted, node, changed)
    assert step.why == "restart: /etc/systemd/system/ssh.service.d/10.conf changed"
    (reload,) = reload_steps(wanted, node, changed)
    assert reload.why.startswith("daemon-reload: /etc/systemd/system/other.service, /etc/")


def test_unit_files_of_a_killed_run_are_read(node: Node, commands: Commands) -> None:
    show(commands, "roost-try.service", "ssh.service")
    wanted = {"services": [{"name": "roost-try"}, {"name": "ssh"}]}
    (step,) = reload_steps(wanted, node, [])
    assert step.why == "daemon-reload: unit files of roost-try.service changed"
    step.act()
    assert commands.ran[-1] == ("systemctl", "daemon-reload")
    assert reload_steps({}, node, []) == []


def test_services_are_stopped_in_a_phase_of_their_own(node: Node, commands: Commands) -> None:
    show(commands, "ssh.service")
    wanted = {"services": [{"name": "ssh", "state": "stopped"}]}
    (step,) = stop_steps(wanted, node, [])
    step.act()
    assert commands.ran[-1] == ("systemctl", "stop", "ssh.service")
    assert service_steps(wanted, node, []) == []


def test_a_failed_start_shows_command_state_and_journal(node: Node, commands: Commands) -> None:
    show(commands, "broken.service")
    commands.answer("systemctl", "start", rc=1, err="Job for broken.service failed")
    commands.answer("journalctl", out="line 14\nline 15\n")
    (step,) = service_steps({"services": [{"name": "broken", "state": "started"}]}, node, [])
    with pytest.raises(StateError) as error:
        step.act()
    for words in (
        "`systemctl start broken.service` ended with 1: Job for broken.service failed",
        "broken.service is failed (failed), result exit-code",
        "line 14\nline 15",
    ):
        assert words in str(error.value)
    assert "--lines=15" in commands.ran[-1]


def test_waiting_for_a_service_ends(node: Node, commands: Commands) -> None:
    show(commands, "loop.service")
    began = time.monotonic()
    with pytest.raises(StateError, match=r"not ready after 0.3 s: it is activating \(auto-res"):
        settle({"name": "loop", "ready": {"unix": "/x", "timeout": 0.3}}, node, pause=0.05)
    assert time.monotonic() - began < 2
    show(commands, "broken.service")
    began = time.monotonic()
    with pytest.raises(StateError, match="broken.service is not ready: failed"):
        settle({"name": "broken", "ready": {"unix": "/x", "timeout": 60}}, node)
    assert time.monotonic() - began < 2


def listening(node: Node, port: int, process: str, group: str) -> None:
    """A process of the machine, in a control group, listens on a port."""
    proc = node.root / "proc"
    (proc / "net").mkdir(parents=True, exist_ok=True)
    line = f" 0: 0100007F:{port:04X} 00000000:0000 0A 0:0 00:0 0 0 0 4242 1"
    (proc / "net/tcp").write_text(f"sl local_address\n{line}\n")
    (proc / "7/fd").mkdir(parents=True, exist_ok=True)
    (proc / "7/fd/3").unlink(missing_ok=True)
    (proc / "7/fd/3").symlink_to("socket:[4242]")
    (proc / "7/comm").write_text(f"{process}\n")
    (proc / "7/cgroup").write_text(f"1:name=systemd:{group}\n")


def test_somebody_else_does_not_answer_in_the_place_of_a_service(
    node: Node, commands: Commands, registry: type[BlobHandler]
) -> None:
    of = registry.serve(b"x")
    port = int(registry.address.rpartition(":")[2])
    service = {"name": "roost-try", "ready": {"http": f"{registry.address}/{of['blob']}"}}
    show(commands, "roost-try.service")
    listening(node, port, "registry", "/system.slice/roost-try.service")
    settle(service, node)
    listening(node, port, "python3", "/user.slice")
    service["ready"]["timeout"] = 0.2
    held = rf"after 0.2 s: port {port}: found held by python3 \(process 7\), expected free; stop"
    with pytest.raises(StateError, match=held):
        settle(service, node, pause=0.05)
    service["ready"]["timeout"] = 60
    show(commands, "roost-try.service", ActiveState="activating", SubState="auto-restart")
    with pytest.raises(StateError, match=rf"is not ready: port {port}: found held by python3"):
        settle(service, node)


def test_ready_means_that_it_answers(tmp_path: Path, registry: type[BlobHandler]) -> None:
    path = str(tmp_path / "s")
    assert "does not accept connections" in probe({"unix": path})
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        assert probe({"unix": path}) == ""
    host, port = registry.address[len("http://") :].split(":")
    assert probe({"tcp": [host, port]}) == ""
    assert "tcp 127.0.0.1:9 does not accept" in probe({"tcp": ["127.0.0.1", 9]})
    of = registry.serve(b"x")
    url = f"{registry.address}/{of['blob']}"
    assert probe({"http": url}) == ""
    assert probe({"http": f"{url}0"}) == f"{url}0 answers 404, expected 200"
    assert probe({"http": f"{url}0", "status": 404}) == ""
    assert "does not answer" in probe({"http": "http://127.0.0.1:9/"})


@pytest.mark.parametrize(
    "ready", [{}, {"unix": "/x", "http": "http://x"}, {"tcp": ["x"]}, {"tcp": ["x", "http"]}]
)
def test_a_wrong_ready_is_refused(ready: dict[str, Any]) -> None:
    with pytest.raises(StateError, match="x.service: ready"):
        check_shape("x.service", ready)


def test_the_closing_look_leaves_stopped_services_alone(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled: list[str] = []
    monkeypatch.setattr(services, "settle", lambda service, node: settled.append(service["name"]))
    services.settle_all(
        {
            "services": [
                {"name": "a", "state": "started"},
                {"name": "b", "state": "stopped"},
                {"name": "c"},
            ]
        },
        node,
    )
    assert settled == ["a"]
