# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From the document of a rollout to what its page shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.roost.cluster.plugins.plugin_utils.decision.reasons import Words
from ansible_collections.roost.cluster.plugins.plugin_utils.report import plots, words
from ansible_collections.roost.cluster.plugins.plugin_utils.report.plots import (
    Band,
    Level,
    Line,
    Plot,
    Span,
)
from markupsafe import Markup

Block = Mapping[str, Any]
# Places in a look's list of one metric.
_CANARY, _STABLE, _ESTIMATE, _LOWER, _UPPER = 2, 3, 4, 5, 6
_MARGINS = {"failures": "failure_margin", "latency": "latency_margin"}


def of(document: Block) -> dict[str, Any]:
    """Everything that the template names. Text is plain: the template escapes it."""
    began, ended = document["began"], document.get("ended")
    return {
        "document": document,
        "tone": {"promoted": "good", "rolled back": "bad"}.get(document["outcome"], "open"),
        "began": words.date(began),
        "ended": words.date(ended),
        "lasted": words.duration(words.seconds_between(began, ended) if ended else None),
        "images": _images(document["stable"], document["canary"]),
        "steps": [_step(step, _planned(document, step)) for step in document["steps"]],
        "plan": _plan(document.get("plan")),
        "metrics": _metrics(document.get("verdict")),
        "plots": _plots(document),
        "settings": words.settings(document["settings"]),
        "notes": _notes(document),
    }


def _images(stable: Block, canary: Block) -> list[tuple[str, str, str]]:
    services = dict.fromkeys([*stable["images"], *canary["images"]])
    return [
        (service, stable["images"].get(service, "–"), canary["images"].get(service, "–"))
        for service in services
    ]


def _planned(document: Block, step: Block) -> Block | None:
    steps = (document.get("plan") or {}).get("steps", ())
    return next((planned for planned in steps if planned["weight"] == step["weight"]), None)


def _step(step: Block, planned: Block | None) -> dict[str, Any]:
    ended = step.get("ended")
    return {
        "weight": step["weight"],
        "began": words.date(step["began"]),
        "lasted": words.duration(words.seconds_between(step["began"], ended) if ended else None),
        "planned": words.duration(planned["seconds"]) if planned else "–",
        "outcome": step.get("outcome") or "running",
        "reason": step.get("reason") or "–",
        "counts": [
            {
                "service": service,
                "canary": words.share(counted["canary_failed"], counted["canary"]),
                "stable": words.share(counted["stable_failed"], counted["stable"]),
            }
            for service, counted in step.get("counts", {}).items()
        ],
    }


def _plan(plan: Block | None) -> dict[str, Any] | None:
    if not plan:
        return None
    return {
        "rate": f"{plan['rate']:.3g}",
        "advanced": f"{plan['advanced']:.0%}",
        "steps": [
            {
                "weight": step["weight"],
                "requests": f"{step['requests']:,}",
                "requests_most": f"{step['requests_most']:,}",
                "seconds": words.duration(step["seconds"]),
                "seconds_most": words.duration(step["seconds_most"]),
            }
            for step in plan["steps"]
        ],
    }


def _metrics(verdict: Block | None) -> list[dict[str, str]]:
    return [_metric(found) for found in (verdict or {}).get("metrics", ())]


def _metric(found: Block) -> dict[str, str]:
    said = words.OF_METRIC[found["metric"]]
    values = (found["canary"], found["stable"])
    known = None not in values
    return {
        "service": found["service"],
        "name": said.name,
        "canary": said.of_value(found["canary"]) if known else "–",
        "stable": said.of_value(found["stable"]) if known else "–",
        "estimate": said.of_size(found["estimate"]) if known else "–",
        "interval": words.interval(said, found["lower"], found["upper"]),
        "margin": said.of_size(found["margin"]),
        "worse": f"{found['evidence_worse']:.1f} of {found['goal_worse']:.1f}",
        "within": f"{found['evidence_within']:.1f} of {found['goal_within']:.1f}",
        "outcome": found["outcome"],
        "reason": found["reason"],
    }


