# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What tells a linter to look away says why, on the same line or in a comment above it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
CODES = r"[\w-]+(\[[\w-]+\])?"
AWAY = re.compile(
    r"#\s*(?P<what>"
    rf"noqa(:\s*{CODES}(,\s*{CODES})*)?"
    r"|type:\s*ignore(\[[\w, -]+\])?"
    r"|(shellcheck|yamllint|pylint:) ?(disable|disable-line)\S*(\s+rule:[\w-]+)*"
    r"|hadolint\s+ignore=[\w,]+"
    r")(?P<why>.*)$"
)
FILES = subprocess.run(
    ["git", "ls-files", "*.py", "*.yml", "*.yaml", "*.sh", "*Dockerfile", "tests/*", ".ci/*"],
    cwd=REPOSITORY,
    capture_output=True,
    text=True,
    check=True,
).stdout.split()


def unexplained(lines: Sequence[str]) -> list[str]:
    found = []
    for before, line in zip(["", *lines], lines):
        match = AWAY.search(line)
        if match and len(match["why"].split()) < 3 and not before.strip().startswith("#"):
            found.append(match["what"])
    return found


# With @ for #, or this file would be full of them.
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("x = 1  @ noqa: E501", ["noqa: E501"]),
        ("x = 1  @ noqa: E501  a recorded line is as long as it is", []),
        ("@ A recorded line is as long as it is.\nx = 1  @ noqa: E501", []),
        ("import y  @ type: ignore[import-untyped]", ["type: ignore[import-untyped]"]),
        ("  run_once: true  @ noqa: run-once[task]", ["noqa: run-once[task]"]),
        ("@ shellcheck disable=SC2086", ["shellcheck disable=SC2086"]),
        ("@ shellcheck disable=SC2086  @ one word for each package", []),
        ("x = 1", []),
    ],
)
def test_an_exception_without_a_reason_is_found(text: str, found: list[str]) -> None:
    assert unexplained(text.replace("@", "#").splitlines()) == found


def test_every_exception_says_why() -> None:
    found = {
        file: exceptions
        for file in FILES
        if not (REPOSITORY / file).is_dir()
        for exceptions in [unexplained((REPOSITORY / file).read_text().splitlines())]
        if exceptions
    }
    assert not found
