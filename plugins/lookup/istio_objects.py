# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The objects of an Istio installation, made by istioctl on the controller."""

from __future__ import annotations

DOCUMENTATION = """
name: istio_objects
short_description: The objects of an Istio installation
version_added: 0.1.0
author: the Roost developers (!UNKNOWN)
description:
  - Describes the installation from typed values, has istioctl on the controller render it, and
    returns the objects in the order in which they can be applied. Asks no cluster.
options:
  _terms:
    description: The options of the role istio, without their prefix.
    required: true
  istioctl:
    description: Path of istioctl.
    type: path
    required: true
"""

EXAMPLES = """
- name: Apply Istio
  roost.cluster.objects_apply:
    kubeconfig: .kube/config
    objects: "{{ lookup('roost.cluster.istio_objects', values, istioctl=path) }}"
"""

RETURN = """
_raw:
  description: The objects.
  type: list
  elements: dict
"""

import json
import subprocess
from typing import Any

import yaml
from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.roost.cluster.plugins.module_utils.istio.operator import operator, stages


class LookupModule(LookupBase):
    """Runs istioctl."""

    def run(
        self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any
    ) -> list[Any]:
        self.set_options(var_options=variables, direct=kwargs)
        command = [self.get_option("istioctl"), "manifest", "generate", "--filename", "-"]
        try:
            done = subprocess.run(
                command,
                input=json.dumps(operator(terms[0])),
                capture_output=True,
                text=True,
                check=False,
            )
        except OSError as error:
            raise AnsibleLookupError(
                f"istio_istioctl: found nothing that can be run at {command[0]} "
                f"({error.strerror}), expected istioctl; `make bundle` puts it into the bundle"
            ) from None
        if done.returncode:
            raise AnsibleLookupError(
                f"`{' '.join(command)}` ended with {done.returncode}; look at istio_operator_spec "
                f"and the other options of the role istio: {done.stderr[-1500:]}"
            )
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        objects = [item for item in yaml.load_all(done.stdout, Loader=loader) if item]
        return [stages(objects)]
