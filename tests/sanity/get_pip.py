# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Stands in for pip's installer, which ansible-test would fetch: the pip that Python carries."""

from __future__ import annotations

import ensurepip

ensurepip.bootstrap()
