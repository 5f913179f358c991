#!/usr/bin/python
# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
---
module: control_plane
short_description: Makes a machine a control plane with kubeadm, and keeps it as described
version_added: 0.1.0
author: the Roost developers (!UNKNOWN)
description:
  - Looks at the machine, at etcd's data and at the API, and does what is missing. A run that was
    killed is continued; data of a cluster are never thrown away.
  - On a running cluster compares what kubeadm would make of the documents with what is there, names
    each setting that differs, and applies it. What doesn't run with a new setting gets the old one
    back. A setting that a running cluster can't be given is refused before anything is changed.
  - Runs as an action, which does the comparing on the controller.
options:
  documents:
    description: kubeadm's documents, the InitConfiguration first.
    type: list
    elements: dict
    required: true
  images:
    description: Names and digests of the images that the control plane runs.
    type: dict
    required: true
  labels:
    description: Labels of the node. Those that an earlier run set and that are missing here go.
    type: dict
    default: {}
  taints:
    description: Taints of the node. Those that an earlier run, or kubeadm, set and that are missing
      here go; others stay.
    type: list
    elements: dict
    required: true
    suboptions:
      key:
        description: The key, such as V(example.org/gpu).
        type: str
        required: true
      value:
        description: The value; may be empty.
        type: str
        default: ""
      effect:
        description: What it does to pods that don't tolerate it.
        type: str
        choices: [NoSchedule, PreferNoSchedule, NoExecute]
        required: true
  steps:
    description: What to do on a running cluster; set by the action.
    type: list
    elements: dict
attributes:
  check_mode:
    support: full
    description: Looks and says what it would do.
  diff_mode:
    support: full
    description: Shows what is done, and each setting before and after.
"""

EXAMPLES = r"""
- name: Start the control plane
  roost.cluster.control_plane:
    documents: "{{ documents }}"
    images: "{{ {bundle.etcd.name: bundle.etcd.digest} }}"
    taints:
      - {key: node-role.kubernetes.io/control-plane, effect: NoSchedule}
"""

RETURN = r"""
changes:
  description:
    - What was done (in check mode, what would be), and why. Settings of a running cluster one by
      one, with their values.
  type: list
  elements: dict
  returned: always
  sample:
    - what: KubeletConfiguration maxPods
      why: 110 → 120; kubelet restarts
      before: 110
      after: 120
kubelet_configuration:
  description: What the kubelets of the cluster shall have, as YAML; for M(roost.cluster.worker).
  type: str
  returned: where there is a running cluster
seen:
  description: What was found, for the action.
  type: dict
  returned: never
unknown:
  description: What could not be compared, and why.
  type: list
  elements: str
  returned: in check mode, where the API doesn't answer
"""

import contextlib
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm import (
    observed,
    steps,
    unproved,
)
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.arguments import MARKS
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.commands import (
    KubeadmError,
    exclusive,
)
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.control_plane import (
    Plan,
    act,
    decide,
    look,
    look_again,
)
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.surroundings import (
    own_address,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.core import StateError

# What these make is as described.
FRESH = ("init", "reset")
# Where these are to be done, the API says already what there is.
COMPARED = ("nothing", "start")


def start(params: dict[str, Any], check_mode: bool, node: str) -> dict[str, Any]:
    """Have a control plane, and say what a running one is like."""
    changes = unproved.take_back(check_mode)
    state = look()
    plan = decide(state, node)
    changes += told(plan)
    result: dict[str, Any] = {"changed": bool(changes), "changes": changes}
    if check_mode and plan.action not in COMPARED:
        return result
    if plan.action != "nothing" and not check_mode:
        for address in addresses(params["documents"][0]):
            own_address(address)
        act(plan, params["documents"], params["images"])
        if plan.action in FRESH:
            return result
        state = look_again(node)
    return {**result, "seen": observed.control_plane(params["documents"], state.objects, node)}


def addresses(document: dict[str, Any]) -> set[str]:
    """Those on which the API server and kubelet are to be reached."""
    arguments = document["nodeRegistration"].get("kubeletExtraArgs") or []
    given = {one["value"] for one in arguments if one["name"] == "node-ip"}
    return {document["localAPIEndpoint"]["advertiseAddress"], *given}


def told(plan: Plan) -> list[dict[str, str]]:
    if plan.action == "nothing":
        return []
    return [{"what": f"control plane: {plan.action}", "why": plan.why}]


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "documents": {"type": "list", "elements": "dict", "required": True},
            "images": {"type": "dict", "required": True},
            **MARKS,
            "steps": {"type": "list", "elements": "dict"},
        },
        supports_check_mode=True,
    )
    params = module.params
    node = params["documents"][0]["nodeRegistration"]["name"]
    done: list[dict[str, str]] = []
    try:
        # A check run only looks, and leaves no file behind.
        with contextlib.nullcontext() if module.check_mode else exclusive():
            if params["steps"] is None:
                module.exit_json(**start(params, module.check_mode, node))
            for step in params["steps"]:
                steps.act(step, params["documents"], params["images"], node)
                done.append({"what": f"control plane: {step['name']}", "why": "before it failed"})
    except (KubeadmError, StateError) as error:
        module.fail_json(msg=str(error), changed=bool(done), changes=done)
    module.exit_json(changed=True, changes=[])


if __name__ == "__main__":
    main()
