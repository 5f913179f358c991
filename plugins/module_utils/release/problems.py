# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

MISSING: Final = object()
_DNS_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_SHOWN_LENGTH = 80


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a release: where, what stands there, what should, and why."""

    key: str
    value: Any
    expected: str
    hint: str = ""

    def __str__(self) -> str:
        found = "missing" if self.value is MISSING else f"got {shown(self.value)}"
        hint = f" ({self.hint})" if self.hint else ""
        place = f"release.{self.key}" if self.key else "release"
        return f"{place}: {found}; expected {self.expected}{hint}"

    def as_dict(self) -> dict[str, Any]:
        value = None if self.value is MISSING else self.value
        return {
            "key": self.key,
            "value": value,
            "expected": self.expected,
            "hint": self.hint,
            "message": str(self),
        }


def shown(value: object) -> str:
    """A value as YAML would read it, with its type where that is the mistake."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"the boolean {str(value).lower()}"
    text = f"the text {value!r}" if isinstance(value, str) else repr(value)
    return text if len(text) <= _SHOWN_LENGTH else text[: _SHOWN_LENGTH - 1] + "…"


def join(path: str, key: object) -> str:
    return f"{path}.{key}" if path else str(key)


@dataclass
class Checker:
    """Reads values out of a block and collects every problem on the way."""

    problems: list[Problem] = field(default_factory=list)

    def add(self, key: str, value: object, expected: str, hint: str = "") -> None:
        self.problems.append(Problem(key, value, expected, hint))

    def mapping(self, path: str, value: object, what: str) -> dict[str, Any]:
        """The value if it is a mapping with text keys, else an empty one and a problem."""
        if not isinstance(value, Mapping):
            self.add(path, value, what)
            return {}
        for key in value:
            if not isinstance(key, str):
                self.add(join(path, key), key, "a key that is text", "put it in quotes")
        return {key: item for key, item in value.items() if isinstance(key, str)}

    def keys(
        self,
        path: str,
        value: Mapping[str, Any],
        known: Iterable[str],
        required: Iterable[str] = (),
    ) -> None:
        """Every key is known, every required one is there."""
        known = list(known)
        for key in value:
            if key not in known:
                self.unknown(path, key, value[key], known)
        for key in required:
            if key not in value:
                self.add(join(path, key), MISSING, f"the key {key}")

    def unknown(self, path: str, key: str, value: object, known: list[str]) -> None:
        if re.sub(r"[^a-z]", "", key.lower()) == "consistenthash":
            self.add(
                join(path, key),
                value,
                "no consistentHash",
                "it can't make a canary sticky: Envoy draws the version at random first and "
                "hashes afterwards, inside the version it drew; remove it",
            )
            return
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
        hint = f"did you mean {near[0]}?" if near else ""
        self.add(join(path, key), value, f"one of the keys {', '.join(sorted(known))}", hint)

    def text(self, path: str, value: object, what: str = "text") -> str | None:
        if isinstance(value, str) and value:
            return value
        self.add(path, value, what, "put it in quotes" if _is_number(value) else "")
        return None

    def label(self, path: str, value: object) -> str | None:
        """A DNS-1123 label: what Kubernetes takes as a name and as a label's value."""
        if isinstance(value, str) and _DNS_LABEL.fullmatch(value):
            return value
        self.add(
            path,
            value,
            "a DNS-1123 label: 1 to 63 lower-case letters, digits and '-', "
            "first and last a letter or digit",
            "put it in quotes" if _is_number(value) else "",
        )
        return None

    def integer(self, path: str, value: object, low: int, high: int | None = None) -> int | None:
        # A bool is an int in Python, and `weight: yes` would pass for 1.
        if isinstance(value, int) and not isinstance(value, bool):
            if low <= value and (high is None or value <= high):
                return int(value)
        elif isinstance(value, str) and value.lstrip("-").isdigit():
            self.add(path, value, _integer(low, high), "write it without quotes")
            return None
        self.add(path, value, _integer(low, high))
        return None

    def boolean(self, path: str, value: object) -> bool | None:
        if isinstance(value, bool):
            return value
        self.add(path, value, "true or false")
        return None


def _integer(low: int, high: int | None) -> str:
    return f"an integer of at least {low}" if high is None else f"an integer from {low} to {high}"


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
