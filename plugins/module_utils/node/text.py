# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

_SERVER = re.compile(r"^\s*server:\s*(\S+)", re.MULTILINE)
_SETTING = re.compile(r"^\s*[-\"']?([\w./-]+)[\"']?\s*[:=]\s*(.+?)[,;]?\s*$")


def api_server(kubeconfig: str) -> str:
    """The address of the API that a kubeconfig leads to; empty where it has none."""
    found = _SERVER.search(kubeconfig)
    return found[1] if found else ""


def explain(before: str, after: str) -> str:
    """Say in one line how two texts differ: the setting where it is one, else where."""
    old, new = before.splitlines(), after.splitlines()
    if old == new:
        return "only the line ends differ"
    edits = [
        edit
        for edit in SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
        if edit[0] != "equal"
    ]
    told = [_edit(old[a:b], new[c:d]) for _kind, a, b, c, d in edits]
    known = [words for words in told if words]
    if len(known) == len(edits) and len(known) <= 3:
        return ", ".join(known)
    lines = sum(max(b - a, d - c) for _kind, a, b, c, d in edits)
    return f"{lines} lines differ, the first is line {edits[0][3] + 1}"


def _edit(old: Sequence[str], new: Sequence[str]) -> str | None:
    if len(old) == len(new) == 1:
        was, becomes = _SETTING.match(old[0]), _SETTING.match(new[0])
        if was and becomes and was.group(1) == becomes.group(1):
            return f"{was.group(1)} {_short(was.group(2))} → {_short(becomes.group(2))}"
        return f"{_short(old[0])!r} → {_short(new[0])!r}"
    if not old and len(new) == 1:
        return f"line {_short(new[0])!r} is new"
    if not new and len(old) == 1:
        return f"line {_short(old[0])!r} goes"
    return None


def _short(text: str, limit: int = 60) -> str:
    text = text.strip()
    return text if len(text) <= limit else text[: limit - 1] + "…"


def with_block(text: str, body: str, name: str = "roost") -> str:
    """The text with one marked block in it, put where the old one was, else at the end.

    An empty body takes the block away.
    """
    begin, end = f"# BEGIN {name}", f"# END {name}"
    lines = text.splitlines()
    block = [begin, *body.splitlines(), end] if body else []
    if begin in lines and end in lines[lines.index(begin) :]:
        first = lines.index(begin)
        last = lines.index(end, first)
        lines[first : last + 1] = block
    else:
        lines += block
    return "".join(f"{line}\n" for line in lines)
