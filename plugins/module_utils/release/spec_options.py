# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of a release, each of which may be left out."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from ansible_collections.roost.cluster.plugins.module_utils.release.model import Notify
from ansible_collections.roost.cluster.plugins.module_utils.release.problems import Checker

_HIDDEN = "an address that is not shown, for it may hold a secret"


def notify_of(checker: Checker, value: object) -> Notify | None:
    block = checker.mapping("notify", value, "a mapping, at least {url}")
    if not isinstance(value, Mapping):
        return None
    checker.keys("notify", block, ("url", "attempts", "timeout_seconds"), ("url",))
    url = block.get("url")
    if "url" in block and not _is_web_address(url):
        checker.add("notify.url", _HIDDEN, "an address that begins with http:// or https://")
        return None
    attempts = checker.integer("notify.attempts", block.get("attempts", 3), 1, 10)
    timeout = checker.integer("notify.timeout_seconds", block.get("timeout_seconds", 5), 1, 60)
    if url is None or attempts is None or timeout is None:
        return None
    return Notify(str(url), attempts, timeout)


def _is_web_address(value: object) -> bool:
    if not isinstance(value, str) or any(letter.isspace() for letter in value):
        return False
    try:
        parts = urlsplit(value)
        _port = parts.port
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)
