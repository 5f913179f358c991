# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters that look at options."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.roost.cluster.plugins.module_utils.options.problems import problems


class FilterModule:
    """The filters by name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"option_problems": problems}
