# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.node.machine import Machine

Wishes = Mapping[str, Any]


@dataclass(frozen=True)
class Problem:
    """Why a machine can't be a node: what was found and expected, and what to do."""

    name: str
    found: str
    expected: str
    fix: str

    def __str__(self) -> str:
        return f"{self.name}: found {self.found}, expected {self.expected}; {self.fix}"


Check = Callable[[Machine, Wishes], Iterator[Problem]]
