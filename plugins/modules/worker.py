#!/usr/bin/python
# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
---
module: worker
short_description: Makes a machine a worker of the cluster with kubeadm
version_added: 0.1.0
author: the Roost developers (!UNKNOWN)
description:
  - Looks at the machine and at what the API says of its node, and joins it if need be.
  - Runs as an action, which makes a bootstrap token for this one join through the API and revokes
    it when the join has ended. The token travels on standard input only.
options:
  document:
    description: kubeadm's JoinConfiguration, without a token.
    type: dict
    required: true
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
    description: Looks and says what it would do.
  diff_mode:
    support: full
    description: Shows the reason for what it does.
"""

EXAMPLES = r"""
- name: Join
  roost.cluster.worker:
    document: "{{ document }}"
    kubeconfig: .kube/config
"""

RETURN = r"""
needs_join:
  description: Whether the machine has to join, for the action.
  type: bool
  returned: always
changes:
  description: What was done, and why.
  type: list
  elements: dict
  returned: always
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.roost.cluster.plugins.module_utils.api.arguments import (
    KUBECONFIG,
)
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.commands import (
    KubeadmError,
    exclusive,
)
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.surroundings import (
    api_answers,
    own_address,
)
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.worker import (
    act,
    decide,
    look,
)


def node_ip(document: dict[str, Any]) -> str:
    """The address with which kubelet is to register the node."""
    given = {one["name"]: one["value"] for one in document["nodeRegistration"]["kubeletExtraArgs"]}
    return str(given["node-ip"])


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "document": {"type": "dict", "required": True},
            **KUBECONFIG,
            "token": {"type": "str", "no_log": True},
            "ca_hash": {"type": "str"},
        },
        supports_check_mode=True,
    )
    document = module.params["document"]
    token = module.params["token"]
    node = document["nodeRegistration"]["name"]
    if token:
        document["discovery"]["bootstrapToken"].update(
            token=token, caCertHashes=[module.params["ca_hash"]]
        )
    try:
        with exclusive():
            plan = decide(look(node))
            needs_join = plan.action in ("join", "reset")
            if needs_join and not token and not module.check_mode:
                own_address(node_ip(document))
                api_answers(document["discovery"]["bootstrapToken"]["apiServerEndpoint"])
            if plan.action != "nothing" and not module.check_mode and (token or not needs_join):
                act(plan, document, node)
    except KubeadmError as error:
        module.fail_json(msg=str(error))
    changed = plan.action != "nothing"
    module.exit_json(
        changed=changed,
        needs_join=needs_join,
        changes=[{"what": f"worker: {plan.action}", "why": plan.why}] if changed else [],
        diff={"before": f"{plan.why}\n", "after": "worker runs\n"} if changed else {},
    )


if __name__ == "__main__":
    main()
