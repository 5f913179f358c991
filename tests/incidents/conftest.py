# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A cluster as it comes, and a table of what was measured on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.command import Ran
from tests.course import Course
from tests.e2e.conftest import CONFIDENCE, run

HEAD = """
| what happens | requests | failed | slow | longest gap | normal after |
|---|---|---|---|---|---|"""

ROWS = pytest.StashKey[dict[str, Course]]()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Ran]:
    """A running cluster without any options, and what `make up` said."""
    try:
        yield run("make", "up", f"ARGS=-e {CONFIDENCE}")
    finally:
        run("make", "down")


@pytest.fixture(scope="session")
def table(pytestconfig: pytest.Config) -> dict[str, Course]:
    """Of each incident what was measured, by its title."""
    return pytestconfig.stash.setdefault(ROWS, {})


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print what was measured, as docs/deployment.md has it."""
    rows = [
        f"| {title} | {row.requests} | {row.failed} | {row.slow} | {row.gap:.1f} s "
        f"| {row.normal_after:.0f} s |"
        for title, row in config.stash.get(ROWS, {}).items()
    ]
    if rows:
        terminalreporter.write_line("\n".join([HEAD, *rows]))
