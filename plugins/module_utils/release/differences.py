# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.release.names import (
    RECORD_ANNOTATION,
    Block,
)

# Written by the API server at each change, or on its own account.
_VOLATILE = ("managedFields", "resourceVersion", "generation", "creationTimestamp", "uid")
_SHOWN_CHANGES = 3
_SHOWN_LENGTH = 60
_GONE = object()


def cleaned(item: Block) -> Block:
    """An object without what changes by itself."""
    copied = copy.deepcopy(item)
    copied.pop("status", None)
    for key in _VOLATILE:
        copied["metadata"].pop(key, None)
    return copied


def reason(before: Block, after: Block) -> str | None:
    """What differs, in words for a person, or None if nothing does."""
    changes = list(_changes("", cleaned(before), cleaned(after)))
    if not changes:
        return None
    texts = [_text(path, old, new) for path, old, new in changes[:_SHOWN_CHANGES]]
    more = len(changes) - len(texts)
    return "; ".join(texts) + (f"; and {more} more" if more else "")


def _changes(path: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            old, new = before.get(key, _GONE), after.get(key, _GONE)
            yield from _changes(_joined(path, key), old, new)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _changes(f"{path}[{_label(old, new, index)}]", old, new)
    elif before != after:
        yield path, before, after


def _joined(path: str, key: str) -> str:
    # Keys of labels and annotations have dots of their own.
    if "." in key or "/" in key:
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key


def _label(old: Any, new: Any, index: int) -> str:
    """Kubernetes' lists are mostly lists of named things."""
    if isinstance(old, dict) and isinstance(new, dict) and old.get("name") == new.get("name"):
        return str(old.get("name", index))
    return str(index)


def _text(path: str, old: Any, new: Any) -> str:
    if path.endswith(f"[{RECORD_ANNOTATION}]"):
        how = "is new" if old is _GONE else "follows the file"
        return f"the record of the release block {how}"
    if old is _GONE:
        return f"{path}: added {_shown(new)}"
    if new is _GONE:
        return f"{path}: removed {_shown(old)}"
    return f"{path}: {_shown(old)} → {_shown(new)}"


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _SHOWN_LENGTH else text[: _SHOWN_LENGTH - 1] + "…"
