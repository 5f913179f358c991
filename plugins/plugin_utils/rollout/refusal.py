# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations


class Refusal(Exception):
    """What was asked for can't be done; the text says why and what to do instead."""
