# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a rollout is and how far it got: kept on the cluster, and what the report is made from."""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timezone
from typing import Any

FORMAT = 1
_LETTERS = string.ascii_lowercase + string.digits

RUNNING = "running"
PROMOTED = "promoted"
ROLLED_BACK = "rolled back"
WAITING = "waiting"
STOPPED = "stopped"
# A rollout with one of these outcomes is over; the others can be continued.
DECIDED = (PROMOTED, ROLLED_BACK)


def new_id() -> str:
    return "".join(secrets.choice(_LETTERS) for _place in range(8))


def stamp(now: datetime) -> str:
    return now.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class Pair:
    """One version of the release: its name, and service → NAME:TAG@sha256:…"""

    version: str
    images: Mapping[str, str]


@dataclass(frozen=True)
class Document:
    id: str
    release: str
    namespace: str
    who: str
    began: str
    stable: Pair
    canary: Pair
    settings: Mapping[str, Any]
    ended: str | None = None
    outcome: str = RUNNING
    reason: str = ""
    plan: Mapping[str, Any] | None = None
    # One for each weight that the canary had, the present one last.
    steps: tuple[Mapping[str, Any], ...] = ()
    # Thinned where they are many: `looks_left_out` of them are missing in the middle.
    looks: tuple[Mapping[str, Any], ...] = ()
    looks_left_out: int = 0
    verdict: Mapping[str, Any] | None = None
    # service → share of its canary requests that came by override.
    override_share: Mapping[str, float] = field(default_factory=dict)
    sources: str = ""
    # Whether users keep their version, so that their requests are not independent.
    sticky: bool = False
    format: int = FORMAT

    @property
    def weight(self) -> int:
        """The canary's weight as the last step has it."""
        return int(self.steps[-1]["weight"]) if self.steps else 0

    @property
    def weights(self) -> tuple[int, ...]:
        return tuple(int(step["weight"]) for step in self.steps)

    def summary(self) -> dict[str, Any]:
        """What a playbook gets to know."""
        return {
            "id": self.id,
            "outcome": self.outcome,
            "reason": self.reason,
            "weight": self.weight,
            "stable": asdict(self.stable),
            "canary": asdict(self.canary),
        }

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        # Not asdict() of it all: that would copy every look, after every look.
        block = {item.name: getattr(self, item.name) for item in fields(self)}
        return block | {
            "stable": asdict(self.stable),
            "canary": asdict(self.canary),
            "steps": list(self.steps),
            "looks": list(self.looks),
        }

    @classmethod
    def from_dict(cls, block: Mapping[str, Any]) -> Document:
        if block.get("format") != FORMAT:
            raise ValueError(f"got format {block.get('format')!r}; expected {FORMAT}")
        known = {item.name for item in fields(cls)}
        values = {key: value for key, value in block.items() if key in known}
        values["stable"], values["canary"] = Pair(**block["stable"]), Pair(**block["canary"])
        values["steps"], values["looks"] = tuple(block["steps"]), tuple(block["looks"])
        return cls(**values)
