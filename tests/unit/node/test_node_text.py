# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.node.text import explain, with_block


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        (
            "a = 1\nSystemdCgroup = false\n",
            "a = 1\nSystemdCgroup = true\n",
            "SystemdCgroup false → true",
        ),
        ("port: 80\nhost: x\n", "port: 81\nhost: y\n", "2 lines differ, the first is line 1"),
        ('{"a": 1,\n "b": 2}\n', '{"a": 1,\n "b": 3}\n', "b 2} → 3}"),
        ("one\n", "two\n", "'one' → 'two'"),
        ("a\nb\n", "a\nnew\nb\n", "line 'new' is new"),
        ("a\nold\nb\n", "a\nb\n", "line 'old' goes"),
        ("a\n", "a", "only the line ends differ"),
        ("a = 1\nx\nb = 1\nx\n", "a = 2\nx\nb = 2\nx\n", "a 1 → 2, b 1 → 2"),
        ("", "a\nb\nc\n", "3 lines differ, the first is line 1"),
    ],
)
def test_explain_names_what_differs(before: str, after: str, why: str) -> None:
    assert explain(before, after) == why


def test_a_block_is_added_replaced_in_its_place_and_taken_away() -> None:
    first = with_block("127.0.0.1 localhost\n", "10.0.0.1 a\n")
    assert first == "127.0.0.1 localhost\n# BEGIN roost\n10.0.0.1 a\n# END roost\n"
    text = first + "10.9.9.9 mine\n"
    second = with_block(text, "10.0.0.2 b\n")
    assert second.splitlines() == [
        "127.0.0.1 localhost",
        "# BEGIN roost",
        "10.0.0.2 b",
        "# END roost",
        "10.9.9.9 mine",
    ]
    assert with_block(second, "10.0.0.2 b\n") == second
    assert with_block(second, "") == "127.0.0.1 localhost\n10.9.9.9 mine\n"


def test_a_block_without_its_end_is_left_to_people() -> None:
    text = "# BEGIN roost\n10.0.0.1 a\n"
    assert with_block(text, "10.0.0.1 b\n").startswith(text)
