# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files in which a rollout's document is kept on the controller."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from ansible_collections.roost.cluster.plugins.plugin_utils.report import render
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.document import Document


class Unwritten(Exception):
    """What was decided is done, and only its report is missing."""


def keep(folder: Path | None, document: Document, tell: Callable[[str], None]) -> None:
    """Write the report and say where it is."""
    try:
        for path in write(folder, document):
            tell(f"report: {path}")
    except OSError as error:
        # All else is over, so that nothing comes of this but the message.
        raise Unwritten(
            f"rollout {document.id} of {document.canary.version} ended {document.outcome} "
            f"({document.reason}), and only its report is missing: {error}; expected {folder} to "
            "be a folder that can be written to. What was decided is on the cluster too: "
            "playbooks/status.yml shows it"
        ) from error


def write(folder: Path | None, document: Document) -> list[str]:
    """The files that were written: RELEASE-ID.json and RELEASE-ID.html. They are replaced in one
    step, so that nobody reads half of one."""
    if folder is None:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    # As it is read back from JSON, where tuples are lists.
    block = json.loads(json.dumps(document.as_dict()))
    contents = {"json": render.json_of(block), "html": render.html_of(block)}
    written = []
    for ending, text in contents.items():
        path = folder / f"{document.release}-{document.id}.{ending}"
        part = path.with_suffix(f".{ending}.part")
        part.write_text(text, encoding="utf-8")
        part.replace(path)
        written.append(str(path.resolve()))
    return written
