#!/usr/bin/python
# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: release_wait
short_description: Wait until pods and proxies of a release are as a stage of its plan needs them
version_added: 0.1.0
description:
  - Looks at Deployments and pods, and asks the proxies themselves which clusters, endpoints,
    weights and rules they have, until everything is as expected or the time is up.
  - On failure it names each pod and what it lacks, the reasons that containers give, the last
    warnings and the last lines of their logs.
  - Pods on nodes that are not Ready are not waited for; a warning names them.
  - Runs on the controller and changes nothing.
author: the Roost developers (!UNKNOWN)
options:
  release:
    description: Name of the release.
    type: str
    required: true
  namespace:
    description: Namespace of the release.
    type: str
    required: true
  wait:
    description:
      - What to wait for, as M(roost.cluster.release_plan) returns it for a stage.
    type: dict
    required: true
  timeout:
    description: Longest time to wait, in seconds. There is always a limit.
    type: int
    default: 300
  pause:
    description: Time between two looks, in seconds.
    type: float
    default: 0.5
extends_documentation_fragment: [roost.cluster.kubernetes, roost.cluster.kubernetes.gateway]
attributes:
  check_mode:
    description: Changes nothing in any mode. In check mode it doesn't wait either.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
"""

EXAMPLES = r"""
- name: Wait for what the stage needs
  roost.cluster.release_wait:
    kubeconfig: "{{ roost_kubeconfig }}"
    release: digits
    namespace: digits
    wait: "{{ stage.wait }}"
    timeout: 120
"""

RETURN = r"""
seconds:
  description: How long it took.
  returned: success
  type: float
notes:
  description: What is worth telling. Requests that were not waited for any longer, for example.
  returned: success
  type: list
  elements: str
missing:
  description: What was still missing when the time was up.
  returned: failure
  type: list
  elements: str
evidence:
  description: What the cluster says about the reasons.
  returned: failure
  type: list
  elements: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.roost.cluster.plugins.module_utils.api import evidence
from ansible_collections.roost.cluster.plugins.module_utils.api.arguments import (
    GATEWAY,
    KUBECONFIG,
)
from ansible_collections.roost.cluster.plugins.module_utils.api.client import (
    ApiError,
    KubernetesClient,
    Unreachable,
)
from ansible_collections.roost.cluster.plugins.module_utils.api.objects import selector_of
from ansible_collections.roost.cluster.plugins.module_utils.release import (
    names,
    proxies,
    waiting,
)

ARGUMENTS = {
    **KUBECONFIG,
    "release": {"type": "str", "required": True},
    "namespace": {"type": "str", "required": True},
    "wait": {"type": "dict", "required": True},
    **GATEWAY,
    "timeout": {"type": "int", "default": 300},
    "pause": {"type": "float", "default": 0.5},
}


def check(module: Any) -> None:
    known = {"ready", "gone", *proxies.PROXY_CHECKS}
    unknown = sorted(set(module.params["wait"]) - known)
    if unknown:
        module.fail_json(
            msg=f"wait: unknown conditions {', '.join(unknown)}; "
            f"expected some of {', '.join(sorted(known))}"
        )
    if module.params["timeout"] < 1 or module.params["pause"] <= 0:
        module.fail_json(msg="timeout: expected at least 1 second, and pause more than 0")


def fail(module: Any, client: KubernetesClient, outcome: waiting.Outcome) -> None:
    params = module.params
    concerned = waiting.concerned(params["wait"])
    reasons = evidence.gather(
        client,
        params["namespace"],
        concerned,
        lambda pod: names.workload_of(pod) in concerned,
        names.release_selector(params["release"]),
    )
    if waiting.concerns_gateway(params["wait"]):
        # Of Istio's own role it may be that nobody waited for it.
        reasons += gateway_evidence(
            client, params["gateway_namespace"], selector_of(params["gateway_selector"])
        )
    lines = [f"  - {text}" for text in outcome.missing] + [f"    {text}" for text in reasons]
    module.fail_json(
        msg=f"Release {params['release']}: after {outcome.seconds:.0f} s (the limit is "
        f"{params['timeout']} s) this is still missing:\n" + "\n".join(lines),
        missing=outcome.missing,
        evidence=reasons,
    )


def gateway_evidence(client: KubernetesClient, namespace: str, selector: str) -> list[str]:
    """What the pods of the gateway say that aren't ready, and the events about them."""
    try:
        deployments = client.list("Deployment", namespace, selector)
    except ApiError as error:
        return [f"nothing more is known of the gateway: {error}"]
    workloads = [item["metadata"]["name"] for item in deployments]
    return evidence.gather(client, namespace, workloads, lambda pod: True, selector)


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    params = module.params
    check(module)
    if module.check_mode:
        module.exit_json(changed=False, seconds=0.0, notes=[])
    try:
        client = KubernetesClient(params["kubeconfig"])
    except Unreachable as error:
        module.fail_json(msg=f"Release {params['release']}: {error}")
    place = waiting.Place(
        params["release"],
        params["namespace"],
        params["gateway_namespace"],
        params["gateway_selector"],
    )
    watcher = waiting.Watcher(client, place)
    outcome = watcher.wait(params["wait"], params["timeout"], params["pause"])
    if outcome.missing:
        fail(module, client, outcome)
    for note in outcome.notes:
        module.warn(note)
    module.exit_json(changed=False, seconds=outcome.seconds, notes=outcome.notes)


if __name__ == "__main__":
    main()
