# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Settings that an earlier run wrote, and was killed before it knew whether something runs with
them."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.roost.cluster.plugins.module_utils.kubeadm import (
    kubelet,
    static_pods,
    trial,
)
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.observed import KUBELET_FILE


def take_back(check_mode: bool) -> list[dict[str, str]]:
    """Have the old ones again, or only say so; what differs from the description comes after."""
    why = "the old content again: an earlier run ended before something ran with the new one"
    paths = [path for path in trial.unfinished() if trial.differs(path)]
    if not check_mode:
        for path in trial.unfinished():
            _take_back(path)
    return [{"what": str(path), "why": why} for path in paths]


def _take_back(path: Path) -> None:
    if not trial.differs(path):
        trial.passed(path)
    elif path == KUBELET_FILE:
        kubelet.put_back()
    else:
        static_pods.put_back(path.stem)
