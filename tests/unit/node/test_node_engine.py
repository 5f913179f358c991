# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.node import engine
from ansible_collections.roost.cluster.plugins.module_utils.node.core import (
    Node,
    StateError,
    Step,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.engine import (
    KINDS,
    Outcome,
    bring_about,
    report,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.spec import ARGUMENTS
from ansible_collections.roost.cluster.plugins.module_utils.node.writes import node_lock

from tests.unit.node.helpers import BlobHandler, files_below
from tests.unit.node.played_machine import BINARY, CONFIG, UNIT, Machine, describe


@pytest.fixture
def ready(tmp_path: Path) -> Any:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "ready"))
        server.listen(64)
        yield str(tmp_path / "ready")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    for path, content in {
        "proc/sys/net/ipv4/ip_forward": "0\n",
        "etc/hosts": "127.0.0.1 x\n",
        "etc/box/old.conf": "old",
        "etc/fstab": "/dev/a none swap sw 0 0\n",
        "proc/swaps": "Filename\n",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content)
    return root


def run(root: Path, wanted: dict[str, Any], check: bool = False) -> list[Step]:
    outcome = Outcome()
    bring_about(wanted, Node(root=root, run=Machine(root), check=check), outcome)
    return outcome.planned


def test_every_kind_of_resource_has_a_handler_and_the_order_holds() -> None:
    parameters = [parameter for parameter, _ in KINDS]
    sources = {"registry", "store", "sysctls_check"}
    assert set(parameters) - {engine.ALWAYS} == set(ARGUMENTS) - sources
    order = ["kernel_modules", "sysctls", "absent", "directories", "binaries", "files", "links"]
    assert [name for name in parameters if name in order] == order
    assert parameters[-1] == "services"


def test_one_pass_brings_all_about_and_a_second_changes_nothing(
    root: Path, registry: type[BlobHandler], ready: str
) -> None:
    steps = run(root, describe(registry, "1", ready))
    assert [(step.what, step.why) for step in steps] == [
        ("kernel module br_netfilter", "not loaded"),
        ("/etc/modules-load.d/roost.conf", "missing"),
        ("sysctl net.ipv4.ip_forward", "0 → 1"),
        ("/etc/sysctl.d/90-roost.conf", "missing"),
        (
            "/etc/fstab",
            "swap comes back at the next start: '/dev/a none swap sw 0 0' → "
            "'# roost, swap is off: /dev/a none swap sw 0 0'",
        ),
        (
            "/etc/systemd/system/swap.target",
            "swap that isn't in the fstab comes back at the next start: swap.target is not masked",
        ),
        ("/etc/hosts", "control missing"),
        ("/etc/box/old.conf", "a file that shall not be there"),
        ("/var/lib/box", "missing"),
        (BINARY, "missing"),
        (CONFIG, "missing"),
        (UNIT, "missing"),
        ("/etc/box/link", "missing"),
        ("systemd", f"daemon-reload: {UNIT} changed"),
        ("box.service", "enable: not installed, expected enabled"),
        ("box.service", "start: inactive (x), expected started"),
    ]
    assert run(root, describe(registry, "1", ready)) == []
    assert Machine(root).state()["starts"] == 1


def test_a_check_plans_the_same_and_writes_nothing(
    root: Path, registry: type[BlobHandler], ready: str
) -> None:
    before = files_below(root)
    planned = run(root, describe(registry, "1", ready), check=True)
    assert files_below(root) == before
    assert registry.asked == []
    assert [step.change() for step in planned] == [
        step.change() for step in run(root, describe(registry, "1", ready))
    ]


