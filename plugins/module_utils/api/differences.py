# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.api.objects import Block

# What is said of an annotation in place of its value: when it is new, and when it differs.
Wording = Mapping[str, tuple[str, str]]

# Written by the API server at each change, or on its own account.
_VOLATILE = ("managedFields", "resourceVersion", "generation", "creationTimestamp", "uid")
_SHOWN_CHANGES = 3
_SHOWN_LENGTH = 60
GONE = object()
_OPEN_MAPPINGS = ("metadata.labels", "metadata.annotations")


def cleaned(item: Block) -> Block:
    """An object without what changes by itself."""
    kept = {key: value for key, value in item.items() if key != "status"}
    meta = {key: value for key, value in item["metadata"].items() if key not in _VOLATILE}
    return {**kept, "metadata": meta}


def reason(before: Block, after: Block, wording: Wording | None = None) -> str | None:
    """What differs, in words for a person, or None if nothing does."""
    found = list(changes("", cleaned(before), cleaned(after)))
    if not found:
        return None
    texts = [_text(path, old, new, wording or {}) for path, old, new in found[:_SHOWN_CHANGES]]
    more = len(found) - len(texts)
    return "; ".join(texts) + (f"; and {more} more" if more else "")


def changes(path: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    """Where two values differ: the path, and what is there before and after, or GONE."""
    if path in _OPEN_MAPPINGS:
        # Their keys are of interest one by one, also if there were none before.
        before, after = ({} if side is GONE else side for side in (before, after))
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            old, new = before.get(key, GONE), after.get(key, GONE)
            yield from changes(_joined(path, key), old, new)
    elif isinstance(before, list) and isinstance(after, list):
        yield from _list_changes(path, before, after)
    else:
        yield path, before, after


def _list_changes(path: str, before: list[Any], after: list[Any]) -> Iterator[tuple[str, Any, Any]]:
    """Item by item, where items have names or none came or went."""
    old_names, new_names = [_name(item) for item in before], [_name(item) for item in after]
    if None not in old_names and None not in new_names:
        old, new = dict(zip(old_names, before)), dict(zip(new_names, after))
        common = [name for name in old_names if name in new]
        if common != [name for name in new_names if name in old]:
            yield f"the order in {path}", ", ".join(map(str, common)), ", ".join(map(str, new))
        for name in [*old, *(name for name in new if name not in old)]:
            yield from changes(f"{path}[{name}]", old.get(name, GONE), new.get(name, GONE))
    elif len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after)):
            yield from changes(f"{path}[{index}]", one, other)
    else:
        yield path, before, after


def _name(item: Any) -> Any:
    """What tells an item from the others; Kubernetes' lists are mostly lists of named things."""
    if not isinstance(item, dict):
        return None
    return (
        item.get("name")
        or _within(item, "destination", "subset")
        # A server of a Gateway.
        or _within(item, "port", "name")
    )


def _within(item: dict[str, Any], key: str, name: str) -> Any:
    inner = item.get(key)
    return inner.get(name) if isinstance(inner, dict) else None


def _joined(path: str, key: str) -> str:
    # Keys of labels and annotations have dots of their own.
    if "." in key or "/" in key:
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key


def _text(path: str, old: Any, new: Any, wording: Wording) -> str:
    for key, (added, changed) in wording.items():
        if path == f"metadata.annotations[{key}]":
            return added if old is GONE else changed
    return f"{path}: {told(old, new)}"


def told(old: Any, new: Any) -> str:
    """A difference in words."""
    if old is GONE:
        return f"added{_shown_scalar(new)}"
    if new is GONE:
        return f"removed{_shown_scalar(old)}"
    return f"{_shown(old)} → {_shown(new)}"


def _shown_scalar(value: Any) -> str:
    return "" if isinstance(value, (dict, list)) else f" {_shown(value)}"


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _SHOWN_LENGTH else text[: _SHOWN_LENGTH - 1] + "…"
