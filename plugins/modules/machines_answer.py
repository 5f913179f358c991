#!/usr/bin/python
# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
---
module: machines_answer
short_description: Asks whether the machines of the inventory can be reached
version_added: 0.1.0
author: the Roost developers
description:
  - Connects to every machine's SSH port at once, from the controller. Fails if none answers and
    names the command that starts them; machines that don't answer are returned otherwise.
options:
  machines:
    description: The machines.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name in the inventory.
        type: str
        required: true
      address:
        description: Address of its SSH server.
        type: str
        required: true
      port:
        description: Port of its SSH server.
        type: int
        default: 22
  timeout:
    description: How long to wait for each, in seconds.
    type: float
    default: 3
  start_command:
    description: The command that starts the machines, for the message.
    type: str
    default: vagrant up
attributes:
  check_mode:
    support: full
    description: Changes nothing.
  diff_mode:
    support: none
    description: Changes nothing.
"""

EXAMPLES = r"""
- name: Ask the machines
  roost.cluster.machines_answer:
    machines: [{name: control, address: 192.168.56.100}]
"""

RETURN = r"""
silent:
  description: Names of machines that didn't answer.
  type: list
  elements: str
  returned: always
"""

import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible.module_utils.basic import AnsibleModule


def problem(machine: dict[str, Any], timeout: float) -> str:
    """Why a machine can't be reached; empty if it can.

    The greeting counts, not the connection: many a firewall or proxy accepts connections for
    addresses behind which nobody is.
    """
    where = f"{machine['name']} ({machine['address']}:{machine['port']})"
    try:
        with socket.create_connection((machine["address"], machine["port"]), timeout) as server:
            server.settimeout(timeout)
            greeting = server.recv(4)
    except OSError as error:
        return f"{where}: {error}"
    return "" if greeting == b"SSH-" else f"{where}: expected an SSH server, got {greeting!r}"


def main() -> None:
    machine_options = {
        "name": {"type": "str", "required": True},
        "address": {"type": "str", "required": True},
        "port": {"type": "int", "default": 22},
    }
    module = AnsibleModule(
        argument_spec={
            "machines": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": machine_options,
            },
            "timeout": {"type": "float", "default": 3},
            "start_command": {"type": "str", "default": "vagrant up"},
        },
        supports_check_mode=True,
    )
    machines = module.params["machines"]
    with ThreadPoolExecutor(max(1, len(machines))) as pool:
        problems = list(pool.map(lambda item: problem(item, module.params["timeout"]), machines))
    silent = [item["name"] for item, found in zip(machines, problems) if found]
    if len(silent) == len(machines):
        module.fail_json(
            msg="no machine of the cluster answers; start them with `"
            + module.params["start_command"]
            + "`, or look at the addresses in inventory/hosts.yml:\n"
            + "\n".join(problems),
            silent=silent,
        )
    for found in filter(None, problems):
        module.warn(f"doesn't answer and is left out: {found}")
    module.exit_json(changed=False, silent=silent)


if __name__ == "__main__":
    main()
