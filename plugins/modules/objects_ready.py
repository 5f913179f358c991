#!/usr/bin/python
# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: objects_ready
short_description: Wait until nodes, workloads and webhooks are ready
version_added: 0.1.0
author: the Roost developers (!UNKNOWN)
description:
  - Asks the API until everything named is ready. When the time is up, the message says what is
    missing and what pods and events tell about the reason.
  - Pods on nodes that are not Ready and not among O(nodes) are not waited for; a warning names
    them.
options:
  nodes:
    description: Nodes that have to be Ready.
    type: list
    elements: str
    default: []
  namespace:
    description: Namespace of the workloads.
    type: str
    default: ''
  deployments:
    description: Deployments that have to be rolled out.
    type: list
    elements: str
    default: []
  daemon_sets:
    description: DaemonSets that have to run on all their nodes.
    type: list
    elements: str
    default: []
  validators:
    description: Validating webhooks that have to be asked about every change.
    type: list
    elements: str
    default: []
  probe:
    description: An object that the API server has to accept, for which it asks the webhooks. It is
      not made.
    type: dict
  timeout:
    description: How long to wait, in seconds.
    type: float
    default: 120
extends_documentation_fragment: [roost.cluster.kubernetes]
attributes:
  check_mode:
    support: full
    description: Waits for nothing.
  diff_mode:
    support: none
    description: Changes nothing.
"""

EXAMPLES = r"""
- name: Wait for istiod
  roost.cluster.objects_ready:
    kubeconfig: .kube/config
    namespace: istio-system
    deployments: [istiod]
"""

RETURN = r"""
seconds:
  description: How long it took.
  type: float
  returned: success
missing:
  description: What was missing when the time was up.
  type: list
  elements: str
  returned: failure
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.roost.cluster.plugins.module_utils.api.arguments import (
    KUBECONFIG,
)
from ansible_collections.roost.cluster.plugins.module_utils.api.client import (
    KubernetesClient,
    Unreachable,
)
from ansible_collections.roost.cluster.plugins.module_utils.objects.ready import (
    Wanted,
    wait,
)


def main() -> None:
    names = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule(
        argument_spec={
            **KUBECONFIG,
            "nodes": names,
            "namespace": {"type": "str", "default": ""},
            "deployments": names,
            "daemon_sets": names,
            "validators": names,
            "probe": {"type": "dict"},
            "timeout": {"type": "float", "default": 120},
        },
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(changed=False, seconds=0.0)
    given = module.params
    wanted = Wanted(
        given["nodes"],
        given["namespace"],
        given["deployments"],
        given["daemon_sets"],
        given["validators"],
        given["probe"],
    )
    try:
        outcome = wait(KubernetesClient(given["kubeconfig"]), wanted, given["timeout"])
    except Unreachable as error:
        module.fail_json(msg=str(error), missing=[])
    if outcome.missing:
        lines = [f"  - {text}" for text in outcome.missing] + [
            f"    {text}" for text in outcome.why
        ]
        module.fail_json(
            msg=f"after {given['timeout']:.0f} s this is still missing:\n" + "\n".join(lines),
            missing=outcome.missing,
        )
    for note in outcome.notes:
        module.warn(note)
    module.exit_json(changed=False, seconds=outcome.seconds)


if __name__ == "__main__":
    main()
