# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a server-side apply would change. The API server says it itself, by a dry run, so that its
defaults and other people's fields are no differences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.roost.cluster.plugins.module_utils.api import differences
from ansible_collections.roost.cluster.plugins.module_utils.api.absent import NoClusterYet
from ansible_collections.roost.cluster.plugins.module_utils.api.client import Client, Refused
from ansible_collections.roost.cluster.plugins.module_utils.api.objects import Block, object_key
from ansible_collections.roost.cluster.plugins.module_utils.api.parallel import in_parallel


@dataclass(frozen=True)
class Change:
    """One object that is not as it shall be."""

    item: str
    reason: str
    before: Block | None
    after: Block | None

    def as_dict(self) -> dict[str, str]:
        return {"what": self.item, "why": self.reason}

    def diff(self) -> dict[str, str]:
        """As Ansible prints it."""
        return {
            "before_header": f"{self.item} (live)",
            "after_header": f"{self.item} ({self.reason})",
            "before": _text(self.before),
            "after": _text(self.after),
        }


def _text(item: Block | None) -> str:
    if item is None:
        return ""
    # Imported where it is used, for modules have to be importable without it.
    import yaml

    shown = differences.cleaned(item)
    if item["kind"] == "Secret":
        shown = {key: shown[key] for key in shown if key not in ("data", "stringData")}
    text: str = yaml.safe_dump(shown, sort_keys=True, allow_unicode=True)
    return text


def compare(
    client: Client,
    live: Mapping[str, Block],
    contents: Mapping[str, Block],
    wording: differences.Wording | None = None,
) -> dict[str, Change | None]:
    """The change that each content would be to the live object of its key, or None."""

    def one(item: Block) -> Change | None:
        key = object_key(item)
        before = live.get(key)
        try:
            after = client.dry_run(item)
        except NoClusterYet as error:
            return Change(key, f"new, because {error}", None, item)
        except Refused as error:
            # The namespace, or Istio's kinds, don't exist yet.
            if error.status == 404:
                return Change(key, "new", None, item)
            raise Refused(error.status, f"{key} was refused: {error}") from error
        if before is None:
            return Change(key, "new", None, item)
        reason = differences.reason(before, after, wording)
        if reason is None:
            return None
        return Change(key, reason, differences.cleaned(before), differences.cleaned(after))

    return dict(zip(contents, in_parallel(one, contents.values()), strict=True))
