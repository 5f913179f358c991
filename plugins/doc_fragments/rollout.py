# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the actions have in common that steer a release; their code takes it from
plugin_utils/rollout/steering.py."""

from __future__ import annotations


class ModuleDocFragment:
    """Documentation to extend."""

    DOCUMENTATION = r"""
options:
  release:
    description: The description of the release.
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
  timeout:
    description: Seconds until pods and proxies must be as a change needs them.
    type: int
    default: 300
  reports:
    description: Folder on the controller for reports. Without it none is written.
    type: path
"""
