#!/usr/bin/python
# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: objects_apply
short_description: Apply the objects that differ, and say why
version_added: 0.1.0
author: the Roost developers (!UNKNOWN)
description:
  - Asks the API server by a dry run for each object, several at once, and applies those that differ
    by a server-side apply as C(roost), in the given order, neighbours of one kind at the same time.
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
    description: Changes nothing; reports as changed what would be. Where there is no kubeconfig
      yet, all objects are new. Where the cluster doesn't answer, nothing is known.
  diff_mode:
    support: full
    description: Shows the difference of objects that exist, and the reason for each object.
"""

EXAMPLES = r"""
- name: Apply
  roost.cluster.objects_apply:
    kubeconfig: .kube/config
    objects: "{{ lookup('ansible.builtin.template', 'objects.yml.j2') | from_yaml_all }}"
"""

RETURN = r"""
changes:
  description: What was changed (in check mode, what would be), and why.
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

from typing import Any

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
from ansible_collections.roost.cluster.plugins.module_utils.objects.applying import apply
from ansible_collections.roost.cluster.plugins.module_utils.objects.planning import (
    outside,
    plan,
)


def shown(change: Change) -> dict[str, str]:
    """What is new is shown by its name: its content stands in a template, or in Istio's charts."""
    if change.before is None:
        return {"prepared": f"{change.item}: {change.reason}\n"}
    return change.diff()


def report(changes: list[Change]) -> dict[str, Any]:
    return {
        "changed": bool(changes),
        "changes": [change.as_dict() for change in changes],
        "diff": [shown(change) for change in changes],
    }


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
    pod_cidr, done = module.params["pod_cidr"], list[Change]()
    try:
        client: Any = connect(module.params["kubeconfig"])
        if pod_cidr and (why := outside(client, pod_cidr)):
            module.fail_json(msg=f"nothing was applied: {why}")
        found = plan(client, module.params["objects"])
        if not module.check_mode:
            apply(client, found, done)
    except (ApiError, ValueError) as error:
        if module.check_mode and isinstance(error, Unreachable):
            module.exit_json(changed=False, changes=[], unknown=[str(error)])
        before = f"{len(done)} objects were changed, then" if done else "nothing was applied"
        module.fail_json(msg=f"{before}: {error}", **report(done))
    module.exit_json(**report([change for _item, change in found]))


if __name__ == "__main__":
    main()
