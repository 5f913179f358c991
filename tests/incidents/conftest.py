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


@pytest.fixture(scope="session")
def cluster() -> Iterator[Ran]:
    """A running cluster without any options, and what `make up` said."""
    try:
        yield run("make", "up", f"ARGS=-e {CONFIDENCE}")
    finally:
        run("make", "down")


@pytest.fixture(scope="session")
def table(pytestconfig: pytest.Config) -> Iterator[dict[str, Course]]:
    """Of each incident what was measured; printed at the end, as docs/deployment.md has it."""
    rows: dict[str, Course] = {}
    yield rows
    lines = [
        f"| {title} | {row.requests} | {row.failed} | {row.slow} | {row.gap:.1f} s "
        f"| {row.normal_after:.0f} s |"
        for title, row in rows.items()
    ]
    reporter = pytestconfig.pluginmanager.get_plugin("terminalreporter")
    assert reporter is not None
    reporter.write_line("\n".join([HEAD, *lines]))
