#!/usr/bin/python
# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: release_plan
short_description: Plan how a release gets from what is live to what its description says
version_added: 0.1.0
description:
  - Checks the description of a release, resolves its images to digests, reads what is live, and
    returns the stages in which objects have to be applied or deleted, with a reason for each.
  - Runs on the controller and changes nothing, neither there nor on the cluster. In check mode the
    cluster need not exist; everything is new then. Nor need it answer; then nothing is known.
  - What would change is found out by server-side dry runs.
  - A value that was changed on the cluster (the weight, which version is stable, the canary, an
    image, a count of replicas) stays as long as its key was not edited since the description was
    last applied.
author: the Roost developers (!UNKNOWN)
options:
  release:
    description:
      - The description of the release.
      - A wrong one is refused with every problem in it at once, each with its key, its value and
        what was expected.
    type: dict
    required: true
  lock:
    description:
      - Path of the C(bundle.lock) that gives the digest for each tag.
      - Without it the description has to name digests.
    type: path
  cluster_domain:
    description: DNS domain of the cluster's services.
    type: str
    default: cluster.local
extends_documentation_fragment: [roost.cluster.kubernetes, roost.cluster.kubernetes.gateway]
attributes:
  check_mode:
    description: Reports what would be changed as changed, with a diff.
    support: full
  diff_mode:
    description: In check mode, the difference of each object that would change.
    support: full
"""

EXAMPLES = r"""
- name: Plan the release
  roost.cluster.release_plan:
    release: "{{ release }}"
    kubeconfig: "{{ roost_kubeconfig }}"
    lock: /root/.cache/roost/bundle.lock
  register: plan

- name: Show what has to be done
  ansible.builtin.debug:
    msg: "{{ plan.stages | map(attribute='changes') | flatten }}"
"""

RETURN = r"""
changed:
  description: In check mode, whether a run would change anything; otherwise always false.
  returned: success
  type: bool
release:
  description:
    - The release that is to be, with live values where they stay and all defaults. Images have
      their digests.
  returned: success
  type: dict
notes:
  description: What is worth telling, as sentences. Where live differs from the file, for example.
  returned: success
  type: list
  elements: str
stages:
  description:
    - What has to be done, in order; empty if nothing has. A stage without objects only waits.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name of the stage.
      type: str
    why:
      description: What the stage does, as a sentence.
      type: str
    state:
      description: Whether its objects are applied (V(present)) or deleted (V(absent)).
      type: str
    certificate:
      description:
        - The certificate that has to be made first, for M(roost.cluster.release_certificate); empty
          if none has.
      type: dict
    objects:
      description: The objects, in order.
      type: list
      elements: dict
    wait:
      description: What has to hold before the next stage, for M(roost.cluster.release_wait).
      type: dict
    changes:
      description: Each object that changes, with the reason.
      type: list
      elements: str
changes:
  description: What would change in all stages, and why.
  returned: success
  type: list
  elements: dict
  sample: [{what: VirtualService digits/app, why: "spec.http[0].route[v2].weight: 10 → 20"}]
unknown:
  description: Why it isn't known what would change; nothing else is then to be relied on.
  returned: in check mode, where there is a cluster and it doesn't answer
  type: list
  elements: str
steady:
  description: What holds when nothing has to be done, for M(roost.cluster.release_wait).
  returned: success
  type: dict
problems:
  description: What is wrong with the description.
  returned: when it is refused
  type: list
  elements: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.roost.cluster.plugins.module_utils.api.absent import dry_run_client
from ansible_collections.roost.cluster.plugins.module_utils.api.arguments import (
    GATEWAY,
    KUBECONFIG,
)
from ansible_collections.roost.cluster.plugins.module_utils.api.client import (
    ApiError,
    Client,
    KubernetesClient,
    Unreachable,
)
from ansible_collections.roost.cluster.plugins.module_utils.release import planning
from ansible_collections.roost.cluster.plugins.module_utils.release.live import Unreadable
from ansible_collections.roost.cluster.plugins.module_utils.release.names import Context
from ansible_collections.roost.cluster.plugins.module_utils.release.resolving import (
    Unusable,
    read_lock,
)

ARGUMENTS = {
    "release": {"type": "dict", "required": True},
    **KUBECONFIG,
    "lock": {"type": "path"},
    **GATEWAY,
    "cluster_domain": {"type": "str", "default": "cluster.local"},
}


def connect(module: Any) -> Client:
    """The cluster; or, in a dry run, an empty one in place of one that was never made."""
    kubeconfig = module.params["kubeconfig"]
    if module.check_mode:
        return dry_run_client(kubeconfig)
    client = KubernetesClient(kubeconfig)
    if not client.serves("VirtualService"):
        module.fail_json(
            msg="The release can't be planned: the cluster doesn't serve networking.istio.io/v1. "
            "Run playbooks/mesh.yml first."
        )
    return client


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    params = module.params
    notify = params["release"].get("notify")
    if isinstance(notify, dict) and isinstance(notify.get("url"), str):
        module.no_log_values.add(notify["url"])
    context = Context(
        params["gateway_namespace"], params["gateway_selector"], params["cluster_domain"]
    )
    try:
        # The description first: a wrong one is refused whether or not there is a cluster.
        file = planning.accept(params["release"], read_lock(params["lock"]))
        plan = planning.plan(file, connect(module), context)
    except ImportError as error:
        module.fail_json(
            msg=f"The release can't be planned: {error}; expected kubernetes on the controller, "
            "and for tls cryptography, which comes with ansible-core; use a Python that has both"
        )
    except planning.Rejected as error:
        module.fail_json(msg=str(error), problems=[item.as_dict() for item in error.problems])
    except (ApiError, Unreadable, Unusable) as error:
        if module.check_mode and isinstance(error, Unreachable):
            module.exit_json(changed=False, **planning.UNKNOWN, unknown=[str(error)])
        module.fail_json(msg=f"The release can't be planned: {error}")
    result = {**plan.rendered(), "changed": False}
    if module.check_mode:
        result["changed"] = bool(plan.changes)
        result["diff"] = plan.diff()
    module.exit_json(**result)


if __name__ == "__main__":
    main()
