# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Streams what a registry's store lacks; documented by the module of the same name."""

from __future__ import annotations

import os
import pwd
import shlex
import tempfile
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.roost.cluster.plugins.module_utils.node.core import (
    StateError,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.store_layout import (
    Contents,
    blame,
    contents,
    read_lock,
    told_changes,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.store_stream import (
    send,
    write_tar,
)

ARGUMENTS = {
    "lock": {"type": "path", "required": True},
    "store": {"type": "path", "required": True},
    "root": {"type": "path", "default": "/var/lib/roost/registry"},
    "names": {"type": "list", "elements": "str"},
    "timeout": {"type": "int", "default": 60},
}


class ModuleFailed(Exception):
    """The machine's half failed; its own answer says why."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__(answer.get("msg", ""))
        self.answer = answer


class ActionModule(ActionBase):
    """The controller's half of the synchronisation."""

    TRANSFERS_FILES = True
    _requires_connection = True
    _supports_check_mode = True
    _supports_async = False
    _supports_diff = True

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        super().run(tmp, task_vars)
        _result, wanted = self.validate_argument_spec(argument_spec=ARGUMENTS)
        try:
            return self._synchronise(wanted, task_vars or {})
        except StateError as error:
            raise AnsibleActionFail(str(error)) from None
        except ModuleFailed as error:
            return error.answer

    def _synchronise(self, wanted: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        store = Path(self._loader.path_dwim(wanted["store"]))
        lock = read_lock(Path(self._loader.path_dwim(wanted["lock"])))
        bundle = contents(store, lock, wanted["names"])
        seen = self._module("look", wanted["root"], bundle, task_vars)
        missing = {blob["digest"]: int(blob["size"]) for blob in seen["missing"]}
        changed = bool(missing or seen["staged"] or seen["links"])
        if changed and not self._task.check_mode:
            if missing:
                self._send(store, missing, bundle, seen["staging"], float(wanted["timeout"]))
            brought = {digest: bundle.blobs[digest] for digest in [*missing, *seen["staged"]]}
            links = {link["path"]: bundle.links[link["path"]] for link in seen["links"]}
            try:
                self._module("commit", wanted["root"], Contents(brought, links), task_vars)
            except ModuleFailed as error:
                error.answer["msg"] = blame(store, bundle, error.answer.get("msg", ""))
                raise
        changes = told_changes(bundle, seen)
        told = "".join(f"{change['what']}: {change['why']}\n" for change in changes)
        return {
            "changed": changed,
            "blobs_sent": len(missing),
            "bytes_sent": sum(missing.values()),
            "links_written": len(seen["links"]),
            "changes": changes,
            "diff": {"before": "", "after": told, "after_header": f"store {wanted['root']}"},
        }

    def _module(
        self, phase: str, root: str, bundle: Contents, task_vars: dict[str, Any]
    ) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            "phase": phase,
            "root": root,
            "blobs": [{"digest": digest, "size": size} for digest, size in bundle.blobs.items()],
            "links": [{"path": path, "content": to} for path, to in bundle.links.items()],
        }
        owner = self._streaming_user()
        if owner:
            arguments["owner"] = owner
        answer: dict[str, Any] = self._execute_module(
            module_name="roost.cluster.store_state", module_args=arguments, task_vars=task_vars
        )
        if answer.get("failed"):
            told = ("failed", "msg", "rc", "module_stdout", "module_stderr")
            raise ModuleFailed({key: answer[key] for key in told if key in answer})
        return answer

    def _streaming_user(self) -> str:
        """Who will write to the staging directory, where that isn't who the module runs as."""
        if self._connection.become is None:
            return ""
        if self._connection.transport == "local":
            return pwd.getpwuid(os.geteuid()).pw_name
        return str(self._get_remote_user() or "")

    def _send(
        self, store: Path, blobs: dict[str, int], bundle: Contents, staging: str, patience: float
    ) -> None:
        argv = self._stream_command(f"tar -x -m -f - -C {shlex.quote(staging)} --no-same-owner")
        if argv:
            send(argv, store, blobs, bundle.owners, patience, self._tell(bundle))
            return
        with tempfile.NamedTemporaryFile(suffix=".tar") as packed:
            write_tar(packed, store, blobs, bundle.owners, self._tell(bundle))
            packed.flush()
            self._connection.put_file(packed.name, f"{staging}/stream.tar")
        name = shlex.quote(f"{staging}/stream.tar")
        unpack = f"tar -x -m -f {name} -C {shlex.quote(staging)} --no-same-owner && rm -f {name}"
        done = self._low_level_execute_command(unpack)
        if done["rc"] != 0:
            raise StateError(
                f"unpacking the blobs in {staging} ended with {done['rc']}: "
                f"{done['stderr'].strip() or done['stdout'].strip()}"
            )

    def _stream_command(self, unpack: str) -> list[str | bytes]:
        """The command to stream into; none where the connection can't be streamed through."""
        connection = self._connection
        if connection.transport == "local":
            return list(shlex.split(unpack))
        if connection.transport != "ssh" or connection.get_option("password"):
            return []  # a password would have to be typed by the connection plugin itself
        host = connection.get_option("host") or self._play_context.remote_addr
        built: list[str | bytes] = connection._build_command(
            connection.get_option("ssh_executable"),
            "ssh",
            "-T",
            "-o",
            "BatchMode=yes",
            host,
            f"exec {unpack}",
        )
        return built

    def _tell(self, bundle: Contents) -> Any:
        def tell(digest: str) -> None:
            self._display.vv(
                f"sending {bundle.owners[digest]}: {digest}, {bundle.blobs[digest]} bytes"
            )

        return tell
