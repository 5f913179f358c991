# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: settings
short_description: Puts the recorded settings of a cluster over the inventory
version_added: 0.1.0
description:
  - Runs after C(hosts.yml), whose groups C(control_plane) and C(workers) it finds filled.
  - Where C(.roost/CLUSTER/settings.yml) exists, as C(make up) writes it, each host of the two
    groups gets its address in the cluster's network (the last part of what C(hosts.yml) says), its
    SSH user, key and file of known host keys. Workers are added or removed to match the settings.
    All of them become members of C(provider_docker) or C(provider_vm).
  - Without that file the hosts stay as they are written, which is what machines of one's own need.
  - CLUSTER is the environment's E(ROOST_CLUSTER), or C(roost). A cluster that is asked for by
    E(ROOST_CLUSTER) and has no settings is an error, so that nothing is done to another one.
author: the Roost developers (!UNKNOWN)
options:
  plugin:
    description: The name of this plugin.
    type: str
    required: true
    choices: [roost.cluster.settings]
  root:
    description: The folder that has C(.roost), C(.vagrant) and C(.kube), seen from the file's.
    type: str
    default: ..
  cluster:
    description: The cluster's name.
    type: str
    default: roost
    env:
      - name: ROOST_CLUSTER
notes:
  - "It sets these variables for the group C(all), and so for C(localhost) too: C(roost_cluster),
    C(roost_provider) (C(docker), C(virtualbox), C(libvirt) or C(none)), C(roost_kubeconfig); with
    settings also C(roost_subnet), C(roost_http_port), C(roost_https_port) and C(roost_app_url)."
"""

EXAMPLES = r"""
# inventory/settings.roost.yml, beside inventory/hosts.yml
plugin: roost.cluster.settings
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin
from ansible.template import trust_as_template

CONTROL_GROUP = "control_plane"
WORKER_GROUP = "workers"
DEFAULT_CLUSTER = "roost"
SSH_OPTIONS = (
    "-o IdentitiesOnly=yes -o StrictHostKeyChecking=accept-new "
    "-o UserKnownHostsFile={known_hosts} -o GlobalKnownHostsFile=/dev/null -o HashKnownHosts=no"
)


@dataclass
class Plan:
    """What is to be done to the inventory."""

    all_vars: dict[str, Any]
    removed: list[str] = field(default_factory=list)
    # group → its hosts, and the variables of each host
    groups: dict[str, list[str]] = field(default_factory=dict)
    host_vars: dict[str, dict[str, Any]] = field(default_factory=dict)


def plan(
    root: Path,
    cluster: str,
    settings: Mapping[str, Any] | None,
    control: Mapping[str, str],
    workers: Mapping[str, str],
) -> Plan:
    """From settings (None: machines of one's own) and listed hosts (name → address) to a plan."""
    own = root / ".roost" / cluster
    is_default = cluster == DEFAULT_CLUSTER
    kubeconfig = root / ".kube" / "config" if is_default else own / "kubeconfig"
    vagrant = root / ".vagrant" if is_default else own / "vagrant"
    result = Plan({"roost_cluster": cluster, "roost_kubeconfig": str(kubeconfig)})
    if settings is None:
        result.all_vars["roost_provider"] = "none"
        return result

    provider = settings["provider"]
    for key in ("provider", "subnet", "http_port", "https_port"):
        result.all_vars[f"roost_{key}"] = settings[key]
    result.all_vars["roost_app_url"] = f"http://127.0.0.1:{settings['http_port']}"

    kept, result.removed = _match_workers(workers, settings["workers"])
    addresses = {
        host: _in_subnet(settings["subnet"], octet)
        for host, octet in {**_octets(control), **kept}.items()
    }
    for host, address in addresses.items():
        result.host_vars[host] = {
            "ansible_host": address,
            "node_ip": address,
            "ansible_port": 22,
            "ansible_user": "vagrant",
            "ansible_ssh_private_key_file": str(
                vagrant / "machines" / host / provider / "private_key"
            ),
            "ansible_ssh_common_args": SSH_OPTIONS.format(known_hosts=own / "known_hosts"),
        }
    result.groups = {
        WORKER_GROUP: list(kept),
        "provider_docker" if provider == "docker" else "provider_vm": list(addresses),
    }
    return result


