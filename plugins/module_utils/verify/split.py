# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.traffic.binomial import (
    Interval,
    clopper_pearson,
)
from ansible_collections.roost.cluster.plugins.module_utils.traffic.summary import Summary
from ansible_collections.roost.cluster.plugins.module_utils.verify.counters import CounterEvidence
from ansible_collections.roost.cluster.plugins.module_utils.verify.promise import promise
from ansible_collections.roost.cluster.plugins.module_utils.verify.target import Target

HEADERS = "response headers"
COUNTERS = "proxy counters"


@dataclass(frozen=True)
class Verdict:
    """The measured split of a release, judged."""

    hits: int
    trials: int
    interval: Interval
    split_source: str
    pairs: dict[str, dict[str, int]]
    pairs_source: str
    promises: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return {
            "hits": self.hits,
            "trials": self.trials,
            "share": round(self.hits / self.trials, 6) if self.trials else None,
            "interval": [round(self.interval.low, 6), round(self.interval.high, 6)],
            "split_source": self.split_source,
            "pairs": self.pairs,
            "mixed": mixed(self.pairs),
            "pairs_source": self.pairs_source,
        }


@dataclass(frozen=True)
class Bar:
    """What is demanded: in full, or only that the interval contains the weight."""

    confidence: float
    requests: int
    full: bool


def judge(
    wanted: Target, summary: Summary, counted: CounterEvidence | None, demanded: Bar
) -> Verdict:
    """Compare what was measured with what the release says.

    Where a header can't tell versions apart, the proxies' counters take its place.
    """
    by_header = wanted.app_header is not None
    versions = summary.versions if by_header or counted is None else _drawn(counted)
    pairs_by_header = by_header and wanted.model_header is not None
    pairs = summary.pairs if pairs_by_header or counted is None else counted.pairs
    trials = sum(versions.values())
    # Without a canary every answer that isn't the stable version's is one too many.
    hits = versions.get(wanted.canary, 0) if wanted.canary else trials - _stable(versions, wanted)
    verdict = Verdict(
        hits=hits,
        trials=trials,
        interval=clopper_pearson(hits, trials, demanded.confidence),
        split_source=HEADERS if by_header else COUNTERS,
        pairs=pairs,
        pairs_source=HEADERS if pairs_by_header else COUNTERS,
    )
    split = _split(wanted, verdict, demanded)
    others = [
        _requests(summary, demanded),
        _versions(versions, wanted),
        _pairing(verdict, wanted),
        _errors(summary, wanted),
    ]
    if counted is not None:
        others.append(_counters(summary, counted))
    promises = [split, *others] if demanded.full else [split]
    lines = _lines(wanted, summary, verdict, counted, demanded)
    notes = [] if demanded.full else [_note(item) for item in others[1:] if not item["ok"]]
    return replace(verdict, promises=promises, notes=notes, lines=lines)


def mixed(pairs: Mapping[str, Mapping[str, int]]) -> int:
    return sum(
        count for app, models in pairs.items() for model, count in models.items() if model != app
    )


def _stable(versions: Mapping[str, int], wanted: Target) -> int:
    return versions.get(wanted.stable, 0)


def _drawn(counted: CounterEvidence) -> dict[str, int]:
    return {subset or "no subset": count for subset, count in counted.versions.items() if count}


def _percent(share: float) -> str:
    return f"{share * 100:.2f}%"


def _split(wanted: Target, verdict: Verdict, demanded: Bar) -> dict[str, Any]:
    who = wanted.canary or f"anything but {wanted.stable}"
    expected = f"{wanted.weight}% of the answers from {who} (says {wanted.source})"
    if not verdict.trials:
        return promise(
            "split",
            False,
            expected,
            f"no answer that tells its version (source: {verdict.split_source})",
            "see whether the address answers at all, and for counters whether "
            "meshConfig.defaultConfig.proxyStatsMatcher includes the release's clusters",
        )
    ok = verdict.interval.contains(wanted.weight / 100)
    return promise(
        "split",
        ok,
        expected,
        f"{_share(verdict)}, {demanded.confidence * 100:g}% interval {_range(verdict.interval)}",
        f"compare the route's weights and the subsets' pods: kubectl -n {wanted.namespace} "
        "get virtualservice,destinationrule -o yaml; kubectl get pods --show-labels",
    )


def _share(verdict: Verdict) -> str:
    share = verdict.hits / verdict.trials
    return f"{verdict.hits} of {verdict.trials} = {_percent(share)}"


def _range(interval: Interval) -> str:
    return f"{_percent(interval.low)} to {_percent(interval.high)}"


