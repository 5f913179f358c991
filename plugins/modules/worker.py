#!/usr/bin/python
# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
---
module: worker
short_description: Makes a machine a worker of the cluster with kubeadm, and keeps it as described
version_added: 0.1.0
author: the Roost developers (!UNKNOWN)
description:
  - Looks at the machine and at what the API says of its node, and joins it if need be. A machine
    of another cluster, or with a control plane, is refused and left as it is.
  - Runs as an action, which makes a bootstrap token for this one join through the API and revokes
    it when the join has ended. The token travels on standard input only.
  - Of a machine that has joined, compares kubelet's file with what the cluster has for all
    kubelets, and labels and taints with the described ones. A kubelet that doesn't run with a new
    configuration gets the old one back.
options:
  document:
    description: kubeadm's JoinConfiguration, without a token.
    type: dict
    required: true
  labels:
    description: Labels of the node. Those that an earlier run set and that are missing here go.
    type: dict
    default: {}
  taints:
    description: Taints of the node. Those that an earlier run set and that are missing here go;
      others stay.
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
  kubelet_configuration:
    description:
      - What the kubelets of the cluster shall have, as M(roost.cluster.control_plane) returns it.
      - Without it, what the cluster has. A check run needs it, for it changes nothing there.
    type: str
    default: ""
  reconfigure:
    description: Give kubelet the cluster's configuration; set by the action.
    type: bool
    default: false
  token:
    description: The bootstrap token; set by the action.
    type: str
  ca_hash:
    description: The cluster's CA, as kubeadm wants it; set by the action.
    type: str
extends_documentation_fragment: [roost.cluster.kubernetes]
attributes:
  check_mode:
    support: full
    description: Looks and says what it would do. Where the API doesn't answer, says that nothing is
      known.
  diff_mode:
    support: full
    description: Shows the reason for what it does.
"""

EXAMPLES = r"""
- name: Join
  roost.cluster.worker:
    document: "{{ document }}"
    kubeconfig: .kube/config
    labels: {disk: fast}
    taints: []
"""

RETURN = r"""
needs_join:
  description: Whether the machine has to join, for the action.
  type: bool
  returned: always
changes:
  description: What was done (in check mode, what would be), and why.
  type: list
  elements: dict
  returned: always
  sample: [{what: label disk, why: "slow → fast, as described", before: slow, after: fast}]
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
from ansible_collections.roost.cluster.plugins.module_utils.api.arguments import (
    KUBECONFIG,
)
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm import unproved
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.arguments import MARKS
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.commands import (
    KubeadmError,
    exclusive,
)
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.surroundings import (
    api_answers,
    own_address,
)
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.worker import (
    Silent,
    act,
    decide,
    look,
    observe,
    reconfigure,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.core import StateError


def node_ip(document: dict[str, Any]) -> str:
    """The address with which kubelet is to register the node."""
    given = {one["name"]: one["value"] for one in document["nodeRegistration"]["kubeletExtraArgs"]}
    return str(given["node-ip"])


def start(params: dict[str, Any], check_mode: bool, node: str) -> dict[str, Any]:
    """Have a node, unless it has to join and there is no token yet, and say what it is like."""
    changes = unproved.take_back(check_mode)
    endpoint = params["document"]["discovery"]["bootstrapToken"]["apiServerEndpoint"]
    address = node_ip(params["document"])
    state = look(node, endpoint)
    plan = decide(state, endpoint, address)
    needs_join = plan.action in ("join", "reset")
    changed = plan.action != "nothing"
    if changed:
        changes.append({"what": f"worker: {plan.action}", "why": plan.why})
    result: dict[str, Any] = {
        "changed": bool(changes),
        "needs_join": needs_join,
        "changes": changes,
    }
    if needs_join and not params["token"] and not check_mode:
        # Before a token is made.
        own_address(address)
        api_answers(endpoint)
    if changed and not check_mode and (params["token"] or not needs_join):
        act(plan, params["document"], node)
    return result if needs_join else {**result, "seen": observe(state)}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "document": {"type": "dict", "required": True},
            **KUBECONFIG,
            **MARKS,
            "kubelet_configuration": {"type": "str", "default": ""},
            "reconfigure": {"type": "bool", "default": False},
            "token": {"type": "str", "no_log": True},
            "ca_hash": {"type": "str"},
        },
        supports_check_mode=True,
    )
    params = module.params
    document, token = params["document"], params["token"]
    if token:
        document["discovery"]["bootstrapToken"].update(
            token=token, caCertHashes=[params["ca_hash"]]
        )
    try:
        # A check run only looks, and leaves no file behind.
        with contextlib.nullcontext() if module.check_mode else exclusive():
            if params["reconfigure"]:
                reconfigure()
                module.exit_json(changed=True, changes=[])
            name = document["nodeRegistration"]["name"]
            module.exit_json(**start(params, module.check_mode, name))
    except Silent as error:
        if not module.check_mode:
            module.fail_json(msg=str(error))
        module.exit_json(changed=False, needs_join=False, changes=[], unknown=[str(error)])
    except (KubeadmError, StateError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
