#!/usr/bin/python
# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
---
module: control_plane
short_description: Makes a machine the cluster's control plane with kubeadm
version_added: 0.1.0
author: the Roost developers (!UNKNOWN)
description:
  - Looks at the machine, at etcd's data and at the API, and does what is missing. A run that was
    killed is continued; data of a cluster are never thrown away.
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
attributes:
  check_mode:
    support: full
    description: Looks and says what it would do.
  diff_mode:
    support: full
    description: Shows the reason for what it does.
"""

EXAMPLES = r"""
- name: Start the control plane
  roost.cluster.control_plane:
    documents: "{{ documents }}"
    images: "{{ {bundle.etcd.name: bundle.etcd.digest} }}"
"""

RETURN = r"""
changes:
  description: What was done, and why.
  type: list
  elements: dict
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.commands import (
    KubeadmError,
    exclusive,
)
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.control_plane import (
    act,
    decide,
    look,
)
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.surroundings import (
    own_address,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "documents": {"type": "list", "elements": "dict", "required": True},
            "images": {"type": "dict", "required": True},
        },
        supports_check_mode=True,
    )
    documents = module.params["documents"]
    node = documents[0]["nodeRegistration"]["name"]
    try:
        with exclusive():
            plan = decide(look(), node)
            if plan.action != "nothing" and not module.check_mode:
                own_address(documents[0]["localAPIEndpoint"]["advertiseAddress"])
                act(plan, documents, module.params["images"])
    except KubeadmError as error:
        module.fail_json(msg=str(error))
    if plan.action == "nothing":
        module.exit_json(changed=False, changes=[])
    module.exit_json(
        changed=True,
        changes=[{"what": f"control plane: {plan.action}", "why": plan.why}],
        diff={"before": f"{plan.why}\n", "after": "control plane runs\n"},
    )


if __name__ == "__main__":
    main()