def _requests(summary: Summary, demanded: Bar) -> dict[str, Any]:
    return promise(
        "requests",
        summary.requests >= demanded.requests,
        f"{demanded.requests} requests sent",
        f"{summary.requests} in {summary.seconds:.1f} s",
        "raise verify_time_limit, or find out why the app is slow",
    )


def _versions(versions: Mapping[str, int], wanted: Target) -> dict[str, Any]:
    drawn = {wanted.stable, wanted.canary} - {None}
    strangers = {key: count for key, count in versions.items() if key not in drawn}
    return promise(
        "versions",
        not strangers,
        f"answers from {' and '.join(sorted(str(key) for key in drawn))} alone",
        _counts(strangers or versions),
        "see which pods the subsets' labels select, and what version their images were built with",
    )


def _pairing(verdict: Verdict, wanted: Target) -> dict[str, Any]:
    expected = "0 requests to a version other than the caller's"
    total = sum(count for models in verdict.pairs.values() for count in models.values())
    source = f"(source: {verdict.pairs_source})"
    if not total:
        found = f"no request to {_others(wanted)} was seen {source}"
        advice = "let release.verify.path be a path for which the app asks the service behind it"
        return promise("pairing", False, expected, found, advice)
    crossed = mixed(verdict.pairs)
    return promise(
        "pairing",
        crossed == 0,
        expected,
        f"{crossed} mixed of {total} {source}: {_matrix(verdict.pairs)}",
        f"the VirtualService of {_others(wanted)} must route by sourceLabels and list the "
        f"gateway 'mesh': kubectl -n {wanted.namespace} get virtualservice -o yaml",
    )


def _others(wanted: Target) -> str:
    return " and ".join(service.name for service in wanted.others) or "another service"


def _errors(summary: Summary, wanted: Target) -> dict[str, Any]:
    kinds = "; ".join(
        f"{failure.count} × {kind} (first: {failure.example})"
        for kind, failure in summary.failures.items()
    )
    return promise(
        "errors",
        not summary.failures,
        "0 failed requests",
        f"{summary.failed} of {summary.requests}" + (f": {kinds}" if kinds else ""),
        f"kubectl -n {wanted.namespace} get pods; kubectl -n {wanted.namespace} "
        f"logs deploy/{wanted.entry.name}-{wanted.stable}",
    )


def _counters(summary: Summary, counted: CounterEvidence) -> dict[str, Any]:
    answered = summary.requests - sum(
        failure.count for kind, failure in summary.failures.items() if not kind.startswith("HTTP")
    )
    seen = sum(counted.versions.values())
    gone = f", {counted.vanished} proxies vanished meanwhile" if counted.vanished else ""
    return promise(
        "counters",
        seen >= answered and counted.vanished == 0,
        f"the gateways counted at least the {answered} answers that came",
        f"{seen} counted{gone}",
        "check meshConfig.defaultConfig.proxyStatsMatcher; repeat while no gateway restarts",
    )


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{key} {count}" for key, count in sorted(counts.items())) or "none"


def _matrix(pairs: Mapping[str, Mapping[str, int]]) -> str:
    cells = (
        f"{app}→{model} {count}" for app, models in pairs.items() for model, count in models.items()
    )
    return ", ".join(cells)


def _note(item: Mapping[str, Any]) -> str:
    return f"note: {item['name']}: expected {item['expected']}; found {item['found']}"


def _lines(
    wanted: Target,
    summary: Summary,
    verdict: Verdict,
    counted: CounterEvidence | None,
    demanded: Bar,
) -> list[str]:
    """The measurement for people, one thing a line."""
    who = wanted.canary or f"not {wanted.stable}"
    rate = summary.requests / summary.seconds if summary.seconds else 0
    share = _share(verdict) if verdict.trials else "no answers"
    lines = [
        f"requests   {summary.requests} in {summary.seconds:.1f} s ({rate:.0f}/s), "
        f"{summary.failed} failed",
        f"share      {who}: {share}, {demanded.confidence * 100:g}% interval "
        f"{_range(verdict.interval)}, wanted {wanted.weight}%",
        f"weight     from {wanted.source}",
        f"pairs      {_matrix(verdict.pairs) or 'none seen'}",
        f"sources    split: {verdict.split_source}; pairs: {verdict.pairs_source}",
        f"latency ms all: {_quantiles(summary.latency)}",
    ]
    lines += [
        f"           {version}: {_quantiles(values)}"
        for version, values in summary.latency_by_version.items()
    ]
    hidden = sum(counted.failures.values()) if counted else 0
    if counted and hidden:
        lines.append(f"attempts   failed, retried ones too: {_counts(counted.failures)}")
    return lines


def _quantiles(values: Mapping[str, float]) -> str:
    return "  ".join(f"{key} {value:g}" for key, value in values.items()) or "none"
