# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the documents name: links, images, commands and paths."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
DOCUMENTS = (
    REPOSITORY / "README.md",
    REPOSITORY / "CONTRIBUTING.md",
    REPOSITORY / "CHANGELOG.md",
    REPOSITORY / "samples" / "README.md",
    *sorted((REPOSITORY / "docs").rglob("*.md")),
)

FENCE = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+(?:\n[^`\n]+)?)`")
LINK = re.compile(r"\]\(([^)\s]+)\)|<img[^>]*\bsrc=\"([^\"]+)\"")
MAKE = re.compile(r"(?:^|[\s`])make ([a-z][a-z-]*)\b")
HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)

# What a run makes, so that a fresh clone doesn't have it.
MADE = (".kube/", ".roost/", ".vagrant/", ".venv/", ".venv-samples/", ".cache/")
# A file by its ending, or a path of at least two parts that ends in a slash or a plain name.
ENDINGS = "cjs|cfg|d2|in|j2|json|md|mjs|mod|png|py|rb|sh|sum|toml|txt|ya?ml"
PATH = re.compile(rf"(?<![\w./:@~{{=-])((?:\.?[\w-]+/)+(?:[\w-]+\.(?:{ENDINGS})|[\w-]*)(?![\w.:*{{…]))")
# In lower-case placeholders these stand for something that the reader chooses.
PLACEHOLDER = re.compile(r"(?:^|/)[A-Z]+(?:/|$)")


def code(text: str) -> list[str]:
    """The contents of code blocks and of code within lines."""
    blocks = [match[0] for match in FENCE.finditer(text)]
    return blocks + [match[1] for match in SPAN.finditer(FENCE.sub("", text))]


def links(text: str) -> list[str]:
    """Where links and images lead, without those in code."""
    prose = SPAN.sub("", FENCE.sub("", text))
    return [match[1] or match[2] for match in LINK.finditer(prose)]


def anchors(text: str) -> set[str]:
    """The names under which headings are linked to."""
    headings = HEADING.findall(FENCE.sub("", text))
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


def targets(text: str) -> set[str]:
    """Every X of `make X` in code."""
    return {name for part in code(text) for name in MAKE.findall(part)}


def paths(text: str) -> set[str]:
    """What looks like a path of this repository in code."""
    found = {name for part in code(text) for name in PATH.findall(part)}
    return {
        name for name in found if not name.startswith(MADE) and not PLACEHOLDER.search(name)
    }
