# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters that make containerd's files: where images come from, and through which proxy."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

FOLDER = "/etc/containerd/certs.d"
DEFAULT = "_default"
URL = re.compile(r"https?://[^\s'\"\\/]+(/[^\s'\"\\]*)?")
REGISTRY = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?")
# As text between quotes in a file that systemd reads.
PLAIN = re.compile(r"[^\s'\"\\]+")
WRITTEN = "# Written by the role container_runtime"


def registry_files(
    mirrors: Sequence[str], registries: Mapping[str, Sequence[str]]
) -> list[dict[str, str]]:
    """containerd's hosts.toml for every image, and for those of each registry named.

    A registry's own mirrors come after those for every image, so that the bundle goes first.
    """
    wrong = [f"mirror {url!r}: expected http://… or https://…" for url in mirrors if _no_url(url)]
    for name, urls in registries.items():
        if not REGISTRY.fullmatch(name):
            wrong.append(f"registry {name!r}: expected a name as in images, such as docker.io")
        if isinstance(urls, str) or not urls:
            wrong.append(f"registry {name}: expected a list of mirrors, found {urls!r}")
        else:
            wrong += [
                f"registry {name}, mirror {url!r}: expected http://… or https://…"
                for url in urls
                if _no_url(url)
            ]
    if not mirrors:
        wrong.append("mirrors: expected at least one, the bundle's registry")
    if wrong:
        raise AnsibleFilterError("container_runtime: " + "; ".join(wrong))
    return [
        _hosts_file(
            DEFAULT, f"{WRITTEN}: every image comes from here, whatever its name.", mirrors
        ),
        *(
            _hosts_file(name, f"{WRITTEN}, as container_runtime_registry_mirrors says.", hosts)
            for name, urls in registries.items()
            for hosts in [[*mirrors, *urls]]
        ),
    ]


def _no_url(value: Any) -> bool:
    return not (isinstance(value, str) and URL.fullmatch(value))


def _hosts_file(registry: str, head: str, hosts: Sequence[str]) -> dict[str, str]:
    lines = [
        head,
        "# Without `server`, containerd would go on to the registry in the image's name.",
        f"server = '{hosts[-1]}'",
    ]
    for host in hosts:
        lines += ["", f"[host.'{host}']", "  capabilities = ['pull', 'resolve']"]
    return {"path": f"{FOLDER}/{registry}/hosts.toml", "content": "\n".join(lines) + "\n"}


def proxy_environment(values: Mapping[str, Any]) -> str:
    """Variables of the environment for systemd, from `http`, `https` and the list `no_proxy`."""
    proxies = {
        "HTTP_PROXY": values["http"],
        "HTTPS_PROXY": values["https"],
    }
    used = {name: url for name, url in proxies.items() if url}
    wrong = [
        f"container_runtime_{name.lower()}: expected http://HOST:PORT, found something else"
        for name, url in used.items()
        if _no_url(url)
    ]
    around = list(dict.fromkeys(map(str, values["no_proxy"])))
    wrong += [
        f"container_runtime_no_proxy: {each!r} is no address, network or domain"
        for each in around
        if not PLAIN.fullmatch(each) or "," in each
    ]
    if wrong:
        raise AnsibleFilterError("; ".join(wrong))
    if used:
        used["NO_PROXY"] = ",".join(around)
    lines = [f"{WRITTEN}: how containerd reaches registries outside."]
    return "\n".join([*lines, *(f'{name}="{value}"' for name, value in used.items())]) + "\n"


class FilterModule:
    """The filters by name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"registry_files": registry_files, "proxy_environment": proxy_environment}
