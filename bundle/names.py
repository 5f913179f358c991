# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where an image is kept in the registry."""

from __future__ import annotations

from bundle.errors import BundleError


def repository_of(image: str) -> tuple[str, str]:
    """Repository path and tag under which an image is kept: its name without the registry.

    containerd asks every registry name of the one mirror, so the registry's name is left out.
    """
    name, _, tag = image.rpartition(":")
    if not name or "/" in tag:
        raise BundleError(f"{image}: an image needs a tag, as in registry.example/team/app:v1")
    first, _, rest = name.partition("/")
    is_registry = "." in first or ":" in first or first == "localhost"
    if is_registry and rest:
        return rest if first != "docker.io" or "/" in rest else f"library/{rest}", tag
    return name if rest else f"library/{name}", tag
