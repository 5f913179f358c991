# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plans that `-e plan_file=` has written, for tests on a cluster."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Plan:
    """A plan's document, and its changes as (host, role, what)."""

    document: dict[str, Any]

    @property
    def changes(self) -> list[tuple[str, str, str]]:
        return [
            (host, role, change["what"])
            for host, roles in self.document["hosts"].items()
            for role, changes in roles.items()
            for change in changes
        ]

    def of(self, host: str, role: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.document["hosts"].get(host, {}).get(role, [])
        return found


def read(path: Path) -> Plan:
    """A plan in which nothing is missing: the run has ended, and each change has its reason."""
    plan = Plan(json.loads(path.read_text(encoding="utf-8")))
    assert plan.document["complete"], plan.document
    assert plan.document["without_reason"] == []
    assert plan.document["summary"]["changes"] == len(plan.changes)
    return plan
