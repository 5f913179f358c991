# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One line for each thing that happens in a rollout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.roost.cluster.plugins.plugin_utils.decision.verdict import (
    MetricVerdict,
    Outcome,
    Verdict,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout import (
    document as documents,
)
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.document import Document
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.opening import (
    PROMOTE,
    ROLL_BACK,
)


def look_line(
    document: Document, seconds: float, counts: Mapping[str, Any], verdict: Verdict
) -> str:
    """The weight and the time in this step, each service's requests and rates (canary / stable),
    and what follows."""
    services = [_service(name, counts[name], verdict) for name in counts]
    head = f"{document.canary.version} {document.weight:3d}%  {clock(seconds):>7}"
    return f"{head}  {' | '.join(services)} | {_follows(verdict)}"


def _service(name: str, counted: Mapping[str, int], verdict: Verdict) -> str:
    metrics = {m.metric: m for m in verdict.metrics if m.service == name}
    failures, latency = (_values(metrics.get(key)) for key in ("failures", "latency"))
    text = f"{name} {counted['canary']} / {counted['stable']} requests"
    if failures:
        text += f", failed {failures[0]:.1%} / {failures[1]:.1%}"
    if latency:
        text += f", p95 {latency[0]:.0f} / {latency[1]:.0f} ms"
    return text


def _values(metric: MetricVerdict | None) -> tuple[float, float] | None:
    if metric is None or metric.canary is None or metric.stable is None:
        return None
    return metric.canary, metric.stable


def _follows(verdict: Verdict) -> str:
    if verdict.outcome is not Outcome.WAIT:
        return f"{verdict.outcome.value}: {verdict.reason}"
    if verdict.missing is None:
        return f"wait: {verdict.reason}"
    soon = (
        "" if verdict.missing_seconds is None else f", about {clock(verdict.missing_seconds)} more"
    )
    return f"wait: {verdict.missing} canary requests are missing{soon}"


def recorded(look: Mapping[str, Any]) -> str:
    """A look as it was written down."""
    services = [
        f"{name} {found['canary'][0]} / {found['stable'][0]} requests, "
        f"{found['canary'][1]} / {found['stable'][1]} failed"
        for name, found in look["services"].items()
    ]
    return f"{look['at']}  {look['weight']}%  {' | '.join(services)}"


def clock(seconds: float) -> str:
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def to_commit(stable: str, canary: tuple[str, int] | None, images: Mapping[str, str]) -> list[str]:
    """What the file has to say so that it agrees with the cluster."""
    lines = [
        "inventory/group_vars/all/release.yml should say now, in `release`:",
        f"  stable: {stable}",
    ]
    if canary:
        lines.append(f"  canary: {{version: {canary[0]}, weight: {canary[1]}}}")
    else:
        lines.append("  and no key canary")
    if images:
        version = canary[0] if canary else stable
        lines += [f"  versions.{version}:"]
        lines += [f"    {service}: {image}" for service, image in images.items()]
    return lines


def outcome(document: Document) -> str:
    return f"rollout {document.id} of {document.canary.version}: {document.outcome}"


def ending(document: Document) -> str:
    """How a rollout ended that didn't end promoted, why, and what a person can do."""
    version, weight = document.canary.version, document.weight
    head = outcome(document)
    if document.outcome == documents.ROLLED_BACK:
        return f"{head}: {document.reason}. {document.stable.version} has the whole weight"
    if document.outcome == documents.STOPPED:
        # Perhaps while it was ending: then the weight is not that of the last step any more.
        head, stays = f"{head}: {document.reason}", "playbooks/status.yml shows what is live"
    else:
        head, stays = f"{head} at {weight}%: {document.reason}", "The weight stays"
    again = f"ansible-playbook playbooks/rollout.yml -e version={version}"
    return f"{head}. {stays}. Go on: {again}; or decide: {PROMOTE}, {ROLL_BACK}"
