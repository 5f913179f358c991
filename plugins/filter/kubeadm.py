# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters that make kubeadm's documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.documents import (
    Document,
    control_plane_documents,
    join_document,
)
from ansible_collections.roost.cluster.plugins.module_utils.kubeadm.values import problems


def checked_control_plane_documents(values: Mapping[str, Any]) -> list[Document]:
    """The documents, if what they are made from can be right."""
    _refuse(problems(values, "control_plane"))
    return control_plane_documents(values)


def checked_join_document(values: Mapping[str, Any]) -> Document:
    """The document, if what it is made from can be right."""
    _refuse(problems(values, "worker"))
    return join_document(values)


def _refuse(found: list[str]) -> None:
    if found:
        raise AnsibleFilterError("\n".join(found))


class FilterModule:
    """The filters by name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "control_plane_documents": checked_control_plane_documents,
            "join_document": checked_join_document,
        }
