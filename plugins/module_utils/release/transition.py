# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.roost.cluster.plugins.module_utils.api.objects import Block
from ansible_collections.roost.cluster.plugins.module_utils.release import live, names, routing
from ansible_collections.roost.cluster.plugins.module_utils.release.live import Inventory
from ansible_collections.roost.cluster.plugins.module_utils.release.model import Release
from ansible_collections.roost.cluster.plugins.module_utils.release.names import Context


@dataclass(frozen=True)
class Transition:
    """One release on its way from what is live to what is to be."""

    release: Release
    inventory: Inventory
    context: Context
    record: str | None
    final: dict[str, Block]

    @property
    def leaving(self) -> list[str]:
        """Versions that have pods or subsets, and shall have none."""
        found = {version for _service, version in map(live.workload_of, self.running)}
        for service in self.release.services:
            found |= set(self._known(service))
        return sorted(found - set(self.release.deployed))

    @property
    def running(self) -> list[Block]:
        return live.deployments(self.inventory)

    @property
    def anchor(self) -> str:
        """The version that holds all of the traffic where a route has to be put back: stable, but
        one that has pods, if any has."""
        running = sorted({version for _service, version in map(live.workload_of, self.running)})
        if not running or self.release.stable in running:
            return self.release.stable
        return running[0]

    def subsets(self, service: str) -> list[str]:
        """The wanted versions, and those leaving ones that are still known."""
        return self._and_leaving("DestinationRule", service, self._known(service))

    def rules(self, service: str) -> list[str]:
        known = live.rules_of(self.inventory, service, self.release.namespace)
        return self._and_leaving("VirtualService", service, known)

    def all_rules(self) -> dict[str, Iterable[str]]:
        return {service: self.rules(service) for service in self.release.services}

    def _known(self, service: str) -> list[str]:
        return live.subsets_of(self.inventory, service, self.release.namespace)

    def _and_leaving(self, kind: str, service: str, known: list[str]) -> list[str]:
        # An object that is missing is put back whole, for the pods that are still there.
        missing = not self.is_live(kind, service)
        kept = [version for version in self.leaving if missing or version in known]
        return [*self.release.deployed, *kept]

    def of_kind(self, *kinds: str) -> list[Block]:
        return [item for item in self.final.values() if item["kind"] in kinds]

    def is_live(self, kind: str, name: str) -> bool:
        return f"{kind} {self.release.namespace}/{name}" in self.inventory

    @property
    def live_route(self) -> Block | None:
        return live.entry_route(self.inventory, self.release.name, self.release.namespace)

    def holding_route(self) -> Block:
        """All weight on one version with pods; the final route at once where that is the same."""
        release = self.release
        wanted = list(release.weights.items())
        held = [(self.anchor, 100)]
        if self.anchor in release.weights:
            held = [(version, 100 * (version == self.anchor)) for version, _weight in wanted]
        record = self.record if held == wanted else None
        return routing.entry_route(release, held, self.context, record)

    def newly_known(self) -> list[str]:
        """Versions that at least one service has no subset for yet."""
        return [
            version
            for version in self.release.deployed
            if any(version not in self._known(service) for service in self.release.services)
        ]

    def rising(self) -> list[str]:
        """Versions that will get more traffic than they have. Only these must be ready first:
        taking weight away from pods that don't work must not wait until they do."""
        release = self.release
        entry = names.host_of(release.entry.name, release.namespace, self.context)
        now: dict[str, int] = {}
        if self.live_route is not None and live.entry_host(self.live_route) == entry:
            now = dict(live.weights_of(self.live_route))
        return [
            version for version, weight in release.weights.items() if weight > now.get(version, 0)
        ]
