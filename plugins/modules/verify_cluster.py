#!/usr/bin/python
# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: verify_cluster
short_description: Check that a cluster and a release on it are what they should be
version_added: 0.1.0
description:
  - Reads the cluster through its API once, in parallel, and checks that all nodes are Ready and run
    the pinned version, that no pod of the system or of the release is missing or unready,
    that both services run on every worker, that a cluster name resolves in a pod, and that pods
    refuse requests without mTLS.
  - A promise that fails does not fail this module; it is returned, so that all can be shown.
options:
  release:
    description: The release as its file describes it.
    type: dict
    required: true
  nodes:
    description: Names of the nodes that must have joined.
    type: list
    elements: str
    default: []
  workers:
    description: Those of O(nodes) on which the release runs.
    type: list
    elements: str
    default: []
  kubernetes_version:
    description: Version that every kubelet must report, with or without the leading v.
    type: str
  namespaces:
    description: Namespaces whose pods make up the system.
    type: list
    elements: str
    default: [kube-system, kube-flannel, istio-system]
  cluster_domain:
    description: Domain of the cluster's names.
    type: str
    default: cluster.local
notes:
  - Runs on the controller and needs kubernetes there.
  - Reads only, apart from one command that resolves a name in a pod of the release, and one GET
    to a pod of each service.
extends_documentation_fragment: [roost.cluster.kubernetes]
attributes:
  check_mode:
    description: Changes nothing, in check mode or out of it.
    support: full
  diff_mode:
    description: Changes nothing.
    support: none
author: the Roost developers (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Check the cluster
  roost.cluster.verify_cluster:
    kubeconfig: "{{ roost_kubeconfig }}"
    release: "{{ release }}"
    nodes: "{{ groups['cluster'] }}"
    workers: "{{ groups['workers'] }}"
    kubernetes_version: v1.36.3
  delegate_to: localhost
  register: cluster
"""

RETURN = r"""
promises:
  description: What was promised, each with name, ok, expected, found, advice and applies.
  returned: always
  type: list
  elements: dict
failures:
  description: One line for each promise that failed.
  returned: always
  type: list
  elements: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.roost.cluster.plugins.module_utils.api.arguments import (
    KUBECONFIG,
)
from ansible_collections.roost.cluster.plugins.module_utils.api.client import (
    ApiError,
    KubernetesClient,
)
from ansible_collections.roost.cluster.plugins.module_utils.verify.cluster import (
    Wanted,
    judge,
)
from ansible_collections.roost.cluster.plugins.module_utils.verify.observe import (
    observe,
)
from ansible_collections.roost.cluster.plugins.module_utils.verify.promise import (
    failures,
    promise,
)
from ansible_collections.roost.cluster.plugins.module_utils.verify.target import (
    BadRelease,
    target,
)

ARGUMENTS: dict[str, Any] = {
    **KUBECONFIG,
    "release": {"type": "dict", "required": True},
    "nodes": {"type": "list", "elements": "str", "default": []},
    "workers": {"type": "list", "elements": "str", "default": []},
    "kubernetes_version": {"type": "str"},
    "namespaces": {
        "type": "list",
        "elements": "str",
        "default": ["kube-system", "kube-flannel", "istio-system"],
    },
    "cluster_domain": {"type": "str", "default": "cluster.local"},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    params = module.params
    try:
        wanted = Wanted(
            nodes=tuple(params["nodes"]),
            workers=tuple(params["workers"]),
            version=params["kubernetes_version"],
            namespaces=tuple(params["namespaces"]),
            release=target(params["release"]),
            domain=params["cluster_domain"],
        )
    except BadRelease as error:
        module.fail_json(msg=str(error))
    try:
        promises = judge(observe(KubernetesClient(params["kubeconfig"]), wanted), wanted)
    except ImportError as error:
        module.fail_json(
            msg=f"{error}: verify_cluster runs on the controller and needs kubernetes; "
            "run it with the Python of the project's .venv"
        )
    except ApiError as error:
        promises = [
            promise(
                "the API answers",
                False,
                "answers to every question",
                str(error),
                "vagrant status; journalctl -u kubelet on the control plane",
            )
        ]
    module.exit_json(changed=False, promises=promises, failures=failures(promises))


if __name__ == "__main__":
    main()
