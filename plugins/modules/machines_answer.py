#!/usr/bin/python
# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
---
module: machines_answer
short_description: Asks whether the machines of the inventory can be reached
version_added: 0.1.0
author: the Roost developers (!UNKNOWN)
description:
  - Connects to every machine's SSH port at once, from the controller. Fails if none answers, or one
    without which nothing can go on, and names the command that starts them. Other machines that
    don't answer are warned of and returned.
  - SSH's own settings say where a machine is. One that they reach by way of another isn't asked;
    the first task on it is the first to see whether it answers.
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
        description: Port of its SSH server (default as SSH's settings say).
        type: int
      ssh_args:
        description: What else SSH is given for it on the command line.
        type: str
        default: ""
  required:
    description: Names of the machines without which nothing can go on.
    type: list
    elements: str
    default: []
  timeout:
    description: How long to wait for each, in seconds.
    type: float
    default: 3
  start_command:
    description: The command that starts machines of our own making, for the message.
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
    machines:
      - {name: control, address: 192.168.56.100}
      - {name: worker-1, address: 192.168.56.101}
    required: [control]
"""

RETURN = r"""
silent:
  description: Names of machines that didn't answer.
  type: list
  elements: str
  returned: always
"""

import shlex
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible.module_utils.basic import AnsibleModule


def place(machine: dict[str, Any]) -> tuple[str, int] | None:
    """Address and port of a machine as SSH's settings have them; None if another one is between."""
    command = ["ssh", "-G", *shlex.split(machine["ssh_args"])]
    command += [f"-p{machine['port']}"] if machine["port"] else []
    try:
        asked = subprocess.run(
            [*command, machine["address"]], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return machine["address"], machine["port"] or 22
    told = dict(line.split(" ", 1) for line in asked.stdout.splitlines() if " " in line)
    if {told.get("proxyjump", "none"), told.get("proxycommand", "none")} != {"none"}:
        return None
    return told["hostname"], int(told["port"])


def problem(machine: dict[str, Any], timeout: float) -> str:
    """Why a machine can't be reached; empty if it can.

    The greeting counts, not the connection: many a firewall or proxy accepts connections for
    addresses behind which nobody is.
    """
    if not (at := place(machine)):
        return ""
    where = f"{machine['name']} ({at[0]}:{at[1]})"
    try:
        with socket.create_connection(at, timeout) as server:
            server.settimeout(timeout)
            greeting = server.recv(4)
    except OSError as error:
        return f"{where}: {error}"
    return "" if greeting == b"SSH-" else f"{where}: expected an SSH server, got {greeting!r}"


def verdict(problems: dict[str, str], required: list[str], start_command: str) -> str:
    """Why nothing can be done without the machines that don't answer; empty if something can.

    `problems` has every machine, and why it can't be reached.
    """
    silent = [name for name, found in problems.items() if found]
    if silent and len(silent) == len(problems):
        lacking = "no machine of the cluster answers"
    elif missing := [name for name in required if name in silent]:
        lacking = f"without {', '.join(missing)} nothing can go on, so nothing was changed"
    else:
        return ""
    told = "".join(f"\n{problems[name]}" for name in silent)
    return (
        f"{lacking}; start the machines (`{start_command}` does it where they are ours), or look "
        f"at their addresses in the inventory:{told}"
    )


def main() -> None:
    machine_options = {
        "name": {"type": "str", "required": True},
        "address": {"type": "str", "required": True},
        "port": {"type": "int"},
        "ssh_args": {"type": "str", "default": ""},
    }
    module = AnsibleModule(
        argument_spec={
            "machines": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": machine_options,
            },
            "required": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "float", "default": 3},
            "start_command": {"type": "str", "default": "vagrant up"},
        },
        supports_check_mode=True,
    )
    given = module.params
    names = [item["name"] for item in given["machines"]]
    with ThreadPoolExecutor(max(1, len(names))) as pool:
        found = pool.map(lambda item: problem(item, given["timeout"]), given["machines"])
        problems = dict(zip(names, found))
    silent = [name for name in names if problems[name]]
    why = verdict(problems, given["required"], given["start_command"])
    if why:
        module.fail_json(msg=why, silent=silent)
    for name in silent:
        module.warn(f"doesn't answer and is left out, the others go on: {problems[name]}")
    module.exit_json(changed=False, silent=silent)


if __name__ == "__main__":
    main()
