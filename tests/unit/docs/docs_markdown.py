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
    *sorted(REPOSITORY.glob("roles/*/README.md")),
    *sorted((REPOSITORY / "docs").rglob("*.md")),
)

FENCE = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+(?:\n[^`\n]+)?)`")
LINK = re.compile(r"\]\(([^)\s]+)\)|<img[^>]*\bsrc=\"([^\"]+)\"")
MAKE = re.compile(r"(?:^|[\s`])make\s+([a-z][a-z-]*)\b")
HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)

# What a run makes, so that a fresh clone doesn't have it.
MADE = {".kube", ".roost", ".vagrant", ".venv", ".venv-docs", ".venv-samples", ".cache"}
PATH = re.compile(r"[\w.*-]+(?:/[\w.*-]+)*/?")
ENDING = re.compile(r"\.(?:cfg|d2|in|j2|json|md|mjs|mod|png|py|rb|sh|sum|toml|txt|ya?ml)$")
# Stands for something that the reader chooses, as in roles/NAME/.
PLACEHOLDER = re.compile(r"[A-Z]+")


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
    """What looks like a path of this repository in code.

    That is what begins with one of its folders, or ends like a file; the rest are names of images,
    networks and the like.
    """
    words = {word.strip("\"'(),;") for part in code(text) for word in part.split()}
    return {word for word in words if "/" in word and PATH.fullmatch(word) and _is_ours(word)}


def _is_ours(word: str) -> bool:
    parts = word.strip("/").split("/")
    if parts[0] in MADE or any(PLACEHOLDER.fullmatch(part) for part in parts):
        return False
    return (REPOSITORY / parts[0]).is_dir() or bool(ENDING.search(word))


def exists(path: str, *roots: Path) -> bool:
    """Whether there is such a file or folder; `*` stands for anything."""
    return any(True for root in roots for _ in root.glob(path))
