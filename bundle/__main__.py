# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The bundle's command: fill it, look at it, take things out of it."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from bundle import archive, contents, images
from bundle.bump import bump
from bundle.cache import Cache, Lock
from bundle.errors import BundleError
from bundle.fill import fill

ORIGINS = {
    "docker": f"{images.DOCKER}:{{ref}}",
    "archive": "docker-archive:{file}",
    "registry": "docker://{ref}",
}


def _fill(arguments: argparse.Namespace) -> int:
    began = time.monotonic()
    cache = Cache()
    done = fill(cache, arguments.names)
    if done:
        print(f"bundle: {len(done)} filled in {time.monotonic() - began:.0f} s, in {cache.root}")
    else:
        print(f"bundle: nothing is missing in {cache.root}")
    return 0


def _status(arguments: argparse.Namespace) -> int:
    rows, missing = contents.status(Cache())
    if not arguments.quiet:
        for name, state, size in rows:
            print(f"{name:58} {state:14} {size / 1e6:8.1f} MB")
    if missing:
        print(f"bundle: {missing} components are missing; `make bundle` fills it")
    return 1 if missing else 0


def _image(arguments: argparse.Namespace) -> int:
    if arguments.origin == "archive" and not arguments.file:
        raise BundleError("--from archive: expected the file, as in --file app.tar")
    origin = ORIGINS[arguments.origin].format(ref=arguments.ref, file=arguments.file)
    entry = contents.add_image(Cache(), arguments.ref, origin)
    print(f"{arguments.ref}@{entry['digest']}  {entry['size'] / 1e6:.1f} MB")
    return 0


def _export(arguments: argparse.Namespace) -> int:
    told = archive.export(Cache(), arguments.file)
    size = arguments.file.stat().st_size
    print(f"bundle: {len(told.components)} components, {size / 1e6:.0f} MB, in {arguments.file}")
    return 0


def _import(arguments: argparse.Namespace) -> int:
    cache = Cache()
    told = archive.take(cache, arguments.file)
    print(f"bundle: {len(told.components)} components are in {cache.root}")
    missing = contents.status(cache)[1]
    if not missing:
        components = contents.present(Lock(cache.lock_file)).components
        contents.unpack_tools(cache, list(components.values()))
    else:
        print(
            f"bundle: {missing} components of this checkout are not among them, for it has other "
            "versions; `make bundle` fetches or builds these"
        )
    return 0


def _docker_load(arguments: argparse.Namespace) -> int:
    cache = Cache()
    print(images.load_into_docker(cache, Lock(cache.lock_file), arguments.name))
    return 0


def _path(arguments: argparse.Namespace) -> int:
    print(contents.executable(Cache(), arguments.name))
    return 0


def _bump(arguments: argparse.Namespace) -> int:
    return bump(arguments.names, arguments.check)


def _clean(arguments: argparse.Namespace) -> int:
    cache = Cache()
    if cache.lock_file.exists():
        images.forget_loaded(cache)
    cache.remove()
    print(f"bundle: removed from {cache.root}")
    return 0


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m bundle", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser(
        "fill",
        help="fetch or build what is missing or damaged",
        description="Fetch or build what is missing or damaged. Which of both: BUNDLE_SOURCE=fetch "
        "or build in the environment, else the one that has filled the bundle, else fetch if an "
        "official site answers.",
    )
    command.add_argument("names", nargs="*", help="components (default: all)")
    command.set_defaults(do=_fill)

    command = commands.add_parser(
        "status", help="what is there; exit code 1 if something is missing"
    )
    command.add_argument("--quiet", action="store_true", help="only say what is missing")
    command.set_defaults(do=_status)

    command = commands.add_parser("image", help="add one's own image")
    command.add_argument("ref", help="its name with a tag, as in registry.example/team/app:v1")
    command.add_argument(
        "--from",
        dest="origin",
        choices=sorted(ORIGINS),
        required=True,
        help="docker: the Docker daemon has it under this name; archive: a file of `docker save`; "
        "registry: pull it from its registry",
    )
    command.add_argument("--file", help="the archive's path")
    command.set_defaults(do=_image)

    command = commands.add_parser("export", help="write the bundle to a file, for another machine")
    command.add_argument("file", type=Path, help="the file; one that is there is replaced")
    command.set_defaults(do=_export)

    command = commands.add_parser("import", help="take the bundle from a file of `export`")
    command.add_argument("file", type=Path, help="the file")
    command.set_defaults(do=_import)

    command = commands.add_parser("docker-load", help="have an image of the bundle in Docker")
    command.add_argument("name", help="the component, as in `node`")
    command.set_defaults(do=_docker_load)

    command = commands.add_parser("path", help="unpack a file of the bundle and print its path")
    command.add_argument("name", help="the component, as in `istioctl`")
    command.set_defaults(do=_path)

    command = commands.add_parser(
        "bump", help="look for newer releases, and raise the versions in the list"
    )
    command.add_argument("names", nargs="*", help="sources (default: all)")
    command.add_argument("--check", action="store_true", help="only say what there is")
    command.set_defaults(do=_bump)

    command = commands.add_parser("clean", help="remove the bundle, and its images from Docker")
    command.set_defaults(do=_clean)
    return top


def main() -> int:
    arguments = parser().parse_args()
    try:
        return int(arguments.do(arguments))
    except BundleError as error:
        print(f"bundle: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        what = error.filename or Cache().root
        print(
            f"bundle: {what}: {error.strerror or error}; put it right, then run the same again; "
            "what is finished is kept",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        print("bundle: stopped; the next run goes on from what is finished", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
