# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.api.execution import (
    Executed,
    executed,
)


@pytest.mark.parametrize(
    ("status", "output", "errors", "expected"),
    [
        ({"metadata": {}, "status": "Success"}, "10.96.0.20\n", "", Executed(0, "10.96.0.20\n")),
        (
            {
                "status": "Failure",
                "reason": "NonZeroExitCode",
                "message": "command terminated with non-zero exit code",
                "details": {"causes": [{"reason": "ExitCode", "message": "2"}]},
            },
            "asked\n",
            "no such name",
            Executed(2, "asked\n", "no such name"),
        ),
        (
            {
                "status": "Failure",
                "reason": "InternalError",
                "message": 'exec: "python3": executable file not found in $PATH: unknown',
            },
            "",
            "",
            Executed(
                None,
                "",
                'exec: "python3": executable file not found in $PATH: unknown',
                missing=True,
            ),
        ),
    ],
)
def test_the_end_of_an_exec(
    status: dict[str, Any], output: str, errors: str, expected: Executed
) -> None:
    assert executed(json.dumps(status), output, errors) == expected


def test_an_exec_without_an_end() -> None:
    assert executed("no end within 15 s") == Executed(None, "", "no end within 15 s")
    assert executed("no end", "half", "a warning") == Executed(None, "half", "a warning")


def test_what_there_is_to_show_ends_with_the_errors() -> None:
    assert Executed(1, "out\n", "error").text == "out\nerror"
