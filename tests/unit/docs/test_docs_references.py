# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The documents name only what there is."""

from __future__ import annotations

import re
from pathlib import Path

import docs_markdown
import pytest
from docs_markdown import DOCUMENTS, REPOSITORY

SAMPLES = REPOSITORY / "samples"

each_document = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY))
)

SAMPLE = """
# A Title: of `two` parts

See [it](docs/it.md#part), <https://example.invalid/> and ![a picture](docs/a.png).
<img src="docs/b.png" width="5">
Run `make up` or `ROOST_CLUSTER=lab make
down`, edit `inventory/group_vars/all/release.yml`, look into `host/` and `roles/NAME/tasks/`.
make nothing of this; `registry.example/team/app:v1` and `~/.cache/roost` are no paths of ours.

```
make image FROM=docker   # and playbooks/sit.yml
[no](link.md) .kube/config
```
"""


def test_what_a_document_names_is_found() -> None:
    assert docs_markdown.links(SAMPLE) == ["docs/it.md#part", "docs/a.png", "docs/b.png"]
    assert docs_markdown.targets(SAMPLE) == {"up", "down", "image"}
    assert docs_markdown.paths(SAMPLE) == {
        "inventory/group_vars/all/release.yml",
        "host/",
        "playbooks/sit.yml",
    }
    assert not docs_markdown.exists("playbooks/sit.yml", REPOSITORY)
    assert docs_markdown.anchors(SAMPLE) == {"a-title-of-two-parts"}


@each_document
def test_links_lead_to_something(document: Path) -> None:
    wrong = []
    for link in docs_markdown.links(document.read_text()):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        if not target.exists() or (
            anchor and anchor not in docs_markdown.anchors(target.read_text())
        ):
            wrong.append(link)
    assert wrong == []


@each_document
def test_outside_links_are_well_formed(document: Path) -> None:
    found = re.findall(r"[a-z]+://(?!\{\{)[^\s)>`\"]*", document.read_text())
    assert [link for link in found if not re.fullmatch(r"https?://[\w.:-]+(/\S*)?", link)] == []


@each_document
def test_make_knows_its_targets(document: Path) -> None:
    known = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    assert docs_markdown.targets(document.read_text()) - known == set()


@each_document
def test_paths_exist(document: Path) -> None:
    # A document speaks of paths from the root, or of those beside it.
    named = docs_markdown.paths(document.read_text())
    missing = {
        path for path in named if not docs_markdown.exists(path, REPOSITORY, document.parent)
    }
    assert missing == set()


@pytest.mark.parametrize(
    "document",
    # antsibull-changelog writes a line for each change.
    [path for path in DOCUMENTS if path.parent != SAMPLES and path.name != "CHANGELOG.md"],
)
def test_prose_lines_are_short(document: Path) -> None:
    prose = docs_markdown.FENCE.sub("", document.read_text()).splitlines()
    assert [line for line in prose if len(line) > 100 and not line.startswith("|")] == []


def test_every_setting_is_documented() -> None:
    from host.cluster_settings import VARIABLES, Settings

    text = (REPOSITORY / "docs" / "how-to.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| `([^`]*)` \|", text, re.MULTILINE))
    expected = {name: str(getattr(Settings(), key)) for key, name in VARIABLES.items()}
    assert {name: rows.get(name) for name in expected} == expected


def test_every_folder_is_explained() -> None:
    text = (REPOSITORY / "CONTRIBUTING.md").read_text()
    explained = set(re.findall(r"^\| `([\w.-]+)/` \|", text, re.MULTILINE))
    folders = {
        path.name
        for path in REPOSITORY.iterdir()
        if path.is_dir() and not path.name.startswith(".")
    }
    assert folders - explained == set()