def _octets(hosts: Mapping[str, str]) -> dict[str, int]:
    """The last part of each host's address."""
    try:
        return {host: int(address.rpartition(".")[2]) for host, address in hosts.items()}
    except ValueError as error:
        raise AnsibleParserError(
            f"hosts.yml: {error}; expected an IPv4 address as ansible_host of each machine, "
            "because the cluster's settings keep its last part"
        ) from error


def _match_workers(listed: Mapping[str, str], number: int) -> tuple[dict[str, int], list[str]]:
    """The workers with their octets, and the names that are not among them.

    Those beyond the listed ones are numbered on: worker-N has the first one's octet + N - 1.
    """
    octets = _octets(listed)
    first = next(iter(octets.values()), 101)
    names = list(octets)[:number]
    kept = {name: octets[name] for name in names}
    for index in range(len(names), number):
        kept[f"worker-{index + 1}"] = first + index
    return kept, [name for name in octets if name not in kept]


def _in_subnet(subnet: str, octet: int) -> str:
    return f"{subnet.rpartition('.')[0]}.{octet}"


class InventoryModule(BaseInventoryPlugin):
    NAME = "roost.cluster.settings"

    def verify_file(self, path: str) -> bool:
        return super().verify_file(path) and path.endswith((".roost.yml", ".roost.yaml"))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        root = Path(os.path.normpath(Path(path).resolve().parent / self.get_option("root")))
        cluster = self.get_option("cluster") or DEFAULT_CLUSTER
        settings = self._settings(root, cluster)
        self._apply(
            plan(
                root,
                cluster,
                settings,
                self._addresses(CONTROL_GROUP),
                self._addresses(WORKER_GROUP),
            )
        )

    def _settings(self, root: Path, cluster: str) -> dict[str, Any] | None:
        path = root / ".roost" / cluster / "settings.yml"
        try:
            settings = yaml.safe_load(path.read_text(encoding="utf-8"))
            missing = {"provider", "subnet", "http_port", "https_port", "workers"} - set(settings)
        except FileNotFoundError:
            if cluster == DEFAULT_CLUSTER:
                return None
            self._drop_hosts()
            raise AnsibleParserError(
                f"ROOST_CLUSTER: the cluster {cluster} has no settings ({path}); make it with "
                f"`ROOST_CLUSTER={cluster} make up`, or unset ROOST_CLUSTER"
            ) from None
        except (TypeError, yaml.YAMLError) as error:
            self._drop_hosts()
            raise AnsibleParserError(f"{path}: not readable as settings: {error}") from error
        if missing:
            self._drop_hosts()
            raise AnsibleParserError(f"{path}: {', '.join(sorted(missing))} missing")
        return dict(settings)

    def _drop_hosts(self) -> None:
        """An error here may be only a warning to Ansible; no host of another cluster is left."""
        for host in list(self.inventory.hosts.values()):
            self.inventory.remove_host(host)

    def _addresses(self, group: str) -> dict[str, str]:
        if group not in self.inventory.groups:
            return {}
        return {
            host.name: str(host.vars.get("ansible_host", host.name))
            for host in self.inventory.groups[group].hosts
        }

    def _apply(self, planned: Plan) -> None:
        for name, value in planned.all_vars.items():
            self._set("all", name, value)
        for name in planned.removed:
            self.inventory.remove_host(self.inventory.hosts[name])
        for group, hosts in planned.groups.items():
            self.inventory.add_group(group)
            for host in hosts:
                self.inventory.add_host(host, group)
        for host, variables in planned.host_vars.items():
            for name, value in variables.items():
                self._set(host, name, value)

    def _set(self, entity: str, name: str, value: Any) -> None:
        # Without this `ansible-inventory` prints each string as {"__ansible_unsafe": …}, which
        # testinfra and others that read its output don't understand.
        trusted = trust_as_template(value) if isinstance(value, str) else value
        self.inventory.set_variable(entity, name, trusted)
