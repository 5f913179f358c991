# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A page for each plugin of the collection, from what ansible-doc says about it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from docs import roles

COLLECTION = "roost.cluster"
# As ansible-doc calls them, in the order in which the site shows them.
KINDS = {
    "module": "Modules",
    "filter": "Filters",
    "lookup": "Lookups",
    "inventory": "Inventory",
    "callback": "Callbacks",
}
# Ansible's markup beyond that of roles: I(word), B(word), M(plugin), RV(value), P(plugin#kind).
MARKUP = re.compile(r"\b(?:[IBM]|RV|P)\(([^)#]*)(?:#\w+)?\)")
RETURNS = "| key | type | returned | meaning |\n|---|---|---|---|"

Doc = Mapping[str, Any]


class PagesError(Exception):
    """The pages can't be made; the message says why."""


def ask(*arguments: str) -> dict[str, Any]:
    """What ansible-doc answers in the checkout."""
    command = [str(Path(sys.executable).with_name("ansible-doc")), "--json", *arguments]
    done = subprocess.run(
        command, cwd=roles.REPOSITORY, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise PagesError(f"`{' '.join(command)}` ended with {done.returncode}:\n{done.stderr}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def documented() -> dict[str, dict[str, Doc]]:
    """Of each kind the plugins by their full names."""
    found = {kind: sorted(ask("--type", kind, "--list", COLLECTION)) for kind in KINDS}
    return {kind: ask("--type", kind, *names) for kind, names in found.items() if names}


def prose(text: str | list[str]) -> str:
    return "\n\n".join(MARKUP.sub(r"`\1`", roles.prose(part)) for part in roles.paragraphs(text))


def cell(text: str | list[str]) -> str:
    return prose(text).replace("\n\n", " ").replace("|", "\\|")


def options(found: Mapping[str, Doc]) -> dict[str, Doc]:
    """A plugin's options in the form that roles have theirs in."""
    return {
        name: {
            **option,
            "type": option.get("type", "str"),
            "description": [MARKUP.sub(r"`\1`", " ".join(roles.paragraphs(option["description"])))],
            "options": options(option.get("suboptions") or {}),
        }
        for name, option in found.items()
    }


def returned(values: Mapping[str, Doc], prefix: str = "") -> Iterator[str]:
    """A row of the table for each value, and one for each key of it."""
    for name, value in values.items():
        key, kind = roles.code(prefix + name), roles.kind({"type": "str", **value})
        when = value.get("returned", "")
        yield f"| {key} | {kind} | {when} | {cell(value['description'])} |"
        inner = f"{prefix}{name}[]." if value.get("type") == "list" else f"{prefix}{name}."
        yield from returned(value.get("contains") or {}, inner)


def page(name: str, found: Doc) -> str:
    doc = found["doc"]
    parts = [f"# {name}", prose(doc["short_description"]) + ".", prose(doc["description"])]
    if doc.get("options"):
        table = roles.rows(options(doc["options"]))
        parts += ["## Options", "\n".join([roles.COLUMNS, *table])]
    if doc.get("attributes"):
        parts += ["## What it supports", "\n".join(attributes(doc["attributes"]))]
    if doc.get("notes"):
        parts += ["## Notes", "\n".join(f"- {cell(note)}" for note in doc["notes"])]
    if found.get("examples"):
        parts += ["## Examples", f"```yaml\n{found['examples'].strip()}\n```"]
    if found.get("return"):
        parts += ["## Return values", "\n".join([RETURNS, *returned(found["return"])])]
    return "\n\n".join(parts) + "\n"


def attributes(found: Mapping[str, Doc]) -> Iterator[str]:
    for name, attribute in found.items():
        details = attribute.get("details") or attribute["description"]
        yield f"- {roles.code(name)}: {attribute['support']}. {cell(details)}"
