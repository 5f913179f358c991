#!/usr/bin/python
# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: verify_pull
short_description: Prove that a node asks no registry but the bundle's
version_added: 0.1.0
description:
  - Puts a rule in front of the node's OUTPUT chain that drops and counts what goes to 192.0.2.1 (an
    address reserved for documentation), pulls an image of a registry at that address which the
    bundle lacks, and checks that the pull fails as not found while the counter stays at 0.
  - Then connects to the address once and checks that the counter moves, so that the check itself is
    known to work. The rule is removed in any case; one that an earlier, killed run left is removed
    first.
  - Pulls in two ways, because each has its own settings. Once through the runtime's interface for
    the kubelet (CRI), which is what pods get, and once with ctr, which people use and
    which needs O(hosts_dir).
  - A promise that fails does not fail this module; it is returned, so that all can be shown.
options:
  ctr:
    description: Path of containerd's command line tool.
    type: path
    default: /usr/local/bin/ctr
  hosts_dir:
    description: Folder with containerd's registry configuration.
    type: path
    default: /etc/containerd/certs.d
  socket:
    description: The container runtime's socket.
    type: path
    default: /run/containerd/containerd.sock
  timeout:
    description: Seconds after which a pull is given up.
    type: float
    default: 15
notes:
  - Must run as root on the node. Needs nothing but Python there.
attributes:
  check_mode:
    description: Does nothing in check mode, and is then reported as skipped.
    support: full
  diff_mode:
    description: Leaves nothing changed.
    support: none
author: the Roost developers (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Pull an image that the bundle lacks
  roost.cluster.verify_pull:
  become: true
  register: pull
"""

RETURN = r"""
promises:
  description: What was promised, each with name, ok, expected, found, advice and applies.
  returned: always
  type: list
  elements: dict
failures:
  description: One line for each promise that failed.
  returned: always
  type: list
  elements: str
answers:
  description: How each way to pull ended, with keys cri and ctr.
  returned: always
  type: dict
left_over:
  description: How many rules of killed runs were removed.
  returned: always
  type: int
"""

import fcntl
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.roost.cluster.plugins.module_utils.verify import cri
from ansible_collections.roost.cluster.plugins.module_utils.verify.iptables import (
    IptablesError,
    counting,
)
from ansible_collections.roost.cluster.plugins.module_utils.verify.promise import (
    failures,
)
from ansible_collections.roost.cluster.plugins.module_utils.verify.pull import (
    ADDRESS,
    IMAGE,
    connect_once,
    gather,
    judge,
)

LOCK = "/run/roost-verify-pull.lock"

ARGUMENTS: dict[str, Any] = {
    "ctr": {"type": "path", "default": "/usr/local/bin/ctr"},
    "hosts_dir": {"type": "path", "default": "/etc/containerd/certs.d"},
    "socket": {"type": "path", "default": "/run/containerd/containerd.sock"},
    "timeout": {"type": "float", "default": 15},
}


class Ended(Exception):
    """A signal asked this process to end."""


def end(number: int, _frame: object) -> None:
    raise Ended(f"ended by {signal.Signals(number).name}; the packet filter's rule is removed")


def run(command: list[str], timeout: float = 30) -> tuple[int, str]:
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return 124, f"{command[0]} did not end within {timeout:g} s"
    except OSError as error:
        return 127, str(error)
    return done.returncode, done.stdout.decode("utf-8", "replace")


def pull_by_cri(params: Mapping[str, Any]) -> str:
    try:
        answer = cri.pull(params["socket"], IMAGE, params["timeout"])
    except cri.CriError as error:
        return str(error)
    return "" if answer.status == 0 else answer.message or f"gRPC status {answer.status}"


def pull_by_ctr(params: Mapping[str, Any]) -> str:
    # ctr reads no configuration of the daemon's for registries, only the folder it is given.
    command = [params["ctr"], "--address", params["socket"], "--namespace", "k8s.io"]
    command += ["images", "pull", "--hosts-dir", params["hosts_dir"], IMAGE]
    code, output = run(command, params["timeout"])
    # The last line is the verdict; what stands before it is the log of the attempts.
    lines = output.strip().splitlines() or [f"exit code {code}"]
    return "" if code == 0 else lines[-1]


def check(params: Mapping[str, Any], iptables: str) -> dict[str, Any]:
    pulls = {"cri": lambda: pull_by_cri(params), "ctr": lambda: pull_by_ctr(params)}
    with counting(run, iptables, ADDRESS) as (rule, left_over):
        evidence = gather(rule, pulls, connect_once)
    promises = judge(evidence)
    return {
        "promises": promises,
        "failures": failures(promises),
        "answers": dict(evidence.answers),
        "left_over": left_over,
    }


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    if module.check_mode:
        module.exit_json(changed=False, skipped=True, msg="check mode: nothing is pulled")
    # A closed connection must not leave the rule: turn the signals into an ordinary end.
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, end)
    with Path(LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            module.fail_json(msg=f"another verify_pull holds {LOCK} on this node: wait for its end")
        try:
            result = check(module.params, module.get_bin_path("iptables", required=True))
        except (IptablesError, Ended) as error:
            module.fail_json(msg=str(error))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
