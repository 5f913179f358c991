# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Builds a site from the documents, into .cache/site/html.

It holds every document of the repository, and a page for each plugin. The documents lie in it as
they lie in the repository, so that a link leads to the same thing in both. A link inside that
leads nowhere ends the build.

Run by `make docs`, which makes the environment that it needs.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from docs import plugins
from docs.plugins import PagesError
from docs.roles import REPOSITORY

SITE = REPOSITORY / ".cache" / "site"
MKDOCS = REPOSITORY / ".venv-docs" / "bin" / "mkdocs"
# In the order of the navigation; other documents in docs/ follow the first ones.
FIRST = (
    "README.md",
    "docs/deployment.md",
    "docs/how-to.md",
    "docs/rollouts.md",
    "docs/real-machines.md",
    "docs/collection.md",
    "samples/README.md",
)
LAST = ("CONTRIBUTING.md", "CHANGELOG.md")
# What documents lead to, and no document itself.
BESIDE = ("LICENSE", "docs/images")


def documents() -> list[str]:
    """All documents of the repository, as paths in it."""
    known = [*FIRST, *LAST]
    others = sorted(str(path.relative_to(REPOSITORY)) for path in REPOSITORY.glob("docs/*.md"))
    return [*FIRST, *(path for path in others if path not in known), *LAST]


def role_pages() -> dict[str, str]:
    """Of each role its page, in the order in which the roles run."""
    names = (REPOSITORY / "molecule" / "shared" / "roles.txt").read_text().split()
    return {name: f"roles/{name}/README.md" for name in names}


def lay_out(folder: Path) -> list[dict[str, Any]]:
    """Everything that the site is built from; gives its navigation."""
    role_documents = role_pages()
    for source in [*documents(), *role_documents.values(), *BESIDE]:
        target = folder / source
        target.parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (REPOSITORY / source).is_dir() else shutil.copyfile
        copy(REPOSITORY / source, target)
    reference: list[dict[str, Any]] = [
        {"Roles": [{name: page} for name, page in role_documents.items()]}
    ]
    for kind, found in plugins.documented().items():
        pages = [write_page(folder, kind, name, doc) for name, doc in found.items()]
        reference.append({plugins.KINDS[kind]: pages})
    nav: list[dict[str, Any]] = [{title(document): document} for document in documents()]
    position = len(nav) - len(LAST)
    return [*nav[:position], {"Reference": reference}, *nav[position:]]


def write_page(folder: Path, kind: str, name: str, doc: plugins.Doc) -> dict[str, str]:
    """The page of one plugin; gives its entry in the navigation."""
    short = name.rpartition(".")[2]
    page = f"plugins/{kind}/{short}.md"
    (folder / page).parent.mkdir(parents=True, exist_ok=True)
    (folder / page).write_text(plugins.page(name, doc))
    return {short: page}


def title(path: str) -> str:
    """The document's first heading."""
    for line in (REPOSITORY / path).read_text().splitlines():
        if line.startswith("# "):
            return line[2:]
    raise PagesError(f"{path}: no heading; expected a line `# TITLE`")


def render(sources: Path, nav: list[dict[str, Any]]) -> Path:
    """The site, if every link inside leads to something."""
    html, config = SITE / "html", SITE / "mkdocs.yml"
    base = yaml.safe_load((REPOSITORY / "docs" / "mkdocs.yml").read_text())
    places = {"docs_dir": str(sources), "site_dir": str(html), "nav": nav}
    config.write_text(yaml.safe_dump({**base, **places}, sort_keys=False))
    # Not quietly: mkdocs counts only the warnings that it prints, and only they end a strict build.
    done = subprocess.run(
        [MKDOCS, "build", "--strict", "--config-file", config],
        # A notice of the theme's that comes with every build.
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise PagesError(f"mkdocs ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return html


def main() -> int:
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    shutil.rmtree(SITE, ignore_errors=True)
    try:
        html = render(SITE / "sources", lay_out(SITE / "sources"))
    except PagesError as error:
        print(f"docs: {error}", file=sys.stderr)
        return 1
    print(f"docs: {html.relative_to(REPOSITORY)}/index.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
