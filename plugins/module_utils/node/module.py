# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule


class NodeModule(AnsibleModule):
    """A module that writes to a machine.

    Its call isn't written to the journal: it may hold secrets, or be long. What it makes can be
    read by services that aren't root, also where root's umask is a stricter one.
    """

    def __init__(self, **arguments: Any) -> None:
        os.umask(0o022)
        super().__init__(**arguments)

    def _log_invocation(self) -> None:
        return
