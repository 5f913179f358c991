#!/usr/bin/python
# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: release_certificate
short_description: Make a self-signed certificate for a release, as a secret beside the gateway
version_added: 0.1.0
description:
  - Makes a key and a certificate, and puts both into a secret on the cluster. The key is nowhere
    else, and in no result.
  - Asks nothing first. M(roost.cluster.release_plan) says when one has to be made.
  - Runs on the controller.
author: the Roost developers (!UNKNOWN)
options:
  release:
    description: Name of the release.
    type: str
    required: true
  certificate:
    description: What to make, as M(roost.cluster.release_plan) returns it for a stage.
    type: dict
    required: true
    suboptions:
      secret:
        description: Name of the secret.
        type: str
        required: true
      namespace:
        description: Namespace of the secret, which has to be the gateway's.
        type: str
        required: true
      hosts:
        description: Host names that the certificate is for.
        type: list
        elements: str
        required: true
      addresses:
        description: Addresses that the certificate is for.
        type: list
        elements: str
        required: true
      serial:
        description: Serial number of the certificate, in hexadecimal.
        type: str
        required: true
      why:
        description: Why it is made, as a sentence.
        type: str
        required: true
extends_documentation_fragment: [roost.cluster.kubernetes]
attributes:
  check_mode:
    description: Makes nothing in check mode, and says that it would.
    support: full
  diff_mode:
    description: There is nothing to show that isn't secret.
    support: none
"""

EXAMPLES = r"""
- name: Make the certificate that the plan asks for
  roost.cluster.release_certificate:
    kubeconfig: "{{ roost_kubeconfig }}"
    release: digits
    certificate: "{{ stage.certificate }}"
"""

RETURN = r"""
changes:
  description: What was made, and why.
  returned: success
  type: list
  elements: dict
  sample: [{what: Secret istio-system/roost-digits-tls, why: "new, self-signed for localhost"}]
"""

from datetime import datetime, timezone
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.roost.cluster.plugins.module_utils.api.arguments import KUBECONFIG
from ansible_collections.roost.cluster.plugins.module_utils.api.client import (
    ApiError,
    KubernetesClient,
)
from ansible_collections.roost.cluster.plugins.module_utils.api.objects import object_key
from ansible_collections.roost.cluster.plugins.module_utils.release import certificates, names
from ansible_collections.roost.cluster.plugins.module_utils.release.certificates import Names

TEXT = {"type": "str", "required": True}
TEXTS = {"type": "list", "elements": "str", "required": True}
ARGUMENTS: dict[str, Any] = {
    **KUBECONFIG,
    "release": TEXT,
    "certificate": {
        "type": "dict",
        "required": True,
        "options": {
            # A name, which is no secret.
            "secret": {**TEXT, "no_log": False},
            "namespace": TEXT,
            "hosts": TEXTS,
            "addresses": TEXTS,
            "serial": TEXT,
            "why": TEXT,
        },
    },
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    release, wanted = module.params["release"], module.params["certificate"]
    labels = names.common_labels(release)
    data: dict[str, bytes] = {}
    if not module.check_mode:
        try:
            subject = Names(tuple(wanted["hosts"]), tuple(wanted["addresses"]))
            now = datetime.now(timezone.utc)
            data = certificates.make(release, subject, wanted["serial"], now)
        except ImportError as error:
            module.fail_json(
                msg=f"{error}: release_certificate needs cryptography on the controller, which "
                "comes with ansible-core; run it with the Python that has that"
            )
    item = certificates.secret(wanted["secret"], wanted["namespace"], labels, data)
    try:
        if not module.check_mode:
            KubernetesClient(module.params["kubeconfig"]).apply(item)
    except ApiError as error:
        module.fail_json(msg=f"The certificate of {release} was made, and can't be stored: {error}")
    module.exit_json(changed=True, changes=[{"what": object_key(item), "why": wanted["why"]}])


if __name__ == "__main__":
    main()
