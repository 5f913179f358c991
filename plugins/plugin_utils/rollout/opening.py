# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a version can be rolled out now: from what is asked for and what is live."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.roost.cluster.plugins.module_utils.release import images, spec
from ansible_collections.roost.cluster.plugins.module_utils.release.model import Release
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.document import (
    DECIDED,
    Document,
    Pair,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.refusal import Refusal

PROMOTE = "ansible-playbook playbooks/promote.yml"
ROLL_BACK = "ansible-playbook playbooks/rollback.yml"


@dataclass(frozen=True)
class Asked:
    version: str
    # service → image, as somebody wrote them; those of services that were not named are missing.
    images: Mapping[str, str]


def asked(release: Release, version: str, app_image: str | None, model_image: str | None) -> Asked:
    """From the two images that can be given: the entry service's, and that of the one behind it."""
    given = {}
    behind = [name for name, service in release.services.items() if not service.entry]
    if app_image:
        given[release.entry.name] = app_image
    if model_image:
        if len(behind) != 1:
            raise Refusal(
                f"model_image: {release.name} has {len(behind)} services behind "
                f"{release.entry.name}; expected one. List {version} and its images in "
                "inventory/group_vars/all/release.yml, and apply that"
            )
        given[behind[0]] = model_image
    return Asked(version, given)


def pair_of(
    wanted: Asked, live: Release, file: Release, digests: Mapping[str, str]
) -> dict[str, str]:
    """The images of the version that is to be rolled out, with their digests; or a Refusal."""
    canary = live.canary
    if canary is not None and canary.version != wanted.version:
        raise Refusal(
            f"{canary.version} is the canary of {live.name} now, at {canary.weight}%; expected no "
            f"canary, or {wanted.version} itself. Decide it first: {PROMOTE}, or {ROLL_BACK}"
        )
    known = live.versions.get(wanted.version) if canary else None
    known = known or file.versions.get(wanted.version) or live.versions.get(wanted.version)
    given = _given(wanted, live, digests)
    if known is None:
        lacking = [name for name in live.services if name not in given]
        if lacking:
            raise Refusal(
                f"{wanted.version} is none of the release's versions "
                f"({', '.join(sorted({*live.versions, *file.versions}))}), and "
                f"{' and '.join(lacking)} got no image; expected an image for each service: "
                f"{_options(live)}"
            )
        known = given
    for service, image in given.items():
        if images.identity(image) != images.identity(known[service]):
            raise Refusal(
                f"versions.{wanted.version}.{service} is {known[service]} already, and {image} was "
                "given; a version is one pair of images, so give the new one another name"
            )
    stable = live.versions[live.stable]
    if spec.same_images(stable, known):
        raise Refusal(
            f"{wanted.version} has the same images as {live.stable}, which is stable; expected at "
            "least one that differs, for a canary of the same digests can show nothing"
        )
    return dict(known)


def goes_on(earlier: Document, live: Release, stable: Pair, canary: Pair) -> bool:
    """Whether a rollout that was begun earlier is the one that goes on: the same pair, not decided
    yet, and the cookies of a live canary are its own. They aren't where the canary was taken back
    in the file and has come again."""
    if earlier.outcome in DECIDED or (earlier.stable, earlier.canary) != (stable, canary):
        return False
    if live.canary is None:
        return bool(earlier.steps)
    known = live.progress.rollout if live.progress else earlier.id
    return known == earlier.id and earlier.id not in live.ended


def _given(wanted: Asked, live: Release, digests: Mapping[str, str]) -> dict[str, str]:
    given = {}
    for service, reference in wanted.images.items():
        resolved = images.resolve(reference, digests)
        if images.parse(reference) is None:
            raise Refusal(f"the image for {service}: got {reference!r}; expected {images.EXPECTED}")
        if resolved is None:
            raise Refusal(
                f"the image for {service}: {reference} is not in the bundle; add it with `make "
                f"image IMAGE={reference} FROM=docker`, or name a digest"
            )
        given[service] = resolved
    return given


def _options(live: Release) -> str:
    if len(live.services) == 2:
        return "-e app_image=NAME:TAG -e model_image=NAME:TAG"
    return "list the version in inventory/group_vars/all/release.yml and apply that"
