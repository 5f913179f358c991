# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What modules have in common that talk to a cluster's API; their code takes it from
module_utils/api/arguments.py."""

from __future__ import annotations


class ModuleDocFragment:
    """Documentation to extend."""

    DOCUMENTATION = r"""
options:
  kubeconfig:
    description: Path of a kubeconfig with an administrator's rights, on the controller.
    type: path
    required: true
"""

    GATEWAY = r"""
options:
  gateway_namespace:
    description: Namespace of the ingress gateway's pods.
    type: str
    default: istio-system
  gateway_selector:
    description: Labels of the ingress gateway's pods.
    type: dict
    default: {istio: ingressgateway}
"""
