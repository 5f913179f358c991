# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# The grammar of the distribution project, anchored.
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST = r"[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::[0-9]+)?"
_REFERENCE = re.compile(
    rf"(?P<name>(?:{_HOST}/)?{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?"
    r"(?:@(?P<digest>sha256:[a-f0-9]{64}))?"
)
EXPECTED = "an image reference NAME:TAG or NAME@sha256:DIGEST"


@dataclass(frozen=True)
class Image:
    name: str
    tag: str | None
    digest: str | None

    @property
    def reference(self) -> str:
        """As a person would write it: without the digest that a tag was resolved to."""
        if self.tag:
            return f"{self.name}:{self.tag}"
        return f"{self.name}@{self.digest}"

    @property
    def pinned(self) -> str:
        """What pods run. The tag is left out: with a digest beside it nobody reads it."""
        return f"{self.name}@{self.digest}"


def parse(reference: object) -> Image | None:
    """None unless the reference is well formed and says which image: by tag or by digest."""
    if not isinstance(reference, str):
        return None
    match = _REFERENCE.fullmatch(reference)
    if match is None or not (match["tag"] or match["digest"]):
        return None
    return Image(match["name"], match["tag"], match["digest"])


def canonical(name: str) -> str:
    """The full name, with the registry and path that Docker's short names leave out."""
    first, slash, _rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return name
    return f"docker.io/{name}" if slash else f"docker.io/library/{name}"


def identity(reference: str) -> str:
    """Equal for two references exactly if they are known to mean the same bytes."""
    image = parse(reference)
    if image is None:
        return reference
    return image.digest or f"{canonical(image.name)}:{image.tag}"


def lock_digests(lock: Mapping[str, Any]) -> dict[str, str]:
    """Canonical NAME:TAG of every image in a bundle.lock, with its digest."""
    digests = {}
    for component in lock.get("components", {}).values():
        if component.get("kind") != "image":
            continue
        image = parse(component.get("name"))
        if image and image.tag and component.get("digest"):
            digests[f"{canonical(image.name)}:{image.tag}"] = component["digest"]
    return digests


def resolve(reference: str, digests: Mapping[str, str]) -> str | None:
    """The reference with its digest, `NAME:TAG@sha256:…`, or None if the bundle lacks it."""
    image = parse(reference)
    if image is None:
        return None
    if image.digest:
        return reference
    digest = digests.get(f"{canonical(image.name)}:{image.tag}")
    return f"{reference}@{digest}" if digest else None


def nearest(reference: str, digests: Mapping[str, str]) -> str | None:
    found = difflib.get_close_matches(reference, list(digests), n=1, cutoff=0.5)
    return found[0] if found else None
