# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Downloads that break, and configuration that containerd wouldn't take: it runs on as it was.

Each case is about one machine; the others go on.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests import faults
from tests.command import REPOSITORY, Ran

BROKEN = "worker-1"
PORTMAP = "/opt/cni/bin/portmap"
CONFIG = "/etc/containerd/config.toml"
REGISTRY = REPOSITORY / "playbooks" / "registry.yml"


@pytest.fixture
def node(machine: Callable[[str], Any]) -> Any:
    return machine(BROKEN)


@pytest.fixture(autouse=True)
def _runs_on(node: Any) -> Iterator[None]:
    """Whatever fails, the daemon that runs isn't touched."""

    def daemon() -> str:
        return str(node.check_output("systemctl show --property=MainPID,ActiveState containerd"))

    before = daemon()
    yield
    assert daemon() == before


@pytest.fixture
def lacking(node: Any) -> Iterator[Any]:
    """The machine lacks one of the files that the role brings."""
    with faults.moved_away(node, PORTMAP):
        yield node


def only_one_failed(ran: Ran) -> str:
    assert ran.code != 0
    assert {name: counts["failed"] for name, counts in ran.recap.items() if "/" not in name} == {
        "control": 0,
        "localhost": 0,
        BROKEN: 1,
        "worker-2": 0,
    }
    return ran.said


# -- Downloads ------------------------------------------------------------------------------


def test_the_registry_does_not_answer(
    lacking: Any, converge: Any, machine: Callable[[str], Any], addresses: dict[str, str]
) -> None:
    with faults.stopped(machine("control"), "roost-registry"):
        said = only_one_failed(converge())
    assert f"{PORTMAP}: files/cni-portmap (blob sha256:" in said
    assert "nothing was installed, what was there is kept: tried 3 times: " in said
    assert f"http://{addresses['control']}:5000/v2/" in said
    assert "Connection refused; expected an answer: look at `systemctl status roost-reg" in said
    assert not lacking.file(PORTMAP).exists


def test_packets_to_the_registry_are_lost(lacking: Any, converge: Any) -> None:
    """Nobody even refuses the connection."""
    with faults.packets_lost(BROKEN, "OUTPUT -p tcp --dport 5000"):
        said = only_one_failed(converge())
    assert "timed out; expected an answer: look at `systemctl status roost-registry`" in said
    assert "and at the network between it and this one" in said
    assert not lacking.file(PORTMAP).exists


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        ("rm {blob}", r"answered 404 Not Found, expected the blob"),
        # One byte in the middle.
        ("printf X | dd of={blob} bs=1 seek=5000 conv=notrunc status=none", r"it is corrupt[:,] "),
        ("truncate --size=-1000 {blob}", r"it is corrupt[:,] "),
        ("truncate --size=0 {blob}", r"it is corrupt[:,] "),
    ],
)
def test_a_download_that_is_broken(
    lacking: Any,
    converge: Any,
    playbook: Any,
    machine: Callable[[str], Any],
    bundle: dict[str, Any],
    damage: str,
    found: str,
) -> None:
    """And what the message says to do about it helps."""
    blob = f"{faults.STORE}/{faults.blob_path(bundle['cni-portmap']['blob'])}"
    machine("control").run_expect([0], damage.format(blob=blob))
    try:
        said = only_one_failed(converge())
        assert re.search(found, said)
        assert "playbooks/registry.yml looks at each blob and sends again what is missing" in said
        assert not lacking.file(PORTMAP).exists
    finally:
        repaired = playbook(REGISTRY)
    assert repaired.code == 0
    assert repaired.changed == 1
    assert converge().code == 0
    assert lacking.file(PORTMAP).sha256sum == bundle["cni-portmap"]["sha256"]


def test_a_disk_that_is_full(node: Any, converge: Any) -> None:
    with faults.small_disk(node, "/opt/cni/bin", "1m"):
        said = only_one_failed(converge())
    assert re.search(
        r"/opt/cni/bin/\w[\w-]*: the disk is full, so nothing of it was written, and what was "
        r"there is kept: found \d of 1 MiB free at /opt/cni/bin, expected room for the whole file; "
        r"free some space there",
        said,
    )
    assert ".roost-new" not in node.check_output("ls -A /opt/cni/bin")


# -- Configuration --------------------------------------------------------------------------


def test_configuration_that_containerd_refuses(
    node: Any, refused: Any, bundle: dict[str, Any]
) -> None:
    """containerd judges the new file before the old one goes."""
    before = node.check_output(f"md5sum {CONFIG}")
    wrong = copy.deepcopy(bundle)
    wrong["pause"]["name"] = "it's none"
    said = refused(container_runtime_bundle=wrong)
    assert f"{CONFIG}: the new content is refused, the old is kept: `/usr/local/bin/cont" in said
    assert "config dump` ended with 1: " in said
    assert "toml" in said.partition("config dump` ended with")[2]
    assert node.check_output(f"md5sum {CONFIG}") == before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"container_runtime_restrict_oom_score": "perhaps"},
            "argument 'container_runtime_restrict_oom_score' is of type str",
        ),
        (
            {"container_runtime_mirrors": {"one": "two"}},
            "argument 'container_runtime_mirrors' is of type dict",
        ),
        ({"container_runtime_mirrors": []}, "container_runtime_mirrors: expected at least one"),
        (
            {"container_runtime_mirrors": ["192.168.57.100:5000"]},
            "container_runtime_mirrors: expected http://… or https://…, found '192.168.57.100:500",
        ),
        ({"container_runtime_bundle": {}}, "`make bundle` fills the bundle"),
    ],
)
def test_a_wrong_option_is_named(refused: Any, options: dict[str, Any], said: str) -> None:
    assert said in refused(**options)


# -- Machines -------------------------------------------------------------------------------


def test_a_machine_that_does_not_answer(converge: Any) -> None:
    with faults.unreachable("worker-2"):
        ran = converge()
    assert ran.recap["worker-2"]["unreachable"] == 1
    assert ran.recap["control"]["failed"] == ran.recap[BROKEN]["failed"] == 0


def test_nothing_is_left_to_do_without_all_this(recovers: Any) -> None:
    recovers()
