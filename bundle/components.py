# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads components.yml, and derives the key under which a result may be used again."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from bundle.backend import FETCH
from bundle.errors import BundleError
from bundle.names import repository_of

REPOSITORY = Path(__file__).resolve().parents[1]
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
LIST = REPOSITORY / "bundle" / "components.yml"
RECIPES = ("go", "c", "wheel", "wheels", "debian")
# The recipe of what is fetched; it stands in no list, but follows from `fetch` of a component.
RELEASE = "release"
# Of zstd, at which the layers of images that are built are packed.
LEVEL = "19"
# Never part of an image, so they must not make one be built again.
NOT_INPUTS = {"__pycache__", "tests", ".pytest_cache", ".mypy_cache", ".ruff_cache"}


def architecture() -> str:
    """This machine's architecture, as Go and Debian name it."""
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        raise BundleError(f"{machine}: the bundle is made for {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[machine]


def files_below(path: Path) -> Iterator[Path]:
    """The files of a tree that go into an image, in a fixed order."""
    for item in sorted(path.iterdir()):
        if item.name in NOT_INPUTS:
            continue
        if item.is_dir():
            yield from files_below(item)
        else:
            yield item


def digest_of(spec: object, paths: Iterable[Path]) -> str:
    """One hash over a description and the content and mode of files."""
    total = hashlib.sha256(json.dumps(spec, sort_keys=True).encode())
    for path in paths:
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        executable = bool(path.stat().st_mode & 0o100)
        total.update(f"{path.relative_to(REPOSITORY)} {executable} {content}\n".encode())
    return total.hexdigest()


@dataclass(frozen=True)
class Source:
    """Something built or fetched on the controller that components are made from."""

    name: str
    version: str
    recipe: str
    spec: dict[str, Any]

    @cached_property
    def key(self) -> str:
        paths: list[Path] = []
        if "module" in self.spec:
            folder = REPOSITORY / str(self.spec["module"])
            paths += [folder / "go.mod", folder / "go.sum"]
        for lock in self.spec.get("requirements", []):
            paths.append(REPOSITORY / lock)
        return digest_of([self.recipe, self.version, self._spec_here, architecture()], paths)

    @property
    def _spec_here(self) -> dict[str, Any]:
        """Without what is about other architectures."""
        if "sha256" not in self.spec:
            return self.spec
        here = {k: v for k, v in self.spec["sha256"].items() if k == architecture()}
        return {**self.spec, "sha256": here}


@dataclass(frozen=True)
class Component:
    """A file or an image of the bundle. `name` is what it is called in the registry.

    `release` is the image that is fetched, or the path inside the download (its only source) of
    the file that is; nothing if the component is built.
    """

    id: str
    kind: str
    name: str
    version: str
    spec: dict[str, Any]
    sources: tuple[Source, ...]
    release: str = ""

    @property
    def where(self) -> str:
        return str(self.spec.get("where", "nodes"))

    @property
    def member(self) -> str:
        """Where a file lies in the folder of its source."""
        return self.release or str(self.spec["file"].partition("/")[2])

    def inside(self, path: str) -> tuple[Source, str]:
        """Which source a path of the list is in, and where in it."""
        name, _, rest = path.partition("/")
        return next(source for source in self.sources if source.name == name), rest

    @property
    def proxy(self) -> str:
        """For the mesh's proxy: stock or official."""
        fetched = self.spec.get("fetch", {}).get("proxy") if self.release else None
        return str(fetched or self.spec.get("proxy", ""))

    @cached_property
    def key(self) -> str:
        if self.release:
            keys = [source.key for source in self.sources]
            told = [RELEASE, self.name, self.release, self.spec.get("says"), architecture()]
            return digest_of([*told, *keys], [])
        # How to fetch it, and where it goes, don't change what is built.
        spec = {k: v for k, v in self.spec.items() if k not in ("fetch", "where")}
        keys = [source.key for source in self.sources]
        if self.kind == "file":
            return digest_of([spec, *keys], [])
        paths = list(files_below(self.tree))
        if not self.dockerfile.is_relative_to(self.tree):
            paths.append(self.dockerfile)
        return digest_of([spec, LEVEL, *keys], paths)

    @property
    def dockerfile(self) -> Path:
        return REPOSITORY / str(self.spec["dockerfile"]) / "Dockerfile"

    @property
    def tree(self) -> Path:
        """The folder whose files are the build's context."""
        return REPOSITORY / str(self.spec.get("tree", self.spec["dockerfile"]))


class Components:
    """The component list, as one of the back ends fills it."""

    def __init__(self, backend: str, path: Path | None = None) -> None:
        data = yaml.safe_load((path or LIST).read_text())
        self.go: str = data["go"]
        self.backend = backend
        self.sources = {name: _source(name, spec) for name, spec in data["sources"].items()}
        self._releases: dict[str, Source] = {}
        self.components = {
            name: self._component(name, spec) for name, spec in data["components"].items()
        }
        _refuse_collisions(self.components.values())

    def select(self, names: Iterable[str]) -> list[Component]:
        """The named components, or all of them."""
        wanted = list(names)
        unknown = [name for name in wanted if name not in self.components]
        if unknown:
            raise BundleError(
                f"{', '.join(unknown)}: no such component; known are {', '.join(self.components)}"
            )
        return [self.components[name] for name in wanted or self.components]

    def _component(self, name: str, spec: dict[str, Any]) -> Component:
        if "file" not in spec and "image" not in spec:
            raise BundleError(f"components.yml: {name}: expected `file` or `image`")
        fetched = spec.get("fetch") if self.backend == FETCH else None
        if "file" in spec:
            return self._file(name, spec, fetched)
        used = [spec["base"].partition("/")[0]] if "base" in spec else []
        inside = [member.partition("/")[0] for member in spec.get("context", {}).values()]
        sources = [self._source_of(name, source) for source in dict.fromkeys([*used, *inside])]
        if not fetched:
            return Component(
                name, "image", spec["image"], _tag(spec["image"]), spec, tuple(sources)
            )
        known = _known(self._source_of(name, inside[0]), image=spec["image"])
        image = fetched.get("as", "{image}").format(**known)
        official = fetched["image"].format(**known)
        return Component(name, "image", image, _tag(image), spec, (), official)

    def _file(self, name: str, spec: dict[str, Any], fetched: dict[str, str] | None) -> Component:
        source_name, _, binary = spec["file"].partition("/")
        source = self._source_of(name, source_name)
        artifact = f"files/{name}:{source.version}"
        if not fetched:
            return Component(name, "file", artifact, source.version, spec, (source,))
        known = _known(source, binary=binary)
        url = fetched["url"].format(**known)
        # What several components are in is downloaded once.
        if url not in self._releases:
            what = {"url": url, "checksum": fetched["checksum"].format(**known, url=url)}
            self._releases[url] = Source(f"{RELEASE}-{name}", source.version, RELEASE, what)
        member = fetched.get("member", "").format(**known) or PurePosixPath(url).name
        release = self._releases[url]
        return Component(name, "file", artifact, source.version, spec, (release,), member)

    def _source_of(self, component: str, source: str) -> Source:
        if source not in self.sources:
            raise BundleError(f"components.yml: {component}: {source} is not among the sources")
        return self.sources[source]


def _tag(image: str) -> str:
    return image.rpartition(":")[2]


def _known(source: Source, **more: str) -> dict[str, str]:
    """What may stand in braces under `fetch`."""
    number = source.version.removeprefix("v")
    return {"version": source.version, "number": number, "arch": architecture(), **more}


def _source(name: str, spec: dict[str, Any]) -> Source:
    recipes = [recipe for recipe in RECIPES if recipe in spec]
    if len(recipes) != 1 or "version" not in spec:
        raise BundleError(f"components.yml: {name}: expected a version and one of {RECIPES}")
    return Source(name, str(spec["version"]), recipes[0], spec[recipes[0]])


def _refuse_collisions(components: Iterable[Component]) -> None:
    seen: dict[tuple[str, str], str] = {}
    for component in components:
        place = repository_of(component.name)
        if place in seen:
            raise BundleError(
                f"components.yml: {component.name} and {seen[place]} would share the place "
                f"{':'.join(place)} in the registry, which leaves the registry's name out"
            )
        seen[place] = component.name
