# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The bundle's command with another list: `python -m tests.bundle.command LIST fill`."""

from __future__ import annotations

import sys
from pathlib import Path

from bundle import components, fill
from bundle.__main__ import main

if __name__ == "__main__":
    components.LIST = Path(sys.argv.pop(1))
    # What is played here is small.
    fill.BYTES = dict.fromkeys(fill.BYTES, 10**8)
    sys.exit(main())
