# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What tests of releases share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.api import parallel


class OneAfterTheOther:
    """An executor without threads: in these tests starting them is most of the work."""

    def __init__(self, max_workers: int) -> None:
        pass

    def __enter__(self) -> OneAfterTheOther:
        return self

    def __exit__(self, *_error: Any) -> None:
        pass

    def map(self, call: Callable[[Any], Any], things: Iterable[Any]) -> list[Any]:
        return [call(thing) for thing in things]


@pytest.fixture(autouse=True)
def one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "ThreadPoolExecutor", OneAfterTheOther)
