#!/usr/bin/python
# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
---
module: kubeconfig
short_description: Copies the administrator's kubeconfig to the controller
version_added: 0.1.0
author: the Roost developers (!UNKNOWN)
description:
  - Reads the file on the machine and writes it on the controller, readable by its owner only.
  - Runs as an action.
options:
  src:
    description: The file on the machine.
    type: path
    default: /etc/kubernetes/admin.conf
  dest:
    description: The file on the controller.
    type: path
    required: true
attributes:
  check_mode:
    support: full
    description: Says whether it would be written.
  diff_mode:
    support: none
    description: It is a secret.
"""

EXAMPLES = r"""
- name: Fetch the kubeconfig
  roost.cluster.kubeconfig:
    dest: .kube/config
"""

RETURN = r"""
dest:
  description: The file on the controller.
  type: str
  returned: success
changes:
  description: Why the file was written, without its content.
  type: list
  elements: dict
  returned: success
"""
