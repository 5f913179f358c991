# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tables in Markdown, and where they stand in a document."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The first column is text, the others are numbers."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def percent(share: float) -> str:
    """Shares with the digits that a simulation of thousands has."""
    if share in (0.0, 1.0):
        return f"{share:.0%}"
    if share < 0.0001:
        return "< 0.01%"
    return f"{100 * share:.3g}%"


def seconds(number: float) -> str:
    if not math.isfinite(number):
        return "–"
    return f"{number:.0f} s" if number < 120 else f"{number / 60:.1f} min"


def requests(number: float) -> str:
    return f"{math.ceil(number):,}" if math.isfinite(number) else "–"


def write(document: Path, tables: Mapping[str, str]) -> None:
    """Put each table between `<!-- NAME: … -->` and `<!-- end -->`."""
    text = document.read_text()
    for name, found in tables.items():
        body, end = place(text, name)
        text = f"{text[:body]}\n{found}\n\n{text[end:]}"
    document.write_text(text)


def place(text: str, name: str) -> tuple[int, int]:
    """Where a table begins and ends."""
    begin = text.find(f"<!-- {name}:")
    body = text.find("-->\n", begin) + len("-->\n")
    end = text.find("<!-- end -->", body)
    if begin < 0 or end < 0:
        raise ValueError(f"document: expected `<!-- {name}: … -->` and `<!-- end -->` below")
    return body, end
