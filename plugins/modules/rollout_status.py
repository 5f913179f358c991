#!/usr/bin/python
# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_status
short_description: Tell how a release is doing now
version_added: 0.1.0
description:
  - Reads the statistics of all proxies twice, and tells what happened in between. The share of the
    requests that each version got, with its interval, beside the one that it should get; attempts,
    failures and latencies of each service; which version called which; how far a rollout is.
  - Changes nothing.
  - Runs as an action on the controller.
author: the Roost developers (!UNKNOWN)
options:
  window:
    description: Seconds between the two readings.
    type: float
    default: 10.0
  watch:
    description: Go on, and show it again after each window, until somebody ends the playbook.
    type: bool
    default: false
extends_documentation_fragment:
  - roost.cluster.kubernetes
  - roost.cluster.kubernetes.gateway
  - roost.cluster.rollout
attributes:
  check_mode:
    description: Changes nothing in any mode.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
"""

EXAMPLES = r"""
- name: Look how the release is doing
  roost.cluster.rollout_status:
    window: 10
    release: "{{ release }}"
    kubeconfig: "{{ roost_kubeconfig }}"
    lock: ~/.cache/roost/bundle.lock
  register: found
"""

RETURN = r"""
lines:
  description: What was found, line by line.
  returned: success
  type: list
  elements: str
"""
