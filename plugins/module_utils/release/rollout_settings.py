# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a release says about how its rollouts are decided: the block `rollout`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.release.problems import Checker, join


@dataclass(frozen=True)
class Settings:
    """The defaults suit a service of 5 requests per second as well as a busy one."""

    # The canary's weights, one after the other, in percent. At the last one it is promoted.
    steps: tuple[int, ...] = (5, 10, 25, 50, 100)
    # The probability of rolling back a canary that is no worse, and that of advancing one that is
    # worse by a margin: each at most this, over all looks, steps and metrics of a rollout.
    alpha: float = 0.01
    # How much more often the canary may fail: a difference of shares of requests.
    failure_margin: float = 0.02
    # How many times the stable version's p95 latency the canary's may be.
    latency_margin: float = 1.5
    # Latencies up to this are all the same, for nobody notices the difference; proxies count whole
    # milliseconds, so that from 4 to 5 would be a quarter more.
    latency_floor_ms: int = 20
    # Canary requests of each service in each step, before it may advance.
    minimum_requests: int = 100
    # Seconds between two readings.
    look_seconds: int = 5
    # What ends the wait for a decision in one step: seconds, and canary requests of one service.
    maximum_seconds: int = 4 * 3600
    maximum_requests: int = 20_000

    def __post_init__(self) -> None:
        problems = [
            f"{name}: got {found!r}; expected {expected}"
            for name, found, expected in _wrong(asdict(self))
        ]
        if problems:
            raise ValueError("; ".join(problems))
        # JSON and YAML only know lists.
        object.__setattr__(self, "steps", tuple(self.steps))

    def as_block(self) -> dict[str, Any]:
        return asdict(self) | {"steps": list(self.steps)}


_NUMBERS: dict[str, tuple[float, float]] = {
    "alpha": (0.0, 0.5),
    "failure_margin": (0.0, 1.0),
    "latency_margin": (1.0, 10.0),
}
_INTEGERS: dict[str, tuple[int, int]] = {
    "latency_floor_ms": (1, 1000),
    "minimum_requests": (1, 10**9),
    "look_seconds": (1, 3600),
    "maximum_seconds": (1, 30 * 86400),
    "maximum_requests": (1, 10**12),
}


def _wrong(values: dict[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """Every value that can't be used: its name, what was found, what is expected."""
    if not _rising(values["steps"]):
        yield (
            "steps",
            values["steps"],
            "a list of integers from 1 to 100, each above the one before it and the last 100",
        )
    for name, (low, high) in _NUMBERS.items():
        value = values[name]
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or not low < value < high:
            yield name, value, f"a number above {low:g} and below {high:g}"
    for name, (least, most) in _INTEGERS.items():
        value = values[name]
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            yield name, value, f"an integer from {least} to {most}"
    few, many = values["minimum_requests"], values["maximum_requests"]
    if isinstance(few, int) and isinstance(many, int) and few > many:
        yield "maximum_requests", many, f"at least minimum_requests, {few}"


def _rising(steps: object) -> bool:
    if not isinstance(steps, (list, tuple)) or not steps or steps[-1] != 100:
        return False
    if any(isinstance(step, bool) or not isinstance(step, int) for step in steps):
        return False
    return steps[0] >= 1 and all(low < high for low, high in zip(steps, steps[1:]))


def settings_of(checker: Checker, path: str, value: object) -> Settings | None:
    """Settings from the block of a release; every problem goes to the checker."""
    block = checker.mapping(path, value, "a mapping of settings")
    known = [field.name for field in fields(Settings)]
    checker.keys(path, block, known)
    values = asdict(Settings()) | {name: block[name] for name in known if name in block}
    problems = list(_wrong(values))
    for name, found, expected in problems:
        hint = "write it without quotes" if isinstance(found, str) else ""
        checker.add(join(path, name), found, expected, hint)
    return None if problems else Settings(**values)
