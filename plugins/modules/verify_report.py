#!/usr/bin/python
# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: verify_report
short_description: Put the promises of several checks into one table
version_added: 0.1.0
description:
  - Takes the registered results of M(roost.cluster.verify_pull), M(roost.cluster.verify_cluster),
    M(roost.cluster.verify_split) and M(roost.cluster.verify_https), and gives one table and the
    list of the promises that failed.
  - A check that crashed, or never ran, counts as a failed promise.
options:
  nodes:
    description: Results of the check that ran on each node, by the node's name.
    type: dict
    default: {}
  checks:
    description: Results of the checks that ran once, by a title for each.
    type: dict
    default: {}
attributes:
  check_mode:
    description: Only computes, in check mode and out of it.
    support: full
  diff_mode:
    description: Changes nothing.
    support: none
author: the Roost developers (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Put the results together
  roost.cluster.verify_report:
    checks:
      cluster: "{{ cluster }}"
      split: "{{ split }}"
  delegate_to: localhost
  register: report
"""

RETURN = r"""
lines:
  description: The table, one promise a line, and below it what was measured.
  returned: always
  type: list
  elements: str
failures:
  description: One line for each promise that failed, with what was expected, found, and what to do.
  returned: always
  type: list
  elements: str
promises:
  description: All promises; those of several nodes that hold are merged.
  returned: always
  type: list
  elements: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.roost.cluster.plugins.module_utils.verify.report import (
    report,
)

ARGUMENTS: dict[str, Any] = {
    "nodes": {"type": "dict", "default": {}},
    "checks": {"type": "dict", "default": {}},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    found = report(module.params["nodes"], module.params["checks"])
    module.exit_json(
        changed=False, lines=found.lines, failures=found.failures, promises=found.promises
    )


if __name__ == "__main__":
    main()
