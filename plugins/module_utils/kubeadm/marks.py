# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A node's labels and taints: what has to be set, and what is ours to take away again.

What was set is recorded in an annotation. Others' labels and taints are never touched; one of ours
goes when it leaves the description, unless somebody has given it another value meanwhile.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.commands import KubeadmError

RECORD = "roost.cluster/node"
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")

# kubelet writes these itself, and Kubernetes the taints below this prefix.
_KUBELETS_LABELS = ("kubernetes.io/hostname", "kubernetes.io/os", "kubernetes.io/arch")
_KUBERNETES_TAINTS = "node.kubernetes.io/"
_PART = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
_DOMAIN = r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?"
_KEY = re.compile(rf"({_DOMAIN}/)?{_PART}\Z")
_VALUE = re.compile(rf"({_PART})?\Z")

Taint = Mapping[str, Any]
Record = Mapping[str, Any]

NOTHING: Record = {"labels": {}, "taints": []}
# What kubeadm puts on a control-plane node counts as ours.
CONTROL_PLANE_TAINT = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}
BY_KUBEADM: Record = {"labels": {}, "taints": [CONTROL_PLANE_TAINT]}
_ATTEMPTS = 5


@dataclass(frozen=True)
class Marks:
    """Changes, and the merge patch that makes them; none if nothing has to be done."""

    changes: list[dict[str, Any]] = field(default_factory=list)
    patch: dict[str, Any] | None = None


def problems(labels: Mapping[str, Any], taints: Sequence[Taint]) -> list[str]:
    """What is wrong with described labels and taints, each with what was expected."""
    found: list[str] = []
    for key, value in labels.items():
        found += _wrong(f"label {key}", key, value)
        if key in _KUBELETS_LABELS:
            found.append(f"label {key}: kubelet sets it itself; take it out")
    seen = set()
    for taint in taints:
        name = f"taint {taint.get('key')}"
        found += _wrong(name, taint.get("key"), taint.get("value") or "")
        if taint.get("effect") not in EFFECTS:
            expected = ", ".join(EFFECTS)
            found.append(
                f"{name}: its effect is {taint.get('effect')!r}, expected one of {expected}"
            )
        if str(taint.get("key")).startswith(_KUBERNETES_TAINTS):
            found.append(f"{name}: Kubernetes sets and removes it itself; take it out")
        if _identity(taint) in seen:
            found.append(f"{name}: named twice with the effect {taint.get('effect')}")
        seen.add(_identity(taint))
    return found


def _wrong(name: str, key: Any, value: Any) -> Iterator[str]:
    if not isinstance(key, str) or not _KEY.match(key):
        yield f"{name}: expected a key such as disk or example.org/disk, at most 63 characters"
    if not isinstance(value, str):
        yield f"{name}: its value is {value!r}, expected text; put it in quotes"
    elif not _VALUE.match(value):
        yield (
            f"{name}: its value is {value!r}, expected at most 63 letters, digits, '-', '_' and "
            "'.', with a letter or digit at each end"
        )


def apply(
    read: Callable[[], Mapping[str, Any]],
    patch: Callable[[Mapping[str, Any]], bool],
    labels: Mapping[str, str],
    taints: Sequence[Taint],
    assumed: Record | None = None,
) -> None:
    """Make the changes; `patch` says whether the node was still as it was read."""
    for _attempt in range(_ATTEMPTS):
        wanted = plan(read(), labels, taints, assumed).patch
        if wanted is None or patch(wanted):
            return
    raise KubeadmError(
        f"labels and taints of the node: others changed it {_ATTEMPTS} times between reading and "
        "writing; run the same again"
    )


def plan(
    node: Mapping[str, Any],
    labels: Mapping[str, str],
    taints: Sequence[Taint],
    assumed: Record | None = None,
) -> Marks:
    """What has to change at a node, of which the API has said `node`.

    `assumed` stands for the record where there is none yet.
    """
    record = _record(node, assumed or NOTHING)
    told: list[dict[str, Any]] = []
    new_labels = _labels(node["metadata"].get("labels") or {}, labels, record["labels"], told)
    before = (node.get("spec") or {}).get("taints") or []
    after = _taints(before, plain(taints), record["taints"], told)
    now = {"labels": dict(labels), "taints": plain(taints)}
    if now == record:
        return Marks() if not told else Marks(told, _patch(node, new_labels, before, after, None))
    if not told:
        why = "they are set already; from now on they go when they leave the description"
        told.append({"what": "record of labels and taints", "why": why})
    return Marks(told, _patch(node, new_labels, before, after, now))


