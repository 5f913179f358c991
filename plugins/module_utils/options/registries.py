# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether registries' mirrors and proxies are of the form that containerd and systemd take."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

URL = re.compile(r"https?://[^\s'\"\\/]+(/[^\s'\"\\]*)?")
REGISTRY = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?")
# As text between quotes in a file that systemd reads, in a list with commas.
PLAIN = re.compile(r"[^\s'\"\\,]+")
MIRRORS = "container_runtime_registry_mirrors"


def mirror_problems(registries: Mapping[str, Sequence[str]]) -> list[str]:
    """What is wrong with the mirrors of single registries, by their names."""
    found = []
    for name, urls in registries.items():
        if not REGISTRY.fullmatch(name):
            found.append(f"{MIRRORS}: {name!r}: expected a name as in images, such as docker.io")
        if isinstance(urls, str) or not urls:
            found.append(f"{MIRRORS}: {name}: expected a list of mirrors, found {urls!r}")
        else:
            found += [f"{MIRRORS}: {name}: {told}" for told in url_problems(urls)]
    return found


def url_problems(urls: Sequence[Any]) -> list[str]:
    return [f"expected http://… or https://…, found {url!r}" for url in urls if not _is_url(url)]


def proxy_problems(proxies: Mapping[str, str], around: Sequence[Any]) -> list[str]:
    """What is wrong with proxies, by their options' names, and with what goes around them.

    A proxy's address may hold a password, so it isn't shown.
    """
    return [
        *(
            f"{name}: expected http://HOST:PORT or nothing, found something else"
            for name, url in proxies.items()
            if url and not _is_url(url)
        ),
        *(
            f"no_proxy: expected an address, a network or a domain, found {str(each)!r}"
            for each in around
            if not PLAIN.fullmatch(str(each))
        ),
    ]


def _is_url(value: Any) -> bool:
    return isinstance(value, str) and bool(URL.fullmatch(value))
