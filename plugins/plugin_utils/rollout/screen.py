# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The status of a release on one screen."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.roost.cluster.plugins.module_utils.traffic.binomial import (
    clopper_pearson,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.decision.looks import Tally
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout import (
    document as documents,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout import lines
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.document import Document
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.status import (
    Status,
    quantile,
)

CONFIDENCE = 0.999
_LAST_LOOKS = 3


def screen(found: Status) -> list[str]:
    return [
        *_versions(found),
        "",
        *_services(found),
        "",
        *_pairs(found),
        "",
        *_rollout(found),
        *(f"left out: {text}" for text in found.silent),
    ]


def _versions(found: Status) -> Iterator[str]:
    release = found.release
    entry = release.entry.name
    counts = {version: found.tally(entry, version).attempts for version in release.deployed}
    requests = sum(counts.values())
    yield (
        f"release {release.name} in namespace {release.namespace}: {requests} requests in "
        f"{found.seconds:.0f} s"
    )
    for version, weight in release.weights.items():
        role = "stable" if version == release.stable else "canary"
        yield f"{version:8} {role}  wanted {weight}%  measured {_share(counts[version], requests)}"
        for service in release.services:
            yield f"         {service}: {release.versions[version][service]}"
    if found.https:
        yield f"https    {found.https}"


def _share(hits: int, trials: int) -> str:
    if not trials:
        return "nothing, for there were no requests"
    interval = clopper_pearson(hits, trials, CONFIDENCE)
    return (
        f"{hits / trials:.1%} ({CONFIDENCE:.1%} interval {interval.low:.1%} to {interval.high:.1%})"
    )


def _services(found: Status) -> Iterator[str]:
    heads = "".join(f"{head:>9}" for head in ("p50", "p95", "p99"))
    yield f"{'service':18}{'version':10}{'attempts':>10}{'failed':>16}{heads}"
    for service in found.release.services:
        for version in found.release.deployed:
            tally = found.tally(service, version)
            times = "".join(f"{_quantile(found, tally, share):>9}" for share in (0.5, 0.95, 0.99))
            failed = f"{tally.failures}"
            if tally.attempts:
                failed += f" ({tally.failures / tally.attempts:.1%})"
            yield f"{service:18}{version:10}{tally.attempts:>10}{failed:>16}{times}"


def _quantile(found: Status, tally: Tally, share: float) -> str:
    edge = quantile(tally.histogram, found.edges, share)
    return "-" if edge is None else f"{edge:g} ms"


def _pairs(found: Status) -> Iterator[str]:
    """Who called whom; everything off the diagonal is a mixed pair."""
    entry = found.release.entry.name
    mixed = sum(
        count
        for version, row in found.pairs.items()
        for subset, count in row.items()
        if subset.version != version
    )
    total = sum(count for row in found.pairs.values() for count in row.values())
    yield f"pairs: {mixed} mixed of {total} calls"
    for version, row in found.pairs.items():
        calls = ", ".join(
            f"{subset.service} {subset.version}: {count}" for subset, count in sorted(row.items())
        )
        yield f"  {entry} {version} -> {calls}"


def _rollout(found: Status) -> Iterator[str]:
    document = found.rollout
    if document is None:
        yield found.problem or "no rollout yet"
        return
    yield (
        f"rollout {document.id} of {document.canary.version} beside {document.stable.version}, by "
        f"{document.who} since {document.began}: {_outcome(found, document)}"
    )
    if document.steps:
        weights = ", ".join(
            f"{step['weight']}% {step['outcome'] or '…'}" for step in document.steps
        )
        yield f"  steps: {weights}"
    if document.outcome == documents.RUNNING:
        for look in document.looks[-_LAST_LOOKS:]:
            yield f"  {lines.recorded(look)}"
    reason = document.reason or (document.verdict or {}).get("reason")
    if reason:
        yield f"  {reason}"


def _outcome(found: Status, document: Document) -> str:
    if document.outcome != documents.RUNNING:
        return document.outcome
    if found.holder:
        return f"running, steered by {found.holder}"
    return "nobody steers it now; playbooks/rollout.yml goes on with it"
