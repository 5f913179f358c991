# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How long and how often the callers of a service try."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.roost.cluster.plugins.module_utils.release.model import Retries
from ansible_collections.roost.cluster.plugins.module_utils.release.problems import Checker, join

# Envoy's conditions that a request without gRPC can meet.
_FAILURES = (
    "5xx",
    "connect-failure",
    "gateway-error",
    "refused-stream",
    "reset",
    "retriable-4xx",
)
_LONGEST = 3600


def timeout_of(checker: Checker, path: str, value: object) -> float | None:
    """Seconds, or None with a problem."""
    number = value if isinstance(value, (int, float)) and not isinstance(value, bool) else 0
    if 0.01 <= number <= _LONGEST:
        return float(number)
    hint = "write it without quotes" if isinstance(value, str) else ""
    checker.add(path, value, f"seconds, a number from 0.01 to {_LONGEST}", hint)
    return None


def retries_of(checker: Checker, path: str, value: object, timeout: float | None) -> Retries | None:
    block = checker.mapping(
        path, value, "a mapping {attempts, on, timeout_seconds}; leave the key out for Istio's own"
    )
    if not isinstance(value, Mapping):
        return None
    checker.keys(path, block, ("attempts", "on", "timeout_seconds"), ("attempts",))
    if "attempts" not in block:
        return None
    attempts = checker.integer(join(path, "attempts"), block["attempts"], 0, 10)
    each = None
    if "timeout_seconds" in block:
        where = join(path, "timeout_seconds")
        each = timeout_of(checker, where, block["timeout_seconds"])
        if each is not None and timeout is not None and each > timeout:
            checker.add(where, each, f"at most the {timeout:g} seconds of the whole request")
    conditions = block.get("on", list(Retries.on))
    if (
        not isinstance(conditions, list)
        or not conditions
        or any(condition not in _FAILURES for condition in conditions)
    ):
        checker.add(
            join(path, "on"),
            conditions,
            f"a list of {', '.join(_FAILURES)}",
            "other than connect-failure and refused-stream, they repeat writes as well",
        )
        return None
    return None if attempts is None else Retries(attempts, tuple(conditions), each)
