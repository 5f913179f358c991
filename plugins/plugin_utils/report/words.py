# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a report says numbers, times and thresholds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from ansible_collections.roost.cluster.plugins.plugin_utils.decision.reasons import (
    FAILURES,
    LATENCY,
    Words,
)

OF_METRIC: dict[str, Words] = {words.metric: words for words in (FAILURES, LATENCY)}
# Each setting in the order of the table: what it is called, and how its value is said.
SETTINGS: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    (
        "alpha",
        "probability of a wrong rollback, and of a wrong promotion, at most",
        "{:.3g}".format,
    ),
    ("failure_margin", "margin of failures", FAILURES.of_size),
    ("latency_margin", "margin of p95 latency", LATENCY.of_size),
    ("minimum_requests", "canary requests in each step, at least", "{:,}".format),
    ("look_seconds", "seconds between two looks", "{:,}".format),
    ("maximum_seconds", "longest wait in a step, seconds", "{:,}".format),
    ("maximum_requests", "canary requests of a step that end the wait", "{:,}".format),
)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def seconds_between(start: str, end: str) -> float:
    return (moment(end) - moment(start)).total_seconds()


def date(text: str | None) -> str:
    return "–" if text is None else f"{moment(text):%Y-%m-%d %H:%M:%S} UTC"


def duration(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.2g} min" if seconds < 600 else f"{seconds / 60:.0f} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours}:{minutes:02d} h"


def share(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,} ({100 * part / whole:.3g}%)" if whole else "no request"


def interval(words: Words, lower: float | None, upper: float | None) -> str:
    """What isn't refuted yet."""
    if lower is None and upper is None:
        return "nothing shown yet"
    if lower is None:
        return f"below {words.of_size(upper or 0.0)}"
    if upper is None:
        return f"above {words.of_size(lower)}"
    return f"{words.of_size(lower)} to {words.of_size(upper)}"


def settings(block: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Those that are known, then the others as they are."""
    said = [(name, say(block[key])) for key, name, say in SETTINGS if key in block]
    known = {key for key, _name, _say in SETTINGS}
    return said + [(key, str(value)) for key, value in block.items() if key not in known]
