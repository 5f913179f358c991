# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the bench makes of what it has measured, and what it hands to its shell script."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.bench import cluster, inputs, report
from tests.bench.measure import BARE, SITE, STEPS, Run
from tests.conftest import REPOSITORY

NET_DEV = """Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs
    lo:  900000    5000    0    0    0     0          0         0   900000    5000    0
  eth0:     126       1    0    0    0     0          0         0        0       0    0
  eth1: 2000000    1500    0    0    0     0          0         0    70000     900    0
  cni0:  500000     400    0    0    0     0          0         0   500000     400    0
"""


def run(side: str, number: int, seconds: float) -> Run:
    found = Run(
        side, number, seconds, {"istio": seconds / 4}, {"control": 10**6}, {"control": 10**5}
    )
    if side == SITE:
        found.calls = {"control": 15}
        found.slowest = [{"name": "Apply", "role": "istio", "seconds": 3.0}]
    return found


PAIRS = [(60.0, 50.0, 20.0, 5.0), (66.0, 80.0, 22.0, 4.0), (90.0, 60.0, 24.0, 8.0)]
RUNS = [
    each
    for site_1, bare_1, site_2, bare_2 in PAIRS
    for each in (
        run(SITE, 1, site_1),
        run(SITE, 2, site_2),
        run(BARE, 1, bare_1),
        run(BARE, 2, bare_2),
    )
]


def test_what_comes_from_outside_counts() -> None:
    assert cluster._received(NET_DEV) == 2000126


def test_ratios_are_of_pairs() -> None:
    """Not of the medians, which come from different pairs."""
    found = report.summary(RUNS)
    assert found["first"]["ratio"] == pytest.approx(1.2)
    assert found["second"]["ratio"] == pytest.approx(4.0)
    assert found["first"]["sides"][SITE]["seconds"] == 66.0
    assert found["second"]["sides"][BARE]["steps"] == {"istio": 1.25}


def test_both_sides_stand_beside_each_other() -> None:
    told = report.lines(report.summary(RUNS))
    assert any(line.split() == ["istio", "16.5", "15.0"] for line in told)
    assert any(
        line.split() == ["MB", "of", "images", "on", "control", "0.1", "0.1"] for line in told
    )
    assert any(line.split() == ["module", "calls", "on", "control", "15", "-"] for line in told)


def test_the_playbook_has_the_steps_that_are_compared() -> None:
    """A play that is renamed or new would count as the start."""
    plays = {
        play["name"]
        for name in ("cluster", "mesh", "release", "registry", "site")
        for play in yaml.safe_load((REPOSITORY / "playbooks" / f"{name}.yml").read_text())
        if "hosts" in play
    }
    assert plays - {"Verify"} == set(STEPS)


def test_the_script_tells_the_same_steps() -> None:
    text = (REPOSITORY / "tests" / "bench" / "bare").read_text()
    told = [line.split()[1] for line in text.splitlines() if line.startswith("done_with ")]
    assert told == list(dict.fromkeys(STEPS.values()))


def test_only_the_measurement_at_the_end_is_left_out() -> None:
    plays = yaml.safe_load((REPOSITORY / "playbooks" / "site.yml").read_text())
    assert [play["name"] for play in plays if play.get("tags")] == ["Verify"]


def test_a_node_gets_files_and_a_list_of_binaries(tmp_path: Path) -> None:
    binary = {"path": "/usr/local/bin/runc", "repository": "files/runc", "sha256": "ab"}
    given = {
        "files": [{"path": "/etc/roost/a.yml", "content": "a: 1\n"}],
        "directories": [{"path": "/etc/cni/net.d"}],
        "binaries": [{**binary, "blob": "sha256:cd", "name": "runc"}],
    }
    for _role in range(2):
        inputs._lay_out(tmp_path, given)
    assert (tmp_path / "etc/roost/a.yml").read_text() == "a: 1\n"
    assert (tmp_path / "etc/cni/net.d").is_dir()
    line = "/usr/local/bin/runc files/runc sha256:cd ab\n"
    assert (tmp_path / "root/binaries").read_text() == line * 2


def test_the_gateways_route_comes_last(tmp_path: Path) -> None:
    def item(kind: str, name: str) -> dict[str, Any]:
        return {"kind": kind, "metadata": {"name": name, "namespace": "digits"}}

    asked = [
        {
            "role": "pod_network",
            "module": "roost.cluster.objects_apply",
            "host": "localhost",
            "arguments": {"objects": []},
            "stages": None,
        },
        {
            "role": "release",
            "stages": [
                {
                    "name": "install",
                    "objects": [item("VirtualService", "gateway"), item("Deployment", "app-v1")],
                },
                {"name": "weights", "objects": [item("VirtualService", "gateway")]},
            ],
        },
    ]
    inputs._objects(tmp_path, asked)
    kinds = {
        name: [each["kind"] for each in json.loads((tmp_path / name).read_text())["items"]]
        for name in ("release.json", "weights.json")
    }
    assert kinds == {"release.json": ["Deployment"], "weights.json": ["VirtualService"]}
    assert (tmp_path / "deployments").read_text() == "digits app-v1\n"
