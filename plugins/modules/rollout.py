#!/usr/bin/python
# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: rollout
short_description: Roll a version of a release out, deciding at each step from live traffic
version_added: 0.1.0
description:
  - Brings the pods of both services up beside the stable version without any weight, then raises
    the weight step by step. At each step it compares the canary with the stable version over the
    same minutes, failures and latencies of both services, by tests that stay valid however often
    one looks.
  - Ends with the version promoted to be the stable one; or rolled back; or waiting for a person,
    where nothing was decided within the longest wait. The last two count as failed.
  - While it runs, a Lease beside the release keeps others from steering it, and a ConfigMap has its
    state. After it was killed the weight stays as it was, and the next call goes on from there, on
    any machine.
  - The proxies' own statistics are the only source. Without traffic nothing is decided.
  - The release is otherwise taken as it is live. Of the description, the versions, the settings of
    rollouts and whom to notify are used.
  - Runs as an action on the controller.
author: the Roost developers (!UNKNOWN)
options:
  version:
    description:
      - The version to roll out. If it is the canary already, it goes on from its present weight.
        While another version is the canary, it is refused.
    type: str
    required: true
  app_image:
    description: Image of the entry service, for a version that the release doesn't list.
    type: str
  model_image:
    description: Image of the service behind it, for a version that the release doesn't list.
    type: str
extends_documentation_fragment:
  - roost.cluster.kubernetes
  - roost.cluster.kubernetes.gateway
  - roost.cluster.rollout
attributes:
  check_mode:
    description: Tells what would be done, and how long it would take at the measured rate.
    support: full
  diff_mode:
    description: In check mode, the objects that would be made or changed before the first step.
    support: full
"""

EXAMPLES = r"""
- name: Roll out v3
  roost.cluster.rollout:
    version: v3
    app_image: registry.example/team/app:v3
    model_image: registry.example/team/model-service:v3
    release: "{{ release }}"
    kubeconfig: "{{ roost_kubeconfig }}"
    lock: ~/.cache/roost/bundle.lock
    reports: reports
"""

RETURN = r"""
id:
  description: The rollout's name, eight letters and digits.
  returned: when it began
  type: str
outcome:
  description: V(promoted), V(rolled back), V(waiting) or V(stopped).
  returned: when it began
  type: str
reason:
  description: Why it ended so, in one sentence.
  returned: when it began
  type: str
weight:
  description: The last weight that the canary had, in percent.
  returned: when it began
  type: int
stable:
  description: Version and images of the stable pair as it was at the beginning.
  returned: when it began
  type: dict
plan:
  description: In check mode, what would be done and how long it would take, line by line.
  returned: in check mode
  type: list
  elements: str
canary:
  description: Version and images of the pair that was rolled out.
  returned: when it began
  type: dict
commit:
  description: What the file has to say so that it agrees with the cluster, line by line.
  returned: when one of the two versions has the whole weight
  type: list
  elements: str
changes:
  description: What changed in the cluster, or would in check mode, in order, and why.
  returned: always
  type: list
  elements: dict
  sample: [{what: VirtualService digits/digits-gateway, why: "v1 90%, v2 10% → v1 75%, v2 25%"}]
"""
