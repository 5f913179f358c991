#!/usr/bin/python
# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Find out whether a machine can be a node, with all reasons at once
version_added: "0.1.0"
description:
  - Looks at a machine without changing it, and fails with every reason at once.
  - What has to be compared between machines (host names, machine ids, clocks) is returned.
  - Runs as an action, which adds how far the machine's clock is ahead of the controller's. Where
    Python is missing or too old on a machine, or its user can't become root, the action asks a
    shell there, and returns those reasons with what else a shell can see.
author: the Roost developers (!UNKNOWN)
options:
  supported_systems:
    description: Versions that are supported of each system, by the ID of C(/etc/os-release).
    type: dict
    default: {debian: ["12", "13"], ubuntu: ["22.04", "24.04"]}
  architecture:
    description: The one that the bundle was made for, as Debian names it. By default any that one
      can be made for.
    type: str
  min_memory_mb:
    description: Memory that the machine has to have, in MiB. A machine sold as 2 GiB shows less.
    type: int
    default: 1700
  min_cpus:
    description: Processors that the machine has to have.
    type: int
    default: 1
  disk:
    description: Free space that is needed. A path need not exist yet.
    type: list
    elements: dict
    suboptions:
      path: {description: The path., type: path, required: true}
      min_mb: {description: MiB that have to be free there., type: int, required: true}
  node_name:
    description: Name that the node is to get; has to be one that Kubernetes takes as it is.
    type: str
  node_ip:
    description: Address that the node is to use; has to be on an interface, and in O(subnet).
    type: str
  subnet:
    description: Network that connects the nodes.
    type: str
  pod_cidr:
    description: Network of the pods; must not overlap another one or a route of the machine.
    type: str
  service_cidr:
    description: Network of the services; must not overlap another one or a route of the machine.
    type: str
  ports:
    description: TCP ports that have to be free, or held by a process of ours.
    type: list
    elements: dict
    suboptions:
      port: {description: The port., type: int, required: true}
      by: {description: Names of executables that may hold it., type: list, elements: str}
  kernel_modules:
    description: Modules that have to be in the kernel, or there to be loaded.
    type: list
    elements: str
    default: [overlay, br_netfilter]
  commands:
    description: Executables that have to be there. Istio redirects the traffic of pods with the
      machine's own iptables, which Debian doesn't install by itself.
    type: list
    elements: str
    default: [iptables]
  swap:
    description: With V(fail), swap that is on is a problem.
    type: str
    choices: ['off', 'fail', 'ignore']
    default: 'off'
  kubernetes_version:
    description:
      - The version that the machine is to run, such as V(v1.36.3). A control plane that it has
        already must be of this version.
    type: str
  worker_of:
    description: Endpoint, as in V(192.168.56.100:6443), of the cluster that the machine is to be a
      worker of; it must not be a node of another one. Empty asks for none.
    type: str
  report_only:
    description: Return the problems instead of failing with them.
    type: bool
    default: false
attributes:
  check_mode: {support: full, description: Changes nothing in any mode.}
  diff_mode: {support: none, description: Changes nothing.}
"""

EXAMPLES = r"""
- name: Check the machine
  roost.cluster.preflight:
    min_memory_mb: 1700
    min_cpus: 2
    disk: [{path: /var/lib, min_mb: 6000}]
    node_name: control
    node_ip: 192.168.56.100
    subnet: 192.168.56.0/24
    pod_cidr: 10.244.0.0/16
    service_cidr: 10.96.0.0/12
    ports:
      - {port: 6443, by: [kube-apiserver]}
      - {port: 10250, by: [kubelet]}
  register: __preflight_machine
"""

RETURN = r"""
facts:
  description: What was found. Container nodes of one machine share C(product_uuid), so machines are
    told apart by C(machine_id). C(clock_ahead) has the seconds by which the clock is ahead of the
    controller's, C(least) and C(most), because the answer took some time.
  returned: when the module could run on the machine
  type: dict
  sample: {hostname: worker-1, machine_id: 0b2c, time: 1700000000.5, default_interface: eth0,
    clock_ahead: {least: -0.1, most: 1.2},
    cgroup_version: 2, os_id: debian, os_version: "12", architecture: amd64, memory_mb: 1970}
problems:
  description: Every reason why the machine can't be a node.
  returned: always
  type: list
  elements: dict
  sample: [{name: memory, found: 900 MiB, expected: 1700 MiB or more, fix: give it more memory}]
warnings:
  description: What need not stop anybody, such as a clock that nobody keeps right.
  returned: when there are any
  type: list
  elements: str
"""

from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.roost.cluster.plugins.module_utils.node.checks import (
    ARGUMENTS,
    problems,
    verdict,
    warnings,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.core import (
    Node,
    StateError,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.machine import (
    look,
)


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    wishes = module.params
    try:
        machine = look(
            Node(check=True),
            [disk["path"] for disk in wishes["disk"] or []],
            [port["port"] for port in wishes["ports"] or []],
            wishes["kernel_modules"],
            wishes["commands"],
        )
        found = problems(machine, wishes)
    except StateError as error:
        module.fail_json(msg=str(error))
    for warning in warnings(machine):
        module.warn(warning)
    answer = {
        "changed": False,
        "facts": machine.facts(),
        "problems": [asdict(problem) for problem in found],
    }
    if found and not wishes["report_only"]:
        module.fail_json(msg=verdict(machine.hostname, found), **answer)
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
