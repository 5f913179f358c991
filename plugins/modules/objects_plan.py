#!/usr/bin/python
# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: objects_plan
short_description: Say which objects a server-side apply would change, and why
version_added: 0.1.0
author: the Roost developers (!UNKNOWN)
description:
  - Asks the API server by a dry run for each object, several at once, and returns those that
    differ, for M(kubernetes.core.k8s) to apply. Changes nothing itself.
options:
  objects:
    description: The objects as they should be.
    type: list
    elements: dict
    required: true
  pod_cidr:
    description: Network of the pods, where the objects name one. It is refused if the part of it
      that a node has lies elsewhere.
    type: str
extends_documentation_fragment: [roost.cluster.kubernetes]
attributes:
  check_mode:
    support: full
    description: Changes nothing; reports as changed what the apply after it would change. Where
      there is no kubeconfig yet, all objects are new. Where the cluster doesn't answer, nothing is
      known.
  diff_mode:
    support: full
    description: Shows the difference of objects that exist, and the reason for each object.
"""

EXAMPLES = r"""
- name: Compare
  roost.cluster.objects_plan:
    kubeconfig: .kube/config
    objects: "{{ lookup('ansible.builtin.template', 'objects.yml.j2') | from_yaml_all }}"
  register: plan
"""

RETURN = r"""
objects:
  description: The objects that have to be applied.
  type: list
  elements: dict
  returned: always
changes:
  description: What would change, and why.
  type: list
  elements: dict
  returned: always
  sample: [{what: ConfigMap kube-flannel/flannel, why: "data.mtu: 1450 → 1400"}]
unknown:
  description: Why it isn't known what would change.
  type: list
  elements: str
  returned: in check mode, where there is a cluster and it doesn't answer
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.roost.cluster.plugins.module_utils.api.absent import dry_run_client
from ansible_collections.roost.cluster.plugins.module_utils.api.arguments import (
    KUBECONFIG,
)
from ansible_collections.roost.cluster.plugins.module_utils.api.client import (
    ApiError,
    KubernetesClient,
    Unreachable,
)
from ansible_collections.roost.cluster.plugins.module_utils.api.comparison import Change
from ansible_collections.roost.cluster.plugins.module_utils.objects.planning import (
    outside,
    plan,
)


def shown(change: Change) -> dict[str, str]:
    """What is new is shown by its name: its content stands in a template, or in Istio's charts."""
    if change.before is None:
        return {"prepared": f"{change.item}: {change.reason}\n"}
    return change.diff()


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **KUBECONFIG,
            "objects": {"type": "list", "elements": "dict", "required": True},
            "pod_cidr": {"type": "str"},
        },
        supports_check_mode=True,
    )
    connect = dry_run_client if module.check_mode else KubernetesClient
    pod_cidr = module.params["pod_cidr"]
    try:
        client = connect(module.params["kubeconfig"])
        if pod_cidr and (why := outside(client, pod_cidr)):
            module.fail_json(msg=f"nothing was applied: {why}")
        found = plan(client, module.params["objects"])
    except (ApiError, ValueError) as error:
        if module.check_mode and isinstance(error, Unreachable):
            module.exit_json(changed=False, objects=[], changes=[], unknown=[str(error)])
        module.fail_json(msg=f"nothing was applied: {error}")
    module.exit_json(
        changed=module.check_mode and bool(found),
        objects=[item for item, _change in found],
        changes=[change.as_dict() for _item, change in found],
        diff=[shown(change) for _item, change in found],
    )


if __name__ == "__main__":
    main()
