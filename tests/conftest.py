# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Lets tests import the plugins by their full names, as Ansible does."""

from __future__ import annotations

from pathlib import Path

from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder

REPOSITORY = Path(__file__).resolve().parents[1]

# A folder on sys.path is not enough: the `ansible` package brings a regular
# `ansible_collections` package that would win.
_AnsibleCollectionFinder(paths=[str(REPOSITORY / "collections")])._install()
