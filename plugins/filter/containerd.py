# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters that make containerd's files: where images come from, and through which proxy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.roost.cluster.plugins.module_utils.options.registries import (
    mirror_problems,
    proxy_problems,
    url_problems,
)

FOLDER = "/etc/containerd/certs.d"
DEFAULT = "_default"
WRITTEN = "# Written by the role container_runtime"


def registry_files(
    mirrors: Sequence[str], registries: Mapping[str, Sequence[str]]
) -> list[dict[str, str]]:
    """containerd's hosts.toml for every image, and for those of each registry named.

    A registry's own mirrors come after those for every image, so that the bundle goes first.
    """
    wrong = [f"container_runtime_mirrors: {told}" for told in url_problems(mirrors)]
    if not mirrors:
        wrong.append("container_runtime_mirrors: expected at least one, the bundle's registry")
    _refuse([*wrong, *mirror_problems(registries)])
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


def _refuse(problems: list[str]) -> None:
    if problems:
        raise AnsibleFilterError("\n".join(problems))


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
    around = list(dict.fromkeys(map(str, values["no_proxy"])))
    proxies = {f"{scheme}_proxy": values[scheme] for scheme in ("http", "https")}
    _refuse(proxy_problems(proxies, around))
    used = {name.upper(): url for name, url in proxies.items() if url}
    if used:
        used["NO_PROXY"] = ",".join(around)
    lines = [f"{WRITTEN}: how containerd reaches registries outside."]
    return "\n".join([*lines, *(f'{name}="{value}"' for name, value in used.items())]) + "\n"


class FilterModule:
    """The filters by name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"registry_files": registry_files, "proxy_environment": proxy_environment}
