#!/usr/bin/env python3
# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Writes the README.md of each role, and docs/options.md with the options of the cluster and of all
roles, from the argument specs, which know every option.

Needs Python with PyYAML, as in .venv/.
"""

from __future__ import annotations

import argparse
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
WIDTH = 98
# Ansible's markup for code, options and values.
MARKUP = re.compile(r"\b[COVE]\(([^)]*)\)")
HEAD = "<!-- Written by `make docs-roles` from {source}: edit that file. -->"
COLUMNS = "| option | type | default | meaning |\n|---|---|---|---|"
CLUSTER = "meta/argument_specs.yml"

Spec = Mapping[str, Any]


def read(path: Path) -> Any:
    """What a YAML file says; parsed by the C library where there is one, ten times as fast."""
    return yaml.load(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


@cache
def specs() -> Mapping[str, Spec]:
    """The entry point `main` of each role, by the role's name."""
    return {
        path.parents[1].name: read(path)["argument_specs"]["main"]
        for path in sorted(REPOSITORY.glob("roles/*/meta/argument_specs.yml"))
    }


def cluster_spec() -> Spec:
    """The options of the cluster as a whole."""
    spec: Spec = read(REPOSITORY / CLUSTER)["argument_specs"]["main"]
    return spec


@cache
def passed() -> Mapping[str, str]:
    """Options of roles that the playbooks set, each with the expression that they set it to."""
    return {
        name: str(expression)
        for path in sorted(REPOSITORY.glob("playbooks/*.yml"))
        for play in read(path)
        for role in play.get("roles", [])
        for name, expression in role.items()
        if name.startswith(f"{role['role']}_")
    }


def paragraphs(description: str | list[str]) -> list[str]:
    return [description] if isinstance(description, str) else description


def prose(text: str) -> str:
    """Ansible's markup as Markdown, on one line."""
    return MARKUP.sub(r"`\1`", " ".join(text.split()))


def value(found: Any) -> str:
    """A value as it is written in a YAML file, on one line; a template without quotes."""
    if isinstance(found, str) and "{{" in found:
        return " ".join(found.split())
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


def table(options: Mapping[str, Spec]) -> str:
    return "\n".join([COLUMNS, *rows(options)])


def wrapped(text: str) -> str:
    return "\n".join(textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False))


def told(spec: Spec) -> list[str]:
    """What a spec says of the whole, in paragraphs."""
    parts = [prose(spec["short_description"]) + "."]
    parts += map(prose, paragraphs(spec.get("description", [])))
    return [wrapped(part) for part in parts]


def example(spec: Spec) -> list[str]:
    return ["## Example", f"```yaml\n{spec['examples'].strip()}\n```"] if "examples" in spec else []


def page(name: str, spec: Spec, source: str) -> str:
    parts = [HEAD.format(source=source), f"# {name}", *told(spec)]
    parts += ["## Options", table(spec["options"]), *example(spec)]
    return "\n\n".join(parts) + "\n"


def sources(expression: str, cluster: Mapping[str, Spec]) -> list[str]:
    """The cluster's options that an expression reads."""
    words = dict.fromkeys(re.findall(r"\w+", expression))
    return [word for word in words if word in cluster]


def role_section(role: str, spec: Spec, cluster: Mapping[str, Spec]) -> list[str]:
    """A role in docs/options.md: what can be set directly, and what comes from the cluster."""
    given = {name: text for name, text in passed().items() if name in spec["options"]}
    own = {name: option for name, option in spec["options"].items() if name not in given}
    link = f"([README](../roles/{role}/README.md))"
    parts = [f"## {role}", wrapped(f"{spec['short_description']} {link}.")]
    if own:
        parts.append(table(own))
    if given:
        lines = []
        for name, expression in given.items():
            read_from = ", ".join(code(word) for word in sources(expression, cluster))
            lines.append(f"| {code(name)} | {read_from or 'the inventory'} |")
        parts.append("\n".join(["| set by the playbooks | from |", "|---|---|", *lines]))
    return parts


def options_page(cluster: Spec, roles: Mapping[str, Spec]) -> str:
    parts = [HEAD.format(source=f"{CLUSTER} and the roles'"), "# Options"]
    parts += [*told(cluster), *example(cluster), "## The cluster", table(cluster["options"])]
    for role, spec in roles.items():
        parts += role_section(role, spec, cluster["options"])
    return "\n\n".join(parts) + "\n"


def pages() -> dict[Path, str]:
    """What each file should say."""
    return {
        REPOSITORY / "docs" / "options.md": options_page(cluster_spec(), specs()),
        **{
            REPOSITORY / "roles" / role / "README.md": page(
                f"roost.cluster.{role}", spec, "meta/argument_specs.yml"
            )
            for role, spec in specs().items()
        },
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
