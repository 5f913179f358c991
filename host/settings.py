#!/usr/bin/env python3
# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The settings of one cluster among several: .roost/CLUSTER/settings.yml.

make and the Vagrantfile call `record` first; everything else reads the file. A variable that is
set in the environment changes the record, an unset one keeps it. While the cluster lives, only
WORKERS may change, and only grow.

Needs nothing but Python, because it runs before the tools are installed.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from host import docker_cli, holders
from host.cluster_settings import (
    REPOSITORY,
    VARIABLES,
    Paths,
    Settings,
    SettingsError,
    cluster_name,
    recorded,
    render,
    require_fit_checkout,
    validate,
    write,
)


def wanted(paths: Paths, environment: Mapping[str, str]) -> Settings:
    """The record, or the defaults, with what is set in the environment."""
    record = recorded(paths)
    values = {key: str(value) for key, value in asdict(record or Settings()).items()}
    values.update(
        {key: environment[name] for key, name in VARIABLES.items() if environment.get(name)}
    )
    return validate({**values, "cluster": paths.cluster})


def changes(old: Settings | None, new: Settings) -> dict[str, tuple[object, object]]:
    before = asdict(old) if old else {}
    after = asdict(new)
    return {key: (before.get(key), after[key]) for key in after if before.get(key) != after[key]}


def refusals(old: Settings, new: Settings, life: list[str]) -> list[str]:
    """Why these changes can't be made to a cluster that lives, as `life` shows."""
    return [
        f"{VARIABLES[key]}: the cluster {old.cluster} lives ({life[0]}) with {key} {before} and "
        f"can't change to {after}"
        + (", only grow" if key == "workers" else "")
        + ". Run `make down` first"
        for key, (before, after) in changes(old, new).items()
        if key != "workers" or new.workers < old.workers
    ]


def record(paths: Paths, environment: Mapping[str, str]) -> dict[str, tuple[object, object]]:
    """Bring the file up to date, or raise before anything is written; returns what changed."""
    require_fit_checkout(paths.root)
    old, new = recorded(paths), wanted(paths, environment)
    changed = changes(old, new)
    life = holders.signs_of_life(paths, new.provider)
    reasons = holders.other_checkout(paths, new.provider)
    if not life:
        reasons += holders.conflicts(new, paths.root)
    elif old:
        reasons += refusals(old, new, life) + holders.conflicts_of_edge(new, paths.root)
    elif not reasons:
        reasons.append(
            f"the cluster {paths.cluster} lives ({life[0]}), but {paths.settings} is missing. "
            "Run `make down` first"
        )
    if reasons:
        raise SettingsError(*reasons)
    if changed:
        write(paths, new)
    return changed


def lookup(paths: Paths, settings: Settings, key: str) -> str:
    """One setting, or something that follows from the settings."""
    derived = {
        "network": settings.network,
        "app_url": f"http://127.0.0.1:{settings.http_port}",
        "directory": str(paths.directory),
        "kubeconfig": str(paths.kubeconfig),
        "known_hosts": str(paths.known_hosts),
        "vagrant": str(paths.vagrant),
    }
    values = {
        **{each.name: str(getattr(settings, each.name)) for each in fields(settings)},
        **derived,
    }
    if key not in values:
        raise SettingsError(f"{key!r} is unknown; expected one of {', '.join(values)}")
    return values[key]


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    listed = "\n".join(
        f"  {name:<17} {getattr(Settings(), key)}" for key, name in VARIABLES.items()
    )
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=f"variables and defaults:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("record", help="write the settings file (the default)")
    commands.add_parser("show", help="print the record, or what would be recorded")
    commands.add_parser("exports", help="print what a shell needs to call vagrant for the cluster")
    get = commands.add_parser("get", help="print one setting, or one path of the cluster")
    get.add_argument("key", metavar="KEY")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None, root: Path = REPOSITORY) -> int:
    options = _arguments(arguments)
    try:
        paths = Paths(root, cluster_name(os.environ))
        if options.command in (None, "record"):
            for key, (before, after) in record(paths, os.environ).items():
                if before is not None:
                    print(f"{paths.cluster}: {key} {before} → {after}", file=sys.stderr)
            return 0
        settings = recorded(paths) or wanted(paths, os.environ)
        if options.command == "get":
            print(lookup(paths, settings, options.key))
        elif options.command == "exports":
            print(f"export {VARIABLES['cluster']}={paths.cluster}")
            print(f"export VAGRANT_DOTFILE_PATH={shlex.quote(str(paths.vagrant))}")
        else:
            print(render(settings), end="")
    except (SettingsError, docker_cli.DockerError) as error:
        print("\n".join(f"settings: {line}" for line in str(error).splitlines()), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
