#!/usr/bin/python
# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_decision
short_description: Promote the canary of a release, or roll it back
version_added: 0.1.0
description:
  - Takes a person's decision, at any time. A rollout that runs elsewhere loses its lock and stops.
  - A promotion gives the canary the whole weight and makes it the stable version. A rollback takes
    its weight away in one update. Either way the pods of the version that leaves go when their
    requests have ended, and no request fails or meets two versions.
  - Without a canary nothing is decided; what a run that was killed has left of one is removed.
  - The description of the release is not edited; what it has to say from now on is returned.
  - Runs as an action on the controller.
author: the Roost developers (!UNKNOWN)
options:
  decision:
    description: What becomes of the canary.
    type: str
    choices: [promote, roll back]
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
- name: Roll the canary back
  roost.cluster.rollout_decision:
    decision: roll back
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
