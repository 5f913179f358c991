# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Commands that a person would give in the checkout, and what came of them."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
MINUTES = 60


@dataclass(frozen=True)
class Ran:
    """What a command printed, and how it ended."""

    code: int
    output: str

    @property
    def said(self) -> str:
        """All that was printed, in one line: messages are folded where they are shown."""
        return " ".join(self.output.split())

    @property
    def changed(self) -> int:
        """How many tasks changed something, on all machines."""
        return sum(counts["changed"] for counts in self.recap.values())

    @property
    def recap(self) -> dict[str, dict[str, int]]:
        """Ansible's last recap: counts by host."""
        text = self.output.rpartition("PLAY RECAP")[2]
        return {
            host: {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", counts)}
            for host, counts in re.findall(r"^(\S+) +: +(ok=.*)$", text, re.MULTILINE)
        }


def run(*command: str, **environment: str) -> Ran:
    """Run a command in the checkout and print what it says, which pytest shows on a failure."""
    return run_in(REPOSITORY, *command, **environment)


def run_in(checkout: Path, *command: str, **environment: str) -> Ran:
    """The same in another checkout."""
    process = subprocess.run(
        command,
        cwd=checkout,
        # Colours would be in the words that are looked for; Molecule asks for them.
        env={
            **os.environ,
            "ANSIBLE_FORCE_COLOR": "false",
            "ANSIBLE_NOCOLOR": "true",
            "ANSIBLE_CONFIG": str(checkout / "ansible.cfg"),
            **environment,
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=20 * MINUTES,
        check=False,
    )
    print(process.stdout)
    return Ran(process.returncode, process.stdout)