def _record(node: Mapping[str, Any], assumed: Record) -> dict[str, Any]:
    text = (node["metadata"].get("annotations") or {}).get(RECORD)
    if text is None:
        return dict(assumed)
    try:
        found = json.loads(text)
        return {"labels": dict(found.get("labels", {})), "taints": list(found.get("taints", []))}
    except (ValueError, TypeError, AttributeError):
        # Edited by hand: nothing is ours to take away.
        return {"labels": {}, "taints": []}


def _labels(
    live: Mapping[str, str],
    wanted: Mapping[str, str],
    ours: Mapping[str, str],
    told: list[dict[str, Any]],
) -> dict[str, str | None]:
    """The labels to set, and those to remove as None."""
    new: dict[str, str | None] = {}
    for key, value in wanted.items():
        if live.get(key) != value:
            new[key] = value
            told.append(_change(f"label {key}", live.get(key), value))
    for key, value in ours.items():
        if key not in wanted and live.get(key) == value:
            new[key] = None
            told.append(_change(f"label {key}", value, None))
    return new


def _taints(
    live: Sequence[Taint],
    wanted: Sequence[Taint],
    ours: Sequence[Taint],
    told: list[dict[str, Any]],
) -> list[Taint]:
    """The whole list of taints, others' in their places."""
    named = {_identity(taint): taint for taint in wanted}
    gone = {_identity(taint): taint for taint in ours if _identity(taint) not in named}
    kept: list[Taint] = []
    for taint in live:
        identity = _identity(taint)
        if identity in named:
            new = named.pop(identity)
            if _plain(taint) == new:
                kept.append(taint)
                continue
            told.append(_change(_named(new), taint.get("value", ""), new.get("value", "")))
            kept.append(new)
        elif _plain(taint) == gone.get(identity):
            told.append(_change(_named(taint), taint.get("value", ""), None))
        else:
            kept.append(taint)
    for new in named.values():
        told.append(_change(_named(new), None, new.get("value", "")))
        kept.append(new)
    return kept


def _change(what: str, old: str | None, new: str | None) -> dict[str, Any]:
    if old is None:
        why = "described, and not there"
    elif new is None:
        why = "set by an earlier run, and not described any more"
    else:
        why = f"{old or 'no value'} → {new or 'no value'}, as described"
    return {"what": what, "why": why, "before": old, "after": new}


def _identity(taint: Taint) -> tuple[Any, Any]:
    return taint.get("key"), taint.get("effect")


def plain(taints: Sequence[Taint]) -> list[dict[str, str]]:
    """Taints as kubeadm's documents have them."""
    return [_plain(taint) for taint in taints]


def _plain(taint: Taint) -> dict[str, str]:
    """A taint without what the API server adds, and without an empty value."""
    return {key: str(taint[key]) for key in ("key", "value", "effect") if taint.get(key)}


def _named(taint: Taint) -> str:
    return f"taint {taint['key']}:{taint['effect']}"


def _patch(
    node: Mapping[str, Any],
    labels: Mapping[str, str | None],
    before: Sequence[Taint],
    after: Sequence[Taint],
    record: Mapping[str, Any] | None,
) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    if labels:
        metadata["labels"] = labels
    if record is not None:
        metadata["annotations"] = {RECORD: json.dumps(record, sort_keys=True)}
    patch: dict[str, Any] = {"metadata": metadata}
    if list(before) != list(after):
        # The list is replaced as a whole, so it must not have changed since it was read. A node
        # that is yet to be has no version.
        metadata["resourceVersion"] = node["metadata"].get("resourceVersion")
        patch["spec"] = {"taints": list(after) or None}
    return patch
