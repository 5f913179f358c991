#!/usr/bin/python
# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: node_state
short_description: Bring a machine to a described state in one pass
version_added: "0.1.0"
description:
  - Looks at everything that is described, plans, acts and looks again. Each change has a reason.
  - What is not described is left alone.
  - A run that was killed anywhere can be run again; a second run changes nothing.
  - Acts in the order kernel modules, settings, swap, hosts, services to stop, absent, directories,
    binaries, files, links, services to start.
author: the Roost developers (!UNKNOWN)
options:
  registry:
    description: Address of the registry that binaries are fetched from.
    type: str
  store:
    description: Root of a store on this machine to take binaries from, instead of O(registry).
    type: path
  binaries:
    description: Executables of the bundle. Several are fetched at the same time, and checked.
    type: list
    elements: dict
    suboptions:
      name: {description: Name in the bundle., type: str, required: true}
      path: {description: Where the executable shall be., type: path, required: true}
      repository: {description: "Repository, such as V(files/kubelet).", type: str, required: true}
      blob: {description: "Digest of the compressed blob, V(sha256:…).", type: str, required: true}
      sha256: {description: Digest of the uncompressed file in hex., type: str, required: true}
      mode: {description: Mode in quotes., type: raw, default: "0755"}
      owner: {description: Owner; left as it is if not given., type: str}
      group: {description: Group; left as it is if not given., type: str}
  directories:
    description: Directories that shall exist.
    type: list
    elements: dict
    suboptions:
      <<: &rights
        path: {description: The path., type: path, required: true}
        mode: {description: "Mode in quotes. Directories V(0755), files V(0644), secret files
          V(0600) if not given.", type: raw}
        owner: {description: Owner; left as it is if not given., type: str}
        group: {description: Group; left as it is if not given., type: str}
      only:
        description: Names of what may be in it; anything else there is removed. If not given,
          nothing is.
        type: list
        elements: str
  files:
    description: Files with their content. They are replaced as a whole, by a rename.
    type: list
    elements: dict
    suboptions:
      <<: *rights
      content: {description: The whole content., type: str, required: true}
      validate:
        description: A command that judges the new file before it is put in place. Each C({path})
          in it stands for the new file.
        type: list
        elements: str
      secret: {description: Show the content nowhere., type: bool, default: false}
  links:
    description: Symbolic links that shall exist.
    type: list
    elements: dict
    suboptions:
      path: {description: Where the link shall be., type: path, required: true}
      target: {description: Where it leads., type: str, required: true}
  absent:
    description: Paths that shall not exist; directories go with all that is in them.
    type: list
    elements: path
  kernel_modules:
    description: Kernel modules to load now and at each start. The list is written as a whole to
      C(/etc/modules-load.d/roost.conf), so one call for each machine gives all of them.
    type: list
    elements: str
  sysctls:
    description: Kernel settings to make now and at each start. They are written as a whole to
      C(/etc/sysctl.d/90-roost.conf), so one call for each machine gives all of them.
    type: dict
  sysctls_check:
    description: Kernel settings that are only checked. A value V(>=N) asks for at least N.
    type: dict
  swap:
    description: Whether swap is turned off, refused or ignored. It is turned off for now, in
      C(/etc/fstab), and by masking C(swap.target), for what the fstab doesn't name.
    type: str
    choices: ['off', 'fail', 'ignore']
  hosts_entries:
    description: Names and their addresses, for a marked block in C(/etc/hosts).
    type: dict
  firewall:
    description: Warns where a firewall is active (ufw, firewalld, or a chain of nftables or
      iptables that drops what it isn't told to let in), with what it has to let in. Changes none.
    type: dict
    suboptions:
      ports: {description: "Ports and protocols, as in V(6443/tcp).", type: list, elements: str,
        required: true}
      pod_cidr: {description: Network of the pods., type: str, required: true}
  addresses:
    description: IPv4 addresses that the machine must have; without one nothing is changed.
    type: list
    elements: str
  services:
    description: Units of systemd. A service restarts if a path in O(services[].restart_on) or its
      unit file changes, or was changed after it was started.
    type: list
    elements: dict
    suboptions:
      name: {description: "The unit, with or without V(.service).", type: str, required: true}
      enabled: {description: Whether it starts with the machine; left if not given., type: bool}
      state:
        description: Whether it runs; if not given, it is restarted where needed but never started.
        type: str
        choices: [started, stopped]
      restart_on: {description: Paths it reads when it starts., type: list, elements: path}
      ready:
        description: How to see that it answers. One of V(unix), V(tcp) and V(http).
        type: dict
        suboptions:
          unix: {description: A socket that accepts connections., type: path}
          tcp: {description: Host and port that accept connections., type: list, elements: str}
          http: {description: Address that is asked by GET., type: str}
          status: {description: Status that is expected of an HTTP answer., type: int, default: 200}
          timeout: {description: Seconds to wait at most., type: int, default: 30}
attributes:
  check_mode: {support: full, description: Plans and changes nothing.}
  diff_mode: {support: full, description: Each change with what was there before and is after.}
"""

EXAMPLES = r"""
- name: Install and run containerd
  roost.cluster.node_state:
    registry: http://192.168.56.100:5000
    binaries:
      - {name: containerd, path: /usr/local/bin/containerd, repository: files/containerd,
         blob: "{{ containerd.blob }}", sha256: "{{ containerd.sha256 }}"}
    files:
      - path: /etc/containerd/config.toml
        content: "{{ lookup('ansible.builtin.template', 'config.toml.j2') }}"
        validate: [/usr/local/bin/containerd, --config, "{path}", config, dump]
    services:
      - name: containerd
        enabled: true
        state: started
        restart_on: [/usr/local/bin/containerd, /etc/containerd/config.toml]
        ready: {unix: /run/containerd/containerd.sock, timeout: 30}

- name: Prepare the kernel
  roost.cluster.node_state:
    kernel_modules: [overlay, br_netfilter]
    sysctls: {net.ipv4.ip_forward: 1, net.bridge.bridge-nf-call-iptables: 1}
    sysctls_check: {fs.inotify.max_user_instances: ">=1024"}
    swap: 'off'
    hosts_entries: {control: 192.168.56.100, worker-1: 192.168.56.101}
    firewall: {ports: [10250/tcp, 8472/udp], pod_cidr: 10.244.0.0/16}
"""

RETURN = r"""
changes:
  description: What was changed (in check mode, what would be), and why. In the order of acting. A
    restart that follows from a change is told with it.
  returned: always
  type: list
  elements: dict
  sample: [{what: /etc/containerd/config.toml, why: SystemdCgroup false → true}]
restarted:
  description: Units that were started or restarted.
  returned: always
  type: list
  elements: str
"""

from ansible_collections.roost.cluster.plugins.module_utils.node.core import (
    Node,
    StateError,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.engine import (
    Outcome,
    bring_about,
    report,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.full_disk import (
    failure,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.module import (
    NodeModule,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.spec import (
    ARGUMENTS,
)


def main() -> None:
    module = NodeModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    for item in module.params["files"] or []:
        if item["secret"] and item["content"]:
            module.no_log_values.add(item["content"])
    node, outcome = Node(check=module.check_mode), Outcome()
    try:
        bring_about(module.params, node, outcome)
    except StateError as error:
        module.fail_json(msg=str(error), **report(outcome.done))
    except OSError as error:
        module.fail_json(msg=failure(error), **report(outcome.done))
    for note in node.notes:
        module.warn(note)
    module.exit_json(**report(outcome.planned))


if __name__ == "__main__":
    main()
