#!/usr/bin/python
# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
---
module: variables_known
short_description: Refuses variables that look like options and are none
version_added: 0.1.0
author: the Roost developers (!UNKNOWN)
description:
  - Looks at the variables of all hosts, wherever they are set, in inventory, group variables, host
    variables or on the command line.
  - Fails if the name of one looks like that of an option of a role or of the cluster and isn't one,
    or if an option's value isn't of its type or none of its choices. All are told at once, each
    unknown name with the nearest one that is known.
  - Warns of names that begin with a role's and look like none of its options. Any other variable is
    somebody's own and left alone.
  - What is known is read from the argument specs of the collection.
  - Runs as an action, on the controller alone.
options:
  ignore:
    description: Names to let through.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: full
    description: Changes nothing.
  diff_mode:
    support: none
    description: Changes nothing.
"""

EXAMPLES = r"""
- name: Refuse variables that nobody knows
  roost.cluster.variables_known:
    ignore: [node_id]
"""

RETURN = r"""
msg:
  description: What is wrong, one line for each variable.
  type: str
  returned: failure
"""