def test_a_new_version_restarts_once(root: Path, registry: type[BlobHandler], ready: str) -> None:
    run(root, describe(registry, "1", ready))
    told = report(run(root, describe(registry, "2", ready)))
    assert told["restarted"] == ["box.service"]
    # The restart is no change of its own: it follows from these.
    assert {change["what"] for change in told["changes"]} == {CONFIG, BINARY, UNIT}
    assert all(change["why"].endswith("; box.service restarts") for change in told["changes"])
    assert len(told["diff"]) == len(told["changes"])
    assert {
        "before": "version = 1\n",
        "after": "version = 2\n",
        "before_header": f"{CONFIG} (now)",
        "after_header": f"{CONFIG} (version 1 → 2; box.service restarts)",
    } in told["diff"]
    assert run(root, describe(registry, "2", ready)) == []
    assert Machine(root).state()["starts"] == 2


def test_a_run_killed_anywhere_is_completed_by_the_next(
    root: Path, registry: type[BlobHandler], ready: str
) -> None:
    """Kill an upgrade before and after each command and each write that counts."""
    run(root, describe(registry, "1", ready))
    version, deaths = 2, 0
    while True:
        wanted = describe(registry, str(version), ready)
        child = os.fork()
        if child == 0:
            _die_at(root, wanted, deaths + 1)
        killed = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
        run(root, wanted)
        assert run(root, wanted) == []
        assert Machine(root).state()["runs"] == [
            f"version = {version}\n",
            f"box {version}",
            f"[Service]\n# {version}\n",
        ]
        # Remembered digests are only written again once there is a new one to remember.
        assert not [
            name
            for name in files_below(root)
            if "roost-new" in name and "binaries.json" not in name
        ]
        if not killed:
            break
        deaths, version = deaths + 1, version + 1
    assert deaths >= 8


def _die_at(root: Path, wanted: dict[str, Any], event: int) -> None:
    """In a child process: run, and die at an event without any chance to clean up."""
    machine = Machine(root, die_at=event)
    replace = Path.replace

    def replace_or_die(self: Path, target: Path) -> Path:
        machine.event()
        done = replace(self, target)
        machine.event()
        return done

    try:
        Path.replace = replace_or_die  # type: ignore[method-assign, assignment]  # in a process of its own
        bring_about(wanted, Node(root=root, run=machine), Outcome())
    finally:
        os._exit(0)


def test_what_does_not_last_is_told(node: Node) -> None:
    def planner(wanted: Any, node: Node, planned: list[Step]) -> list[Step]:
        return [Step("/x", "missing", lambda: None)]

    kinds, outcome = engine.KINDS, Outcome()
    try:
        engine.KINDS = (("files", planner),)
        with pytest.raises(StateError, match="still differs after it was changed: /x: missing"):
            bring_about({"files": []}, node, outcome)
    finally:
        engine.KINDS = kinds
    assert [step.what for step in outcome.done] == ["/x"]


def test_an_address_that_the_machine_lacks_is_told_before_anything_is_changed(root: Path) -> None:
    outcome, wanted = Outcome(), {"directories": [{"path": "/var/a"}]}
    with pytest.raises(StateError, match="^192.0.2.1: found on no interface of this machine "):
        bring_about({**wanted, "addresses": ["127.0.0.1", "192.0.2.1"]}, Node(root=root), outcome)
    assert not (root / "var/a").exists()
    bring_about({**wanted, "addresses": ["127.0.0.1"]}, Node(root=root), outcome)
    assert [step.what for step in outcome.done] == ["/var/a"]


def test_what_was_done_before_a_failure_is_known(root: Path) -> None:
    wanted = {
        "directories": [{"path": "/var/a"}],
        "files": [{"path": "/etc/f", "content": "x", "validate": ["no", "placeholder"]}],
    }
    outcome = Outcome()
    with pytest.raises(StateError):
        bring_about(wanted, Node(root=root, run=Machine(root)), outcome)
    assert [step.what for step in outcome.done] == ["/var/a"]


def test_two_runs_do_not_change_a_machine_at_once(node: Node) -> None:
    with (
        node_lock(node),
        pytest.raises(StateError, match=rf"process {os.getpid()} holds"),
        node_lock(node, patience=0.1),
    ):
        pytest.fail("two at once")
    with (
        node_lock(node, patience=0.3),
        node.at("/run/roost.lock").open() as handle,
        pytest.raises(BlockingIOError),
    ):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
