#!/usr/bin/python
# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: store_sync
short_description: Bring the bundle's images and files to the registry's store on a machine
version_added: "0.1.0"
description:
  - Compares the store on the machine with what the bundle's lock lists, and streams the blobs that
    are missing as one tar over the connection that is open already. Each blob's digest is checked
    on the machine before it is put in place.
  - A run that was killed leaves nothing but staged blobs, which the next one uses or removes.
  - With the SSH connection and key authentication, the stream goes through ssh itself; with a
    local connection it is unpacked directly; with any other one it travels as a temporary file.
  - Runs as an action.
author: the Roost developers (!UNKNOWN)
options:
  lock:
    description: The bundle's lock file on the controller.
    type: path
    required: true
  store:
    description: Root of the bundle's store on the controller.
    type: path
    required: true
  root:
    description: Root directory of the registry on the machine.
    type: path
    default: /var/lib/roost/registry
  names:
    description: Components to bring. All of the lock if not given.
    type: list
    elements: str
  timeout:
    description: Seconds without progress after which the transfer is given up.
    type: int
    default: 60
attributes:
  check_mode: {support: full, description: "Tells what would be sent, and sends nothing."}
  diff_mode: {support: full, description: What is missing of each component.}
"""

EXAMPLES = r"""
- name: Bring the bundle to the registry
  roost.cluster.store_sync:
    lock: ~/.cache/roost/bundle.lock
    store: ~/.cache/roost/store
    root: /var/lib/roost/registry
"""

RETURN = r"""
blobs_sent:
  description: How many blobs were sent (in check mode, would be).
  returned: success
  type: int
bytes_sent:
  description: Their size in bytes.
  returned: success
  type: int
links_written:
  description: How many link files (tags, revisions, layers) were written, or would be.
  returned: success
  type: int
changes:
  description: What was brought for each component, and why.
  returned: success
  type: list
  elements: dict
  sample: [{what: bundle component kubelet, why: "2 blobs, 15.2 MiB: missing"}]
"""
