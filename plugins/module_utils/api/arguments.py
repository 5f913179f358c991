# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Arguments that several modules take; plugins/doc_fragments/kubernetes.py describes them."""

from __future__ import annotations

from typing import Any

KUBECONFIG: dict[str, Any] = {"kubeconfig": {"type": "path", "required": True}}
GATEWAY: dict[str, Any] = {
    "gateway_namespace": {"type": "str", "default": "istio-system"},
    "gateway_selector": {"type": "dict", "default": {"istio": "ingressgateway"}},
}
