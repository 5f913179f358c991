# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who decides, where, by what: everything that one call of a playbook knows beforehand."""

from __future__ import annotations

import getpass
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.roost.cluster.plugins.module_utils.api.client import Editor
from ansible_collections.roost.cluster.plugins.module_utils.api.comparison import Change
from ansible_collections.roost.cluster.plugins.module_utils.release import planning
from ansible_collections.roost.cluster.plugins.module_utils.release.model import Release
from ansible_collections.roost.cluster.plugins.module_utils.release.names import Context
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout import (
    document as documents,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout import (
    readings,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout import (
    scene as scenes,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.document import (
    Document,
    Pair,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.hands import Hands
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.heartbeat import Heartbeat
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.lock import Lock, utc
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.scene import Scene
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.store import Store


def who() -> str:
    return f"{getpass.getuser()}@{socket.gethostname()}"


@dataclass(frozen=True)
class Job:
    client: Editor
    context: Context
    # As the file describes it, with its images resolved. Of it only versions, the settings of
    # rollouts and whom to notify are used; the rest is as it is live.
    file: Release
    # Canonical NAME:TAG → digest.
    digests: Mapping[str, str]
    # Seconds until pods and proxies must be as they should.
    timeout: float
    # Folder of the reports; None: none is written.
    reports: Path | None = None
    who: str = field(default_factory=who)
    session: str = field(default_factory=lambda: secrets.token_hex(8))
    # What was changed on the cluster, and why, in order.
    made: list[Change] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.file.name

    @property
    def namespace(self) -> str:
        return self.file.namespace

    def look(self) -> Scene:
        """The release as it is live."""
        return scenes.look(self.client, self.name, self.namespace, self.context)

    def plan(self, scene: Scene, release: Release) -> planning.Plan:
        """What it takes to bring the release to this; changes nothing."""
        return planning.towards(release, scene.inventory, scene.record, self.client, self.context)

    def hands(self, beat: Heartbeat) -> Hands:
        """What changes the cluster while the lock is held."""
        return Hands(self.client, self.context, self.timeout, beat.certain, beat.pause, self.made)

    def begun(self, live: Release, canary: Pair) -> Document:
        """A rollout that begins now. The cookies of a canary that is live already are its own."""
        known = live.progress if live.canary else None
        return Document(
            id=known.rollout if known else documents.new_id(),
            release=live.name,
            namespace=live.namespace,
            who=self.who,
            began=documents.stamp(utc()),
            stable=Pair(live.stable, dict(live.versions[live.stable])),
            canary=canary,
            settings=self.file.rollout.as_block(),
            sources=readings.SOURCES,
            sticky=live.sticky,
        )

    def lock(self) -> Lock:
        return Lock(self.client, self.name, self.namespace, self.who, self.session)

    def store(self) -> Store:
        return Store(self.name, self.namespace)
