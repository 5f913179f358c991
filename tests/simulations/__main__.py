# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Simulated rollouts: `all` writes the tables of docs/statistics.md, `short` takes seconds.

Exits with 1 if a guarantee or a promised figure isn't kept. Every seed is printed.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any

# The first of these lets the others be imported.
from tests.conftest import REPOSITORY
from tests.simulations import flagger, guarantees, power, scenarios, tables
from tests.simulations.scenarios import Scenario

DOCUMENT = REPOSITORY / "docs" / "statistics.md"
# What the short form plays of each kind of traffic in it: 1,500 healthy rollouts.
SHORT_ROLLOUTS = 500
Job = Callable[..., Any]
# The tables of the document by their names there.
WRITERS: dict[str, Callable[[list[Any]], str]] = {
    "healthy": lambda found: guarantees.as_table(found, "rolled back", "ever shown worse"),
    "margin": lambda found: guarantees.as_table(found, "advanced", "ever shown within"),
    "figures": power.figures_table,
    "power": power.curves_table,
    "flagger": flagger.comparison_table,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulations", description=__doc__)
    parser.add_argument("extent", choices=("short", "all"))
    extent = parser.parse_args().extent
    if extent == "all":
        for name in WRITERS:
            tables.place(DOCUMENT.read_text(), name)
    # Two at a time: the arrays of 10,000 rollouts take 1 GB.
    with ProcessPoolExecutor(max_workers=min(2, os.cpu_count() or 1)) as pool:
        begun = _begin(pool, extent)
        found = {name: [job.result() for job in jobs] for name, jobs in begun.items()}
    written = {name: WRITERS[name](results) for name, results in found.items()}
    for name, table in written.items():
        print(f"{name}\n\n{table}\n", flush=True)
    if extent == "all":
        tables.write(DOCUMENT, written)
    broken = _broken(found)
    for problem in broken:
        print(problem, file=sys.stderr)
    return 1 if broken else 0


def _begin(pool: ProcessPoolExecutor, extent: str) -> dict[str, list[Future[Any]]]:
    short = extent == "short"
    checks: list[tuple[str, Job, list[Scenario]]] = [
        ("healthy", guarantees.of_healthy, scenarios.healthy()),
        ("margin", guarantees.at_margin, scenarios.at_margin()),
    ]
    begun = {
        name: [
            pool.submit(job, number, SHORT_ROLLOUTS if short else scenario.rollouts)
            for number, scenario in enumerate(listed)
            if scenario.short or not short
        ]
        for name, job, listed in checks
    }
    others: list[tuple[str, Job, int]] = [
        ("figures", power.figure, len(power.promises())),
        ("power", power.curve, len(power.canaries())),
        ("flagger", flagger.compare, len(flagger.canaries())),
    ]
    if not short:
        for name, job, count in others:
            begun[name] = [pool.submit(job, number) for number in range(count)]
    return begun


def _broken(found: Mapping[str, list[Any]]) -> list[str]:
    alpha = scenarios.SETTINGS.alpha
    problems = [
        f"{result.name} (seed {result.seed}): {result.wrong} of {result.rollouts} rollouts ended "
        f"wrongly and {result.claimed} made a wrong claim; expected at most {alpha:.0%}"
        for result in (*found["healthy"], *found["margin"])
        if result.proves_more_than(alpha)
    ]
    problems += [
        f"{figure.name} (seed {figure.seed}): {figure.within:.1%} of the rollouts needed at most "
        f"{figure.promised:g} {figure.unit}; expected {figure.least:.0%}"
        for figure in found.get("figures", [])
        if not figure.kept
    ]
    return problems


sys.exit(main())
