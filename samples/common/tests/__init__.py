# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tests of what both services share, and helpers for the tests of each."""

from __future__ import annotations
