#!/usr/bin/env python3
# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Writes the README.md of each role from its argument specs, which know every option.

Needs Python with PyYAML, as in .venv/.
"""

from __future__ import annotations

import argparse
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
WIDTH = 98
# Ansible's markup for code, options and values.
MARKUP = re.compile(r"\b[COVE]\(([^)]*)\)")
HEAD = "<!-- Written by `make docs-roles` from {source}: edit that file. -->"
COLUMNS = "| option | type | default | meaning |\n|---|---|---|---|"

Spec = Mapping[str, Any]


def specs() -> dict[str, Spec]:
    """The entry point `main` of each role, by the role's name."""
    return {
        path.parents[1].name: yaml.safe_load(path.read_text())["argument_specs"]["main"]
        for path in sorted(REPOSITORY.glob("roles/*/meta/argument_specs.yml"))
    }


def paragraphs(description: str | list[str]) -> list[str]:
    return [description] if isinstance(description, str) else description


def prose(text: str) -> str:
    """Ansible's markup as Markdown, on one line."""
    return MARKUP.sub(r"`\1`", " ".join(text.split()))


def value(found: Any) -> str:
    """A value as it is written in a YAML file, on one line."""
    return (
        yaml.safe_dump(found, default_flow_style=True, sort_keys=False, width=sys.maxsize)
        .removesuffix("\n...\n")
        .strip()
    )


def code(text: str) -> str:
    """As code in a cell of a table, where `|` would begin the next one."""
    fence = "``" if "`" in text else "`"
    return f"{fence}{text}{fence}".replace("|", "\\|")


def kind(option: Spec) -> str:
    elements = option.get("elements")
    return f"{option['type']} of {elements}" if elements else str(option["type"])


def rows(options: Mapping[str, Spec], prefix: str = "") -> Iterator[str]:
    """A row of the table for each option, and one for each key of it."""
    for name, option in options.items():
        default = code(value(option["default"])) if "default" in option else ""
        if option.get("required"):
            default = "**required**"
        meaning = " ".join(map(prose, paragraphs(option["description"]))).replace("|", "\\|")
        if "choices" in option:
            meaning += " One of " + ", ".join(code(value(each)) for each in option["choices"]) + "."
        yield f"| {code(prefix + name)} | {kind(option)} | {default} | {meaning} |"
        inner = f"{prefix}{name}[]." if option["type"] == "list" else f"{prefix}{name}."
        yield from rows(option.get("options", {}), inner)


def page(name: str, spec: Spec, source: str) -> str:
    parts = [HEAD.format(source=source), f"# {name}", prose(spec["short_description"]) + "."]
    parts += map(prose, paragraphs(spec.get("description", [])))
    parts = [parts[0], *("\n".join(textwrap.wrap(part, WIDTH)) for part in parts[1:])]
    parts += ["## Options", "\n".join([COLUMNS, *rows(spec["options"])])]
    if "examples" in spec:
        parts += ["## Example", f"```yaml\n{spec['examples'].strip()}\n```"]
    return "\n\n".join(parts) + "\n"


def pages() -> dict[Path, str]:
    """What each file should say."""
    return {
        REPOSITORY / "roles" / role / "README.md": page(
            f"roost.cluster.{role}", spec, "meta/argument_specs.yml"
        )
        for role, spec in specs().items()
    }


def main() -> int:
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    for path, text in pages().items():
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            print(f"roles: {path.relative_to(REPOSITORY)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
