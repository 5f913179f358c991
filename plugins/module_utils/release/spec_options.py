# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of a release, each of which may be left out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.roost.cluster.plugins.module_utils.release.model import (
    Drain,
    Mirror,
    Notify,
    Override,
    RateLimit,
    Tls,
    Verify,
)
from ansible_collections.roost.cluster.plugins.module_utils.release.problems import Checker, join
from ansible_collections.roost.cluster.plugins.module_utils.release.rollout_settings import (
    Settings,
    settings_of,
)

_HOST_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_HOST_NAME = re.compile(rf"\*|(?:\*\.)?{_HOST_LABEL}(?:\.{_HOST_LABEL})*")
# A DNS-1123 subdomain.
_SECRET_NAME = re.compile(rf"(?=.{{1,253}}$){_HOST_LABEL}(?:\.{_HOST_LABEL})*")
_HEADER = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
# Proxies and browsers use these themselves.
_TAKEN_HEADERS = ("cookie", "host", "connection", "content-length", "te", "upgrade")
_HIDDEN = "an address that is not shown, for it may hold a secret"


def verify_of(checker: Checker, value: object) -> Verify:
    keys = ("path", "app_header", "model_header")
    block = checker.mapping("verify", value, "a mapping {path, app_header, model_header}")
    if isinstance(value, Mapping):
        checker.keys("verify", block, keys, ("path",))
    path = checker.text("verify.path", block["path"]) if "path" in block else None
    if path and not path.startswith("/"):
        checker.add("verify.path", path, "a path that begins with /")
    headers = {}
    for key in keys[1:]:
        headers[key] = checker.text(f"verify.{key}", block[key]) if key in block else None
    # One's own path without headers means: read the versions from the proxies' counters.
    return Verify(path or "/", headers["app_header"], headers["model_header"])


def drain_of(checker: Checker, value: object) -> Drain:
    keys = ("pre_stop_seconds", "grace_seconds")
    block = checker.mapping("drain", value, "a mapping {pre_stop_seconds, grace_seconds}")
    checker.keys("drain", block, keys)
    seconds = {
        key: checker.integer(join("drain", key), block[key], 1, 3600)
        for key in keys
        if key in block
    }
    drain = Drain(**{key: number for key, number in seconds.items() if number is not None})
    if drain.grace_seconds <= drain.pre_stop_seconds:
        checker.add(
            "drain.grace_seconds",
            drain.grace_seconds,
            f"more than drain.pre_stop_seconds ({drain.pre_stop_seconds}) and the longest request",
        )
    return drain


def hosts_of(checker: Checker, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        checker.add("hosts", value, "a list of host names, or ['*'] for any")
        return ()
    for index, host in enumerate(value):
        if not isinstance(host, str) or not _HOST_NAME.fullmatch(host):
            checker.add(f"hosts[{index}]", host, "a host name, with at most a leading '*.'")
    return tuple(str(host) for host in value)


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


def override_of(checker: Checker, value: object) -> Override | None:
    block = checker.mapping("override", value, "a mapping {header}; leave the key out for none")
    if not isinstance(value, Mapping):
        return None
    checker.keys("override", block, ("header",), ("header",))
    header = block.get("header")
    if header is None:
        return None
    if not isinstance(header, str) or not _HEADER.fullmatch(header) or header in _TAKEN_HEADERS:
        checker.add(
            "override.header",
            header,
            "the name of a header of its own, in lower-case letters, digits and '-'",
        )
        return None
    return Override(header)


def mirror_of(checker: Checker, value: object) -> Mirror | None:
    block = checker.mapping(
        "mirror", value, "a mapping {version, percent}; leave the key out for no copies"
    )
    if not isinstance(value, Mapping):
        return None
    checker.keys("mirror", block, ("version", "percent"), ("version",))
    version = checker.label("mirror.version", block["version"]) if "version" in block else None
    percent = checker.integer("mirror.percent", block.get("percent", 100), 1, 100)
    return None if version is None or percent is None else Mirror(version, percent)


def rate_limit_of(checker: Checker, value: object) -> RateLimit | None:
    keys = ("requests_per_second", "burst")
    block = checker.mapping(
        "rate_limit", value, "a mapping {requests_per_second, burst}; leave the key out for none"
    )
    if not isinstance(value, Mapping):
        return None
    checker.keys("rate_limit", block, keys, keys[:1])
    if "requests_per_second" not in block:
        return None
    rate = checker.integer(
        "rate_limit.requests_per_second", block["requests_per_second"], 1, 1_000_000
    )
    burst = checker.integer(
        "rate_limit.burst", block.get("burst", rate or 1), rate or 1, 10_000_000
    )
    return None if rate is None or burst is None else RateLimit(rate, burst)


def tls_of(checker: Checker, value: object) -> Tls | None:
    keys = ("self_signed", "secret")
    what = "either {self_signed: true} or {secret: NAME}; leave the key out for no HTTPS"
    block = checker.mapping("tls", value, what)
    if not isinstance(value, Mapping):
        return None
    before = len(checker.problems)
    checker.keys("tls", block, keys)
    if "self_signed" in block and block["self_signed"] is not True:
        checker.add("tls.self_signed", block["self_signed"], what)
    if "secret" in block and not _is_secret_name(block["secret"]):
        expected = "the name of a secret in the gateway's namespace, a DNS-1123 subdomain"
        checker.add("tls.secret", block["secret"], expected)
    if len(checker.problems) == before and len(block) != 1:
        checker.add("tls", value, what)
    return None if len(checker.problems) > before else Tls(block.get("secret"))


def _is_secret_name(value: object) -> bool:
    return isinstance(value, str) and bool(_SECRET_NAME.fullmatch(value))


def _is_web_address(value: object) -> bool:
    if not isinstance(value, str) or any(letter.isspace() for letter in value):
        return False
    try:
        parts = urlsplit(value)
        _port = parts.port
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def rollout_of(checker: Checker, value: object) -> Settings | None:
    return settings_of(checker, "rollout", value)


def sticky_of(checker: Checker, value: object) -> bool | None:
    return checker.boolean("sticky", value)


# By key of the release: reads the value; whatever is wrong with it goes to the checker.
OPTIONS: Mapping[str, Callable[[Checker, object], Any]] = {
    "verify": verify_of,
    "hosts": hosts_of,
    "drain": drain_of,
    "sticky": sticky_of,
    "override": override_of,
    "mirror": mirror_of,
    "rate_limit": rate_limit_of,
    "tls": tls_of,
    "rollout": rollout_of,
    "notify": notify_of,
}
