# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Thing = TypeVar("Thing")
Answer = TypeVar("Answer")

# More at once than an API server on a small machine answers gain nothing.
_AT_ONCE = 8


def in_parallel(
    ask: Callable[[Thing], Answer], things: Iterable[Thing], at_once: int = _AT_ONCE
) -> list[Answer]:
    """The answer for each thing, in their order, several of them asked for at the same time."""
    with ThreadPoolExecutor(max_workers=at_once) as pool:
        return list(pool.map(ask, things))
