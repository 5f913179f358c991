# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rules by which the gateway chooses the version for a request; the first that matches holds.

1. A header asks for a version (`override`).
2. A cookie of a rollout that was rolled back leads to stable and expires.
3. A cookie of the present rollout keeps what was drawn (`sticky`). The canary's keeps for good. The
   stable version's keeps for the step that it is from; at a later step, with the weight w now and
   v then, it is drawn again with the chance (w − v) / (100 − v), so that of all users just w
   percent have the canary. Proxies take weights as parts of their sum, so w − v parts against
   100 − w are exact: nothing is rounded.
4. All others are drawn by weight.

A rule's name says everything that its cookies say: proxies are asked for the names alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.roost.cluster.plugins.module_utils.api.objects import Block
from ansible_collections.roost.cluster.plugins.module_utils.release import hops, names
from ansible_collections.roost.cluster.plugins.module_utils.release.model import (
    Canary,
    Progress,
    Release,
)
from ansible_collections.roost.cluster.plugins.module_utils.release.names import Context

# Only these are copied: whatever they ask for can be asked for twice.
_READS = {"method": {"regex": "GET|HEAD"}}
_READS_ENDING = "-reads"
_ATTRIBUTES = "Path=/; HttpOnly; SameSite=Lax"


def rules(release: Release, context: Context) -> list[Block]:
    maker = _Maker(release, context)
    patience = hops.patience(release, release.entry.name)
    return [{**rule, **patience} for rule in maker.all()]


def rule_names(release: Release, context: Context) -> list[str]:
    return [rule["name"] for rule in rules(release, context)]


class _Maker:
    def __init__(self, release: Release, context: Context) -> None:
        self._release, self._context = release, context

    def all(self) -> Iterator[Block]:
        yield from self._override()
        yield from self._expiry()
        release = self._release
        if release.sticky and release.canary and release.progress:
            yield from self._kept(release.canary, release.progress)
        draw = [self._to(version, weight) for version, weight in release.weights.items()]
        yield from self._with_copies({"name": names.DRAW_RULE, "route": draw})

    def _override(self) -> Iterator[Block]:
        override = self._release.override
        if override is None:
            return
        for version in self._release.weights:
            yield {
                "name": f"override-{version}",
                "match": [{"headers": {override.header: {"exact": version}}}],
                "route": [{"destination": self._destination(names.override_subset(version))}],
            }

    def _expiry(self) -> Iterator[Block]:
        release = self._release
        if not release.sticky or not release.ended:
            return
        ids = "|".join(release.ended)
        route = {"destination": self._destination(release.stable)}
        yield from self._with_copies(
            {
                "name": f"expired-{release.ended[-1]}-{len(release.ended)}",
                "match": [self._cookie(rf"[a-z0-9-]+\.({ids})\.[0-9]+")],
                "route": [route | _adding(f"{self._name}=; Max-Age=0; {_ATTRIBUTES}")],
            }
        )

    def _kept(self, canary: Canary, progress: Progress) -> Iterator[Block]:
        release, rollout = self._release, progress.rollout
        *earlier, now = progress.weights
        yield {
            "name": f"sticky-{rollout}-canary",
            "match": [self._cookie(rf"{canary.version}\.{rollout}\.[0-9]+")],
            "route": [{"destination": self._destination(canary.version)}],
        }
        # Whoever got the stable version at this weight, or at a higher one, has no draw to make.
        step = len(earlier)
        kept = [str(index) for index, weight in enumerate(earlier) if weight >= now]
        steps = "|".join([*kept, str(step)])
        yield from self._with_copies(
            {
                "name": f"sticky-{rollout}-{step}-stable",
                "match": [self._cookie(rf"{release.stable}\.{rollout}\.({steps})")],
                "route": [{"destination": self._destination(release.stable)}],
            }
        )
        for then in sorted({weight for weight in earlier if weight < now}):
            places = [str(index) for index, weight in enumerate(earlier) if weight == then]
            steps = "|".join(places)
            yield from self._with_copies(
                {
                    "name": f"sticky-{rollout}-{step}-from-{then}",
                    "match": [self._cookie(rf"{release.stable}\.{rollout}\.({steps})")],
                    "route": [
                        self._to(release.stable, 100 - now),
                        self._to(canary.version, now - then),
                    ],
                }
            )

    def _with_copies(self, rule: Block) -> Iterator[Block]:
        """The rule; before it, if there is a shadow, the same for requests that are copied."""
        mirror = self._release.shadow
        if mirror:
            yield {
                **rule,
                "name": rule["name"] + _READS_ENDING,
                "match": [{**match, **_READS} for match in rule.get("match", [{}])],
                "mirrors": [
                    {
                        "destination": self._destination(names.mirror_subset(mirror.version)),
                        "percentage": {"value": mirror.percent},
                    }
                ],
            }
        yield rule

    def _to(self, version: str, weight: int) -> Block:
        """One outcome of a draw; with `sticky`, the answer carries a cookie that says so."""
        found = {"destination": self._destination(version), "weight": weight}
        progress = self._release.progress
        if not self._release.sticky or not self._release.canary or not progress:
            return found
        value = f"{version}.{progress.rollout}.{len(progress.weights) - 1}"
        return found | _adding(f"{self._name}={value}; {_ATTRIBUTES}")

    def _destination(self, subset: str) -> Block:
        return hops.destination(self._release, self._release.entry.name, subset, self._context)

    @property
    def _name(self) -> str:
        return names.cookie_name(self._release.name)

    def _cookie(self, value: str) -> Block:
        """Matches the cookie with such a value among others."""
        return {"headers": {"cookie": {"regex": rf"(.*;\s*)?{self._name}=({value})(\s*;.*)?"}}}


def _adding(cookie: str) -> Block:
    # Added, not set: the application has cookies of its own.
    return {"headers": {"response": {"add": {"set-cookie": cookie}}}}
