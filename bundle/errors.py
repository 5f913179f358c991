# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What can go wrong, said so that a person knows what to do."""

from __future__ import annotations


class BundleError(Exception):
    """An error whose text names the thing, what was expected and what to do."""
