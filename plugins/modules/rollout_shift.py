#!/usr/bin/python
# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_shift
short_description: Give the canary of a release another weight
version_added: 0.1.0
description:
  - Moves the weight by hand. A later run with an unedited description keeps it.
  - Refused while a rollout is steered, and where there is no canary.
  - Runs as an action on the controller.
author: the Roost developers (!UNKNOWN)
options:
  weight:
    description: The canary's share of the requests in percent, 0 to 100.
    type: int
    required: true
extends_documentation_fragment:
  - roost.cluster.kubernetes
  - roost.cluster.kubernetes.gateway
  - roost.cluster.rollout
attributes:
  check_mode:
    description: Reports what would be changed as changed, with a diff.
    support: full
  diff_mode:
    description: In check mode, the difference of each object that would change.
    support: full
"""

EXAMPLES = r"""
- name: Let the canary have 37 of 100 requests
  roost.cluster.rollout_shift:
    weight: 37
    release: "{{ release }}"
    kubeconfig: "{{ roost_kubeconfig }}"
    lock: ~/.cache/roost/bundle.lock
"""

RETURN = r"""
stable:
  description: The version that is stable now.
  returned: success
  type: str
canary:
  description: The version that is the canary now, if there is one.
  returned: success
  type: str
weight:
  description: Its weight in percent; 0 without a canary.
  returned: success
  type: int
commit:
  description: What the file has to say so that it agrees with the cluster, line by line.
  returned: success
  type: list
  elements: str
changes:
  description: What changed in the cluster, or would in check mode, in order, and why.
  returned: always
  type: list
  elements: dict
  sample: [{what: VirtualService digits/digits-gateway, why: "v1 90%, v2 10% → v1 75%, v2 25%"}]
"""
