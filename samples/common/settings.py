# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Settings come from environment variables; a wrong one is named before the service starts."""

from __future__ import annotations

import os
from urllib.parse import urlsplit


class SettingsError(ValueError):
    """A setting that the service can't start with."""


def number(name: str, default: float, lowest: float, highest: float) -> float:
    """The number in the environment variable NAME, or the default."""
    text = os.environ.get(name, "")
    try:
        value = float(text) if text else default
    except ValueError:
        value = float("nan")
    if not lowest <= value <= highest:
        raise SettingsError(f"{name} is {text!r}; set a number from {lowest:g} to {highest:g}")
    return value


def http_url(name: str, default: str) -> str:
    """The base address in the environment variable NAME, without a slash at its end."""
    text = os.environ.get(name) or default
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise SettingsError(f"{name} is {text!r}; set an address such as {default}")
    return text.rstrip("/")
