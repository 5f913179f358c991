# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Changes the text of components.yml, whose comments and order are a person's."""

from __future__ import annotations

import re

import yaml

from bundle.errors import BundleError

ENTRY = re.compile(r"^  ([\w-]+):", re.MULTILINE)


def raised(text: str, source: str, old: str, new: str) -> str:
    """The list with a source raised: its version, and what its components say of it."""
    head, sources, components = _parts(text)
    entries = _entries(sources)
    entries[source] = _source(entries[source], source, old, new)
    used = _components_of(text, source)
    number = re.compile(rf"(?<![\d.]){re.escape(old.removeprefix('v'))}(?![\d.])")
    rest = {
        name: number.sub(new.removeprefix("v"), entry) if name in used else entry
        for name, entry in _entries(components).items()
    }
    return head + "".join(entries.values()) + "".join(rest.values())


def with_hash(text: str, source: str, wheel: tuple[str, str, str]) -> str:
    """The list with another sha256 (architecture, old, new) for a source's wheel."""
    architecture, old, new = wheel
    before, after = f"{architecture}: {old}", f"{architecture}: {new}"
    if text.count(before) != 1:
        raise BundleError(f"components.yml: {source}: expected `{before}` once")
    return text.replace(before, after)


def _parts(text: str) -> tuple[str, str, str]:
    head, found, rest = text.partition("sources:\n")
    sources, marker, components = rest.partition("components:\n")
    if not found or not marker:
        raise BundleError("components.yml: expected `sources:` and then `components:`")
    return head, found + sources, marker + components


def _entries(section: str) -> dict[str, str]:
    """The text of each entry; what stands before the first one comes under an empty name."""
    starts = list(ENTRY.finditer(section))
    ends = [start.start() for start in starts[1:]] + [len(section)]
    found = {"": section[: starts[0].start()]}
    for start, end in zip(starts, ends):
        found[start[1]] = section[start.start() : end]
    return found


def _source(entry: str, name: str, old: str, new: str) -> str:
    before = f"    version: {old}\n"
    if entry.count(before) != 1:
        raise BundleError(f"components.yml: {name}: expected `version: {old}` on a line of its own")
    entry = entry.replace(before, f"    version: {new}\n")
    # Kubernetes has it once more, for its own idea of a version.
    minor = new.split(".")[1]
    return re.sub(r"(gitMinor=)\d+", rf"\g<1>{minor}", entry)


def _components_of(text: str, source: str) -> set[str]:
    """The components made from a source."""
    components = yaml.safe_load(text)["components"]
    return {
        name
        for name, spec in components.items()
        for member in [spec.get("file", ""), *spec.get("context", {}).values()]
        if member.startswith(f"{source}/")
    }
