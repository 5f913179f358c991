# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The release as it is live, and what it becomes when its canary is steered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ansible_collections.roost.cluster.plugins.module_utils.api.client import Client
from ansible_collections.roost.cluster.plugins.module_utils.api.objects import Block, object_key
from ansible_collections.roost.cluster.plugins.module_utils.release import (
    live,
    planning,
    spec,
    survey,
    three_way,
)
from ansible_collections.roost.cluster.plugins.module_utils.release.model import (
    Canary,
    Progress,
    Release,
)
from ansible_collections.roost.cluster.plugins.module_utils.release.names import Context
from ansible_collections.roost.cluster.plugins.module_utils.release.progress import Course
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.refusal import Refusal


@dataclass(frozen=True)
class Scene:
    """What is live. Edits of the file that were not applied are no part of it."""

    release: Release
    # The block as last applied from the file, which stays as it is whatever is steered.
    record: Block
    inventory: live.Inventory

    @property
    def images(self) -> Mapping[str, Mapping[str, str]]:
        """version → service → image, of every version that runs or was listed when applied."""
        return self.release.versions

    @property
    def weight(self) -> int:
        """The canary's, in percent; 0 without one."""
        return self.release.canary.weight if self.release.canary else 0

    @property
    def route(self) -> Block:
        found = live.entry_route(self.inventory, self.release.name, self.release.namespace)
        if found is None:
            raise not_there(self.release.name)
        return found

    def with_route(self, release: Release, route: Block) -> Scene:
        """After the route was changed, and nothing else."""
        inventory = {**self.inventory, object_key(route): route}
        return replace(self, release=release, inventory=inventory)


def look(client: Client, name: str, namespace: str, context: Context) -> Scene:
    found = survey.inventory(client, name, namespace, context.gateway_namespace)
    record = live.record_of(live.entry_route(found, name, namespace))
    if record is None:
        raise not_there(name)
    merged = three_way.merge(record, record, live.live_of(found, name, namespace))
    release, problems = spec.read(merged.block)
    if release is None or merged.problems:
        raise planning.Rejected([*merged.problems, *problems])
    release = replace(
        release,
        workers=survey.workers(client),
        scaled=merged.scaled,
        progress=merged.course.progress,
        ended=merged.course.ended,
    )
    return Scene(release, record, found)


def not_there(name: str) -> Refusal:
    return Refusal(
        f"the release {name} has no route on the cluster, or nobody has written down what it was "
        "made from; expected a release that runs. Run playbooks/site.yml first"
    )


def with_canary(
    release: Release, version: str, images: Mapping[str, str], weight: int, progress: Progress
) -> Release:
    """With this canary at this weight."""
    versions = {**release.versions, version: dict(images)}
    canary = Canary(version, weight)
    return replace(release, versions=versions, canary=canary, progress=progress)


def rolled_back(release: Release) -> Release:
    """Stable alone; the canary's cookies lead to stable and expire."""
    course = Course(release.progress, release.ended).rolled_back()
    return replace(release, canary=None, progress=course.progress, ended=course.ended)


def promoted(release: Release) -> Release:
    """The canary is the stable version."""
    if release.canary is None:
        return release
    course = Course(release.progress, release.ended).promoted()
    return replace(
        release,
        stable=release.canary.version,
        canary=None,
        progress=course.progress,
        ended=course.ended,
    )