def _plots(document: Block) -> list[tuple[str, list[Markup]]]:
    """For each service and metric that the looks have: the interval, and both versions' values."""
    rows: dict[tuple[str, str], list[tuple[float, Sequence[Any]]]] = {}
    for look in document["looks"]:
        at = words.seconds_between(document["began"], look["at"])
        for row in look["metrics"]:
            rows.setdefault((row[0], row[1]), []).append((at, row))
    spans = _spans(document)
    found = []
    for (service, metric), timed in rows.items():
        said = words.OF_METRIC[metric]
        margin = document["settings"][_MARGINS[metric]]
        pair = (
            _interval_plot(service, said, margin, timed, spans),
            _values(service, said, timed, spans, document),
        )
        found.append((f"{service}: {said.name}", [plots.svg(plot) for plot in pair]))
    return found


def _spans(document: Block) -> list[Span]:
    end = document.get("ended") or max((look["at"] for look in document["looks"]), default=None)
    spans = []
    for step in document["steps"]:
        stop = step.get("ended") or end or step["began"]
        spans.append(
            Span(
                f"{step['weight']}%",
                words.seconds_between(document["began"], step["began"]),
                words.seconds_between(document["began"], stop),
            )
        )
    return spans


def _column(timed: Sequence[tuple[float, Sequence[Any]]], place: int) -> list[float | None]:
    return [row[place] for _at, row in timed]


def _interval_plot(
    service: str,
    said: Words,
    margin: float,
    timed: Sequence[tuple[float, Sequence[Any]]],
    spans: Sequence[Span],
) -> Plot:
    """Where the canary may be, against the margin."""
    logarithmic = said.neutral > 0
    # Without requests there is no estimate, though it has a number.
    known = [row[_CANARY] is not None for _at, row in timed]
    estimates = [
        value if there else None
        for value, there in zip(_column(timed, _ESTIMATE), known, strict=True)
    ]
    return Plot(
        title=f"{service}, {said.name}: canary against stable",
        times=[at for at, _row in timed],
        lines=[Line("estimate", "estimate", estimates)],
        tick=said.of_size,
        low=1 / (1.6 * margin) if logarithmic else -1.5 * margin,
        high=1.6 * margin if logarithmic else 2.5 * margin,
        levels=[
            Level("margin", "margin", margin),
            Level("no worse", "neutral", said.neutral),
        ],
        band=Band(_column(timed, _LOWER), _column(timed, _UPPER)),
        spans=spans,
        logarithmic=logarithmic,
    )


def _values(
    service: str,
    said: Words,
    timed: Sequence[tuple[float, Sequence[Any]]],
    spans: Sequence[Span],
    document: Block,
) -> Plot:
    return Plot(
        title=f"{service}, {said.name} of both versions",
        times=[at for at, _row in timed],
        lines=[
            Line(f"{document['stable']['version']}", "stable", _column(timed, _STABLE)),
            Line(f"{document['canary']['version']}", "canary", _column(timed, _CANARY)),
        ],
        tick=said.of_value,
        low=0.0,
        high=0.01 if said.neutral == 0 else 1.0,
        spans=spans,
    )


def _notes(document: Block) -> list[str]:
    """What a reader must know to judge the numbers."""
    notes = []
    if document.get("sources"):
        notes.append(f"How requests were counted: {document['sources']}")
    for service, part in (document.get("override_share") or {}).items():
        if part > 0:
            notes.append(
                f"{part:.1%} of the canary's requests to {service} in the last step came by the "
                "override header or as mirrored ones."
            )
    if document.get("sticky"):
        notes.append(
            "Users stick to a version, so requests are not independent: the guarantee is "
            "approximate."
        )
    left_out = document.get("looks_left_out", 0)
    if left_out:
        notes.append(
            f"{left_out:,} looks in the middle are not drawn, for want of room on the cluster; "
            "every one of them counted for the verdict."
        )
    return notes
