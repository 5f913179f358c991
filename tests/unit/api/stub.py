# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A client of the Kubernetes API that answers nothing; tests say what theirs answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.api.execution import Executed

Block = dict[str, Any]


class StubClient:
    def get(self, item: Block) -> Block | None:
        raise AssertionError(f"get {item}")

    def serves(self, kind: str) -> bool:
        raise AssertionError(f"serves {kind}")

    def dry_run(self, item: Block) -> Block:
        raise AssertionError(f"dry_run {item}")

    def execute(self, namespace: str, pod: str, container: str, command: Sequence[str]) -> Executed:
        raise AssertionError(f"execute {command} in {pod}")

    def log(self, namespace: str, pod: str, container: str, lines: int) -> str:
        raise AssertionError(f"log of {pod}")

    def ask_pod(self, namespace: str, pod: str, port: int, path: str) -> tuple[int, str]:
        raise AssertionError(f"ask_pod {pod} {port} {path}")

    # Last, because below it the name means this method in annotations.
    def list(
        self, kind: str, namespace: str | None = None, selector: str = "", fields: str = ""
    ) -> list[Block]:
        raise AssertionError(f"list {kind}")
