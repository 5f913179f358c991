# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The site is built from the documents, has a page for everything, and no link that leads nowhere.

Needs .venv-docs/ (`host/venv .venv-docs docs/requirements.txt`).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from docs import plugins, website
from docs.plugins import PagesError


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("site") / "sources"


@pytest.fixture(scope="module")
def nav(sources: Path) -> list[dict[str, Any]]:
    return website.lay_out(sources)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(website, "SITE", tmp_path)


def test_everything_has_a_page(sources: Path, nav: list[dict[str, Any]]) -> None:
    html = website.render(sources, nav)
    roles = {path.parent.name for path in html.glob("roles/*/index.html")}
    assert roles == {path.name for path in (website.REPOSITORY / "roles").iterdir()}
    modules = {path.stem for path in html.glob("plugins/module/*.html")}
    assert modules == {
        path.stem for path in (website.REPOSITORY / "plugins" / "modules").glob("*.py")
    }
    page = (html / "plugins" / "module" / "objects_ready.html").read_text()
    assert "<code>timeout</code>" in page
    assert "<code>120</code>" in page
    # Whoever reads it has no network.
    fetched = re.findall(r'<(?:link|script|img)\b[^>]*\b(?:href|src)="?(https?:[^ ">]*)', page)
    assert fetched == []


@pytest.mark.parametrize(
    ("link", "named"),
    [
        ("[nothing](docs/nothing.md)", "docs/nothing.md"),
        ("[no part](docs/deployment.md#nowhere)", "#nowhere"),
        ("![no picture](docs/images/nothing.png)", "docs/images/nothing.png"),
    ],
)
def test_a_link_that_leads_nowhere_ends_the_build(
    sources: Path, nav: list[dict[str, Any]], link: str, named: str
) -> None:
    readme = sources / "README.md"
    whole = readme.read_text()
    readme.write_text(f"{whole}\n{link}\n")
    with pytest.raises(PagesError, match=re.escape(named)):
        website.render(sources, nav)
    readme.write_text(whole)


def test_a_plugin_that_ansible_doc_does_not_know_is_named() -> None:
    with pytest.raises(PagesError, match="nosuch"):
        plugins.ask("--type", "nosuch", "--list", plugins.COLLECTION)


def test_markup_becomes_markdown() -> None:
    text = "See O(nodes), M(roost.cluster.worker), P(roost.cluster.binaries#filter) and RV(stages)."
    assert plugins.prose(text) == (
        "See `nodes`, `roost.cluster.worker`, `roost.cluster.binaries` and `stages`."
    )
