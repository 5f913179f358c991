#!/usr/bin/python
# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: store_state
short_description: Look at or complete the registry's store on a machine
version_added: "0.1.0"
description:
  - The node's half of M(roost.cluster.store_sync), which calls it; there is rarely a reason to
    call it by itself.
  - V(look) tells which blobs and links the store lacks, and makes the staging directory that the
    blobs are sent to. What a killed run left there is used where it is whole, else removed.
  - V(commit) checks the digest of each staged blob, renames it into place and writes the links.
  - Nothing is ever removed from the store.
author: the Roost developers (!UNKNOWN)
options:
  phase:
    description: What to do.
    type: str
    choices: [look, commit]
    required: true
  root:
    description: Root directory of the registry, which holds C(docker/registry/v2).
    type: path
    default: /var/lib/roost/registry
  staging:
    description: Where blobs are sent to, on the same file system. C(ROOT/staging) if not given.
    type: path
  owner:
    description: Owner of the staging directory. If not given, the user who called sudo, else the
      user who runs this.
    type: str
  blobs:
    description: Blobs that the store shall hold.
    type: list
    elements: dict
    required: true
    suboptions:
      digest: {description: "Digest, V(sha256:…).", type: str, required: true}
      size: {description: Size in bytes., type: int, required: true}
  links:
    description: Link files that the store shall hold.
    type: list
    elements: dict
    default: []
    suboptions:
      path: {description: Path below C(docker/registry/v2)., type: str, required: true}
      content: {description: The digest that it leads to., type: str, required: true}
attributes:
  check_mode: {support: full, description: Tells what is missing and makes nothing.}
  diff_mode: {support: none, description: What is missing is returned.}
"""

EXAMPLES = r"""
- name: See what the store lacks
  roost.cluster.store_state:
    phase: look
    blobs:
      - {digest: "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", size: 4}
"""

RETURN = r"""
missing:
  description: Blobs that have to be sent, with the reason.
  returned: phase is look
  type: list
  elements: dict
  sample: [{digest: "sha256:9f86…", size: 4, why: missing}]
staged:
  description: Blobs that are missing, but were sent by an earlier run.
  returned: phase is look
  type: list
  elements: str
links:
  description: Link files that are missing or differ, with the reason.
  returned: phase is look
  type: list
  elements: dict
staging:
  description: Where the missing blobs have to be sent to, each as a file named by its hex digest.
  returned: phase is look
  type: str
blobs_written:
  description: How many blobs were put in place.
  returned: phase is commit
  type: int
links_written:
  description: How many link files were written.
  returned: phase is commit
  type: int
"""

import os
import pwd
from pathlib import Path
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.node.core import (
    Node,
    StateError,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.full_disk import (
    failure,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.module import (
    NodeModule,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.store_disk import (
    commit,
    look,
    make_staging,
    require_space,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.store_writers import (
    wait_for_writers,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.writes import (
    node_lock,
)


def owner_ids(name: str | None) -> tuple[int, int]:
    """The user who streams: named, or who called sudo, or who runs this."""
    name = name or os.environ.get("SUDO_USER")
    if not name:
        return os.geteuid(), os.getegid()
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise StateError(f"owner: {name!r} is no user of this machine") from None
    return entry.pw_uid, entry.pw_gid


def run_look(params: dict[str, Any], check: bool) -> dict[str, Any]:
    root = Path(params["root"])
    staging = Path(params["staging"] or root / "staging")
    if not check:
        wait_for_writers(staging)
    blobs = {blob["digest"]: blob["size"] for blob in params["blobs"]}
    seen = look(
        root, staging, blobs, {link["path"]: link["content"] for link in params["links"]}, check
    )
    if seen.missing:
        require_space(root, sum(int(blob["size"]) for blob in seen.missing))
        if not check:
            make_staging(staging, *owner_ids(params["owner"]))
    return {
        "changed": False,
        "missing": seen.missing,
        "staged": seen.staged,
        "links": seen.links,
        "staging": str(staging),
    }


def run_commit(params: dict[str, Any]) -> dict[str, Any]:
    root = Path(params["root"])
    staging = Path(params["staging"] or root / "staging")
    wait_for_writers(staging)
    blobs, links = commit(
        root,
        staging,
        {blob["digest"]: blob["size"] for blob in params["blobs"]},
        {link["path"]: link["content"] for link in params["links"]},
    )
    return {"changed": bool(blobs or links), "blobs_written": blobs, "links_written": links}


def main() -> None:
    text, whole = {"type": "str", "required": True}, {"type": "int", "required": True}
    blob, link = {"digest": text, "size": whole}, {"path": text, "content": text}
    module = NodeModule(
        argument_spec={
            "phase": {"type": "str", "choices": ["look", "commit"], "required": True},
            "root": {"type": "path", "default": "/var/lib/roost/registry"},
            "staging": {"type": "path"},
            "owner": {"type": "str"},
            "blobs": {"type": "list", "elements": "dict", "required": True, "options": blob},
            "links": {"type": "list", "elements": "dict", "default": [], "options": link},
        },
        supports_check_mode=True,
    )
    try:
        if module.params["phase"] == "look":
            answer = run_look(module.params, module.check_mode)
        elif module.check_mode:
            answer = {
                "changed": bool(module.params["blobs"] or module.params["links"]),
                "blobs_written": 0,
                "links_written": 0,
            }
        else:
            with node_lock(Node()):
                answer = run_commit(module.params)
    except StateError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=failure(error))
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
