# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The tables of the bench: medians of all pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from tests.bench.measure import BARE, SITE, STEPS, Run

MEGA = 1e6


def summary(runs: Sequence[Run]) -> dict[str, Any]:
    """By run (first, second): medians of both sides, and of the pairs' ratios."""
    return {name: _of_number(runs, number) for number, name in ((1, "first"), (2, "second"))}


def _of_number(runs: Sequence[Run], number: int) -> dict[str, Any]:
    sides = {
        side: [run for run in runs if (run.side, run.number) == (side, number)]
        for side in (SITE, BARE)
    }
    pairs = zip(sides[SITE], sides[BARE], strict=True)
    return {
        "ratio": median(one.seconds / other.seconds for one, other in pairs),
        "sides": {
            side: {
                "seconds": median(run.seconds for run in each),
                "all_seconds": [round(run.seconds, 2) for run in each],
                "load": [round(run.load, 2) for run in each],
                "steps": _medians(each, lambda run: run.steps),
                "received": _medians(each, lambda run: run.received),
                "pulled": _medians(each, lambda run: run.pulled),
                "calls": _medians(each, lambda run: run.calls),
            }
            for side, each in sides.items()
        },
        "slowest": sides[SITE][-1].slowest,
    }


def _medians(runs: Sequence[Run], of: Callable[[Run], Any]) -> dict[str, float]:
    return {name: median(of(run)[name] for run in runs) for name in of(runs[0])}


def lines(found: dict[str, Any]) -> list[str]:
    told = []
    for name, run in found.items():
        site, bare = (run["sides"][side] for side in (SITE, BARE))
        told += [
            f"{name + ' run':28} {SITE:>9} {BARE:>9}",
            _row("seconds, median", site["seconds"], bare["seconds"]),
            *(
                _row(f"  {step}", site["steps"].get(step), bare["steps"].get(step))
                for step in ("start", *dict.fromkeys(STEPS.values()))
            ),
            f"{'ratio, median of the pairs':28} {run['ratio']:9.2f}",
            *(
                _row(f"MB received by {host}", count / MEGA, bare["received"][host] / MEGA)
                for host, count in site["received"].items()
            ),
            *(
                _row(f"MB of images on {host}", count / MEGA, bare["pulled"][host] / MEGA)
                for host, count in site["pulled"].items()
            ),
            *(
                f"{'module calls on ' + host:28} {count:9.0f} {'-':>9}"
                for host, count in site["calls"].items()
            ),
            f"{'seconds, each':28} {site['all_seconds']} {bare['all_seconds']}",
            f"{'load before, each':28} {site['load']} {bare['load']}",
            "the slowest tasks of the last pair:",
            *(
                f"  {task['seconds']:6.1f}  {task['role']} : {task['name']}"
                for task in run["slowest"]
            ),
            "",
        ]
    return told


def _row(name: str, site: float | None, bare: float | None) -> str:
    shown = [f"{'-':>9}" if value is None else f"{value:9.1f}" for value in (site, bare)]
    return f"{name:28} {' '.join(shown)}"
