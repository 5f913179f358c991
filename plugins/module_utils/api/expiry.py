# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

# kubelets renew theirs by themselves. The control plane reads new ones when it starts.
RENEWAL = (
    "if no clock is off, the certificate, which lives a year, has run out: run `kubeadm certs "
    "renew all` on the control plane, restart that machine, and run site.yml, which fetches the "
    "new kubeconfig"
)
