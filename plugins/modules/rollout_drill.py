#!/usr/bin/python
# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_drill
short_description: Break the canary of a release on purpose, and measure its rollback
version_added: 0.1.0
description:
  - Begins a rollout of the canary, injects a fault on the inbound side of the canary's entry
    service, sees it rolled back, and measures the time from the injection to the canary's last
    answer, and how many bad answers were given until then.
  - The fault is removed in any case. The canary is gone afterwards, as after any rollback.
  - Needs a canary that gets requests, and traffic.
  - Runs as an action on the controller.
author: the Roost developers (!UNKNOWN)
options:
  fault:
    description: Whether requests are answered with an error, or delayed.
    type: str
    choices: [abort, delay]
    default: abort
  percent:
    description: Of 100 requests to the canary, how many meet the fault.
    type: int
    default: 50
  status:
    description: Status of the errors, 500 to 599.
    type: int
    default: 503
  milliseconds:
    description: Length of the delays.
    type: int
    default: 500
extends_documentation_fragment:
  - roost.cluster.kubernetes
  - roost.cluster.kubernetes.gateway
  - roost.cluster.rollout
attributes:
  check_mode:
    description: Is skipped in check mode.
    support: none
  diff_mode:
    description: Shows no difference.
    support: none
"""

EXAMPLES = r"""
- name: See what happens when the canary fails
  roost.cluster.rollout_drill:
    fault: abort
    percent: 50
    release: "{{ release }}"
    kubeconfig: "{{ roost_kubeconfig }}"
    lock: ~/.cache/roost/bundle.lock
"""

RETURN = r"""
outcome:
  description: How the rollout ended. Anything but V(rolled back) fails.
  returned: when it ended
  type: str
seconds:
  description: From the injection to the last answer of the canary, to half a second.
  returned: when it ended
  type: float
answers:
  description: Answers of the canary in this time, as the gateways counted them.
  returned: when it ended
  type: int
bad:
  description: Failed attempts among them.
  returned: when it ended
  type: int
changes:
  description: What changed in the cluster, or would in check mode, in order, and why.
  returned: always
  type: list
  elements: dict
  sample: [{what: VirtualService digits/digits-gateway, why: "v1 90%, v2 10% → v1 75%, v2 25%"}]
"""
