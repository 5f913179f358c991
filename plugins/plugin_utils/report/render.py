# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The report on a rollout, from its document: as JSON, and as one page without outside assets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.roost.cluster.plugins.plugin_utils.report import view
from jinja2 import Environment, StrictUndefined

FORMAT = 1
_TEMPLATE = Path(__file__).with_name("page.html.j2")


def json_of(document: Mapping[str, Any]) -> str:
    """Raises ValueError for a document of another format, or one that JSON can't hold."""
    _check(document)
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def html_of(document: Mapping[str, Any]) -> str:
    """Raises ValueError for a document of another format. Every value is escaped."""
    _check(document)
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    page = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    return page.render(view.of(document)) + "\n"


def _check(document: Mapping[str, Any]) -> None:
    if document.get("format") != FORMAT:
        raise ValueError(
            f"document of a rollout: got format {document.get('format')!r}; expected {FORMAT}; "
            "make the report with the version of Roost that ran the rollout"
        )
