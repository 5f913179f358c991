#!/usr/bin/python
# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: verify_https
short_description: Check what the gateway answers over HTTPS with
version_added: 0.1.0
description:
  - Makes a handshake with each address of a release that has C(tls), and compares the certificate
    with the one in its secret. One that Roost has made is all that the client trusts.
  - Tries TLS 1.1 as well, which has to be refused.
  - A promise that fails does not fail this module; it is returned, so that all can be shown.
options:
  release:
    description: The release as its file describes it, with C(tls).
    type: dict
    required: true
  addresses:
    description: Where to ask, each as HOST:PORT; what users have first.
    type: list
    elements: str
    required: true
notes:
  - Runs on the controller and needs cryptography and kubernetes there.
  - Asks nothing in check mode, and is then reported as skipped.
extends_documentation_fragment: [roost.cluster.kubernetes, roost.cluster.kubernetes.gateway]
attributes:
  check_mode:
    description: Asks nothing in check mode.
    support: full
  diff_mode:
    description: Changes nothing.
    support: none
author: the Roost developers (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Look at the certificate
  roost.cluster.verify_https:
    addresses: [127.0.0.1:8443]
    release: "{{ release }}"
    kubeconfig: "{{ roost_kubeconfig }}"
  delegate_to: localhost
  register: https
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
lines:
  description: Where HTTPS is answered, by what certificate, as text.
  returned: always
  type: list
  elements: str
fingerprint:
  description: SHA-256 of the certificate in the secret, in hexadecimal.
  returned: always
  type: str
"""

from datetime import datetime, timezone
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.roost.cluster.plugins.module_utils.api.arguments import (
    GATEWAY,
    KUBECONFIG,
)
from ansible_collections.roost.cluster.plugins.module_utils.api.client import (
    ApiError,
    KubernetesClient,
)
from ansible_collections.roost.cluster.plugins.module_utils.release.certificates import Unfit
from ansible_collections.roost.cluster.plugins.module_utils.release.names import certificate_name
from ansible_collections.roost.cluster.plugins.module_utils.verify import https
from ansible_collections.roost.cluster.plugins.module_utils.verify.promise import failures
from ansible_collections.roost.cluster.plugins.module_utils.verify.target import (
    BadRelease,
    target,
)

ARGUMENTS: dict[str, Any] = {
    "release": {"type": "dict", "required": True},
    "addresses": {"type": "list", "elements": "str", "required": True},
    **KUBECONFIG,
    **GATEWAY,
}


def expected(params: dict[str, Any]) -> https.Wanted:
    release, namespace = params["release"], params["gateway_namespace"]
    wanted = target(release)
    own = certificate_name(str(release["name"]))
    name = https.secret_of(release, own)
    if name is None:
        raise BadRelease("release.tls: expected {self_signed: true} or {secret: NAME}, got nothing")
    place = {"name": name, "namespace": namespace}
    item = KubernetesClient(params["kubeconfig"]).get(
        {"apiVersion": "v1", "kind": "Secret", "metadata": place}
    )
    if item is None:
        raise Unfit(f"there is no secret {namespace}/{name}; run playbooks/release.yml")
    try:
        return https.wanted(item, name == own, wanted.host)
    except Unfit as error:
        raise Unfit(f"the secret {namespace}/{name} is no certificate: {error}") from error


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    if module.check_mode:
        module.exit_json(changed=False, skipped=True, msg="check mode: nothing is asked")
    try:
        wanted = expected(module.params)
        now = datetime.now(timezone.utc)
        addresses = module.params["addresses"]
        promises = https.check(addresses, wanted, now)
    except ImportError as error:
        module.fail_json(
            msg=f"{error}: verify_https runs on the controller and needs cryptography and "
            "kubernetes; run it with the Python of the project's .venv"
        )
    except (BadRelease, Unfit, ApiError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=False,
        promises=promises,
        failures=failures(promises),
        lines=[https.line(addresses, wanted, now)],
        fingerprint=wanted.certificate.fingerprint,
    )


if __name__ == "__main__":
    main()
