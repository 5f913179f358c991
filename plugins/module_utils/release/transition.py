# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass

from ansible_collections.roost.cluster.plugins.module_utils.api.objects import Block, object_key
from ansible_collections.roost.cluster.plugins.module_utils.release import (
    live,
    names,
    objects,
    routing,
)
from ansible_collections.roost.cluster.plugins.module_utils.release.live import Inventory
from ansible_collections.roost.cluster.plugins.module_utils.release.model import Release
from ansible_collections.roost.cluster.plugins.module_utils.release.names import Context


@dataclass(frozen=True)
class Transition:
    """One release on its way from what is live to what is to be."""

    release: Release
    inventory: Inventory
    context: Context
    final: dict[str, Block]

    @property
    def leaving(self) -> list[str]:
        """Versions that have pods or subsets, and shall have none."""
        found = {version for _service, version in map(live.workload_of, self.running)}
        for service in self.release.services:
            found |= set(map(names.version_of, self._known(service)))
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
        """The wanted subsets, and those that some proxy may still send requests to."""
        wanted = objects.subsets(self.release, service)
        kept = {*self._known(service), *live.targets_of(self.live_route, self._host(service))}
        if not self.is_live("DestinationRule", service):
            # An object that is missing is put back whole, for the pods that are still there.
            kept |= set(self.leaving)
        return [*wanted, *sorted(kept - set(wanted))]

    def rules(self, service: str) -> list[str]:
        """The versions whose callers have a rule, or shall have one."""
        known = live.rules_of(self.inventory, service, self.release.namespace)
        missing = not self.is_live("VirtualService", service)
        kept = [version for version in self.leaving if missing or version in known]
        return [*self.release.deployed, *kept]

    def all_rules(self) -> dict[str, Iterable[str]]:
        return {service: self.rules(service) for service in self.release.services}

    def _known(self, service: str) -> list[str]:
        return live.subsets_of(self.inventory, service, self.release.namespace)

    def _host(self, service: str) -> str:
        return names.host_of(service, self.release.namespace, self.context)

    def of_kind(self, *kinds: str) -> list[Block]:
        return [item for item in self.final.values() if item["kind"] in kinds]

    def is_live(self, kind: str, name: str) -> bool:
        return f"{kind} {self.release.namespace}/{name}" in self.inventory

    @property
    def live_route(self) -> Block | None:
        return live.entry_route(self.inventory, self.release.name, self.release.namespace)

    def final_route(self) -> Block:
        name = names.entry_route_name(self.release.name)
        return deepcopy(self.final[f"VirtualService {self.release.namespace}/{name}"])

    def holding_route(self) -> Block:
        """All weight on one version with pods; the final route at once where that is the same."""
        held = routing.holding_route(self.release, self.anchor, self.context)
        final = self.final[object_key(held)]
        return final if final["spec"] == held["spec"] else held

    def surplus_subsets(self) -> bool:
        """Whether some version loses a name that it is known by, and stays."""
        return any(
            names.version_of(subset) in self.release.deployed
            and subset not in objects.subsets(self.release, service)
            for service in self.release.services
            for subset in self._known(service)
        )

    def newly_known(self) -> list[str]:
        """Versions that at least one service has no subset for yet."""
        return [
            version
            for version in self.release.deployed
            if any(version not in self._known(service) for service in self.release.services)
        ]

    def rising(self) -> list[str]:
        """Versions that will get more traffic than they have, or traffic of another kind. Only
        these must be ready first: taking weight away from pods that don't work must not wait until
        they do."""
        entry = self._host(self.release.entry.name)
        now: dict[str, int] = {}
        if self.live_route is not None and live.entry_host(self.live_route) == entry:
            now = dict(live.weights_of(self.live_route))
        final = routing.entry_route(self.release, self.context)
        reached = live.targets_of(final, entry) - live.targets_of(self.live_route, entry)
        newly = set(map(names.version_of, reached))
        return [
            version
            for version in self.release.deployed
            if version in newly or self.release.weights.get(version, 0) > now.get(version, 0)
        ]
