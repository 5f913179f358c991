# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which variables nobody reads although they look like options, and where they are set."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

# How alike two names are, from 0 to 1 (twice what they share, over both lengths). One wrong letter
# of seven is just as much as the first.
ALIKE = 0.85
# Of names that both begin with the same role's, what comes after it: such a name is hardly meant
# for anything else.
ALIKE_IN_A_ROLE = 0.65


@dataclass(frozen=True)
class Finding:
    """A variable that nobody reads; `nearest` is empty where only its beginning is a role's."""

    name: str
    nearest: str
    role: str = ""

    def __str__(self) -> str:
        if self.nearest:
            return f"{self.name}: unknown; did you mean {self.nearest}?"
        return f"{self.name}: begins like an option of the role {self.role}, which has no such one"


def letters(name: str) -> str:
    """A name without what is often written in another way: case and underscores."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def find(names: Iterable[str], known: Collection[str], roles: Collection[str]) -> list[Finding]:
    """What looks like an option and is none, in the order of the alphabet."""
    found = (_look(name, known, roles) for name in sorted({*names} - {*known}))
    return [finding for finding in found if finding]


def _look(name: str, known: Collection[str], roles: Collection[str]) -> Finding | None:
    nearest = _nearest(name, known, ALIKE)
    # The longest, where one role's name begins with another's.
    role = max((role for role in roles if name.startswith(f"{role}_")), key=len, default="")
    if not nearest and role:
        beginning = f"{role}_"
        ends = [each[len(beginning) :] for each in known if each.startswith(beginning)]
        end = _nearest(name[len(beginning) :], ends, ALIKE_IN_A_ROLE)
        nearest = beginning + end if end else ""
    return Finding(name, nearest, role) if nearest or role else None


def _nearest(name: str, candidates: Iterable[str], alike: float) -> str:
    by_letters = {letters(candidate): candidate for candidate in candidates}
    best = difflib.get_close_matches(letters(name), list(by_letters), n=1, cutoff=alike)
    return by_letters[best[0]] if best else ""


def place(hosts: Collection[str], groups: Mapping[str, Collection[str]]) -> str:
    """Hosts in few words: the group that consists of just them, or their names."""
    exact = [group for group, members in groups.items() if members and {*members} == {*hosts}]
    if "all" in exact:
        return "all"
    return f"group {exact[0]}" if exact and len(hosts) > 1 else ", ".join(sorted(hosts))
