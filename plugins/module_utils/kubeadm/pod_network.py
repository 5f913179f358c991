# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Takes away what a former cluster's pod network has left on a machine; `kubeadm reset` doesn't.

Its node may get another range of addresses, and no pod starts on a bridge that has the old one.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.commands import must

INTERFACES = Path("/sys/class/net")
# The bridge, and flannel's own, which has the number of its network in its name.
LINKS = ("cni0", "flannel.*")
FILES = (Path("/run/flannel/subnet.env"), Path("/etc/cni/net.d/10-flannel.conflist"))
# Addresses of pods, below the name that the configuration gives the network.
LEASES = Path("/var/lib/cni/networks/cbr0")


def forget() -> None:
    """Leave nothing of it, on a machine without pods. It may be ended anywhere and run again."""
    for pattern in LINKS:
        for link in sorted(INTERFACES.glob(pattern)):
            must(["ip", "link", "delete", link.name])
    for path in FILES:
        path.unlink(missing_ok=True)
    shutil.rmtree(LEASES, ignore_errors=True)
