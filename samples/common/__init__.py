# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What both services share: settings, errors, limits, logs, metrics and the server itself."""

from __future__ import annotations
