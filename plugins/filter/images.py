# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which images a machine's pods will need."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.release import images


def images_ahead(
    bundle: Mapping[str, Mapping[str, Any]],
    components: Iterable[str],
    release: Mapping[str, Any] | None = None,
) -> list[str]:
    """Names of these components' images, and of those of a release's versions that will run, as
    their pods name them. A tag comes after its digest: containerd knows an image's digest only by a
    name that has it, and pods say which one they run.

    A release that is described wrongly has none: whoever applies it says so.
    """
    found = (bundle[name] for name in components)
    names = [name for image in found for name in (_pinned(image), image["name"])]
    try:
        return [*names, *_of_release(bundle, release or {})]
    except (AttributeError, KeyError, TypeError):
        return names


def _pinned(image: Mapping[str, Any]) -> str:
    return f"{image['name'].rpartition(':')[0]}@{image['digest']}"


def _of_release(bundle: Mapping[str, Mapping[str, Any]], release: Mapping[str, Any]) -> list[str]:
    digests = images.lock_digests({"components": bundle})
    running = [release.get("stable"), (release.get("canary") or {}).get("version")]
    resolved = (
        images.resolve(reference, digests)
        for version in running
        if version
        for reference in release["versions"][version].values()
    )
    found = (images.parse(reference) for reference in resolved)
    return [image.pinned for image in found if image]


class FilterModule:
    """The filter by name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"images_ahead": images_ahead}
