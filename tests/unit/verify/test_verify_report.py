# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.verify.promise import (
    failures,
    from_problems,
    not_applicable,
    promise,
    table,
)
from ansible_collections.roost.cluster.plugins.module_utils.verify.report import report

GOOD = promise("split", True, "10%", "10.1%", "never shown")
BAD = promise("errors", False, "0 failed requests", "3 of 5000", "look at the logs")


def test_one_line_says_expected_found_and_what_to_do() -> None:
    assert failures([GOOD, BAD]) == [
        "promise failed: errors: expected 0 failed requests; found 3 of 5000; look at the logs"
    ]


def test_the_table_is_aligned_and_marks_what_does_not_apply() -> None:
    assert table([GOOD, BAD, not_applicable("spread", "both", "one worker")]) == [
        "ok     split   10.1%",
        "FAILED errors  3 of 5000",
        "–      spread  one worker",
    ]


def test_of_many_problems_five_are_spelled_out() -> None:
    item = from_problems("pods", "up", "all", [f"p{number}" for number in range(8)], "look")
    assert item["found"] == "p0; p1; p2; p3; p4 and 3 more"
    assert not item["ok"]


def test_promises_that_hold_on_all_nodes_share_a_line_and_a_broken_one_names_its_node() -> None:
    nodes = {"control": {"promises": [GOOD]}, "worker-1": {"promises": [GOOD, BAD]}}
    found = report(nodes, {})
    assert found.lines == [
        "ok     split               10.1% (on control, worker-1)",
        "FAILED errors on worker-1  3 of 5000",
    ]
    assert len(found.failures) == 1


def test_what_was_measured_stands_below_the_table() -> None:
    found = report({}, {"split": {"promises": [GOOD], "lines": ["share  10.1%"]}})
    assert found.lines == ["ok     split  10.1%", "", "share  10.1%"]


@pytest.mark.parametrize(
    ("result", "found"),
    [
        ({}, "it did not run"),
        ({"unreachable": True, "msg": "Failed to connect"}, "Failed to connect"),
        ({"failed": True, "msg": "Traceback …\nValueError: x"}, "ValueError: x"),
        ({"promises": []}, "it did not run"),
    ],
)
def test_a_check_without_promises_broke_one(result: dict[str, Any], found: str) -> None:
    for made in (report({"worker-1": result}, {}), report({}, {"split check": result})):
        (line,) = made.failures
        assert found in line
    assert "on worker-1" in report({"worker-1": result}, {}).failures[0]


def test_check_mode_promises_nothing() -> None:
    assert report({"control": {"skipped": True}}, {"split": {"skipped": True}}).failures == []
