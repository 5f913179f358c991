# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which of the versions that a project has released is the newest."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Nothing behind the three numbers: no pre-release, no build, no post-release.
RELEASE = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")


def numbers(version: str) -> tuple[int, ...] | None:
    """The three numbers of a release; nothing for what is not one."""
    found = RELEASE.fullmatch(version)
    return tuple(map(int, found.groups())) if found else None


def newest(versions: Iterable[str], than: str, within: str = "") -> str | None:
    """The newest release after `than`, written like it (with or without a `v`).

    `within` is what its number has to begin with, as in `1.36`.
    """
    now = numbers(than)
    if now is None:
        return None
    prefix = tuple(int(part) for part in within.split(".") if part)
    found = {number for version in versions if (number := numbers(version))}
    later = [n for n in found if n > now and n[: len(prefix)] == prefix]
    if not later:
        return None
    return ("v" if than.startswith("v") else "") + ".".join(map(str, max(later)))
