# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from ansible_collections.roost.cluster.plugins.module_utils.node.core import (
    Node,
    StateError,
    Step,
    Wanted,
    changed_paths,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.listeners import listeners
from ansible_collections.roost.cluster.plugins.module_utils.node.ready import (
    check_shape,
    port_of,
    probe,
)
from ansible_collections.roost.cluster.plugins.module_utils.node.systemd import (
    ENABLED,
    Systemd,
    UnitLook,
    unit_name,
)

UNIT_FOLDERS = (
    "/etc/systemd/system/",
    "/usr/lib/systemd/system/",
    "/lib/systemd/system/",
    "/usr/local/lib/systemd/system/",
)
DEFAULT_TIMEOUT = 30


def is_unit_file(path: str) -> bool:
    return path.startswith(UNIT_FOLDERS)


def belongs_to(path: str, name: str) -> bool:
    """Whether a path is the unit file of `name` or one of its drop-ins."""
    return is_unit_file(path) and (path.endswith(f"/{name}") or f"/{name}.d/" in path)


def restart_paths(service: Mapping[str, Any], managed: Collection[str]) -> list[str]:
    """What a service restarts for: what it was told, and its unit files that this call writes."""
    name = unit_name(service["name"])
    own = [path for path in sorted(managed) if belongs_to(path, name)]
    return list(dict.fromkeys([*(service.get("restart_on") or []), *own]))


def plan_restart(
    seen: UnitLook,
    paths: Collection[str],
    changing: Collection[str],
    changed_at: Mapping[str, float],
) -> str:
    """Why a running service has to be restarted; empty where it needn't be."""
    if not seen.running:
        return ""
    now = [path for path in paths if path in changing]
    if now:
        return f"{', '.join(now)} changed"
    # A run killed between a write and its restart leaves a process older than its files.
    late = [
        path
        for path in paths
        if seen.started is not None and changed_at.get(path, 0) > seen.started
    ]
    return f"{', '.join(late)} changed after it was started, in an earlier run" if late else ""


def plan_service(service: Mapping[str, Any], seen: UnitLook, restart: str) -> list[tuple[str, str]]:
    """The systemctl verbs that a service needs, each with its reason."""
    name, verbs = unit_name(service["name"]), []
    if seen.load == "masked" or seen.file_state == "masked":
        if service.get("enabled") or service.get("state") == "started":
            raise StateError(f"{name} is masked: allow it with `systemctl unmask {name}`")
        return []
    enabled = service.get("enabled")
    if enabled is True and seen.file_state not in ENABLED:
        verbs.append(("enable", f"{seen.file_state or 'not installed'}, expected enabled"))
    if enabled is False and seen.file_state in ("enabled", "enabled-runtime", "linked"):
        verbs.append(("disable", f"{seen.file_state}, expected disabled"))
    if service.get("state") == "stopped":
        if seen.running:
            verbs.append(("stop", f"{seen.state}, expected stopped"))
    elif service.get("state") == "started" and not seen.running:
        verbs.append(("start", f"{seen.state}, expected started"))
    elif restart:
        verbs.append(("restart", restart))
    return verbs


def changed_at(node: Node, paths: Collection[str]) -> dict[str, float]:
    """When the content of each path was last written.

    Not the change time, which also moves where only rights are set, and that restarts nothing.
    """
    times = {}
    for path in paths:
        with suppress(OSError):
            times[path] = node.at(path).lstat().st_mtime
    return times


def stop_steps(wanted: Wanted, node: Node, planned: list[Step]) -> list[Step]:
    """Services that shall not run are stopped before their files are taken away."""
    return _steps(wanted, node, planned, "stopped")


def service_steps(wanted: Wanted, node: Node, planned: list[Step]) -> list[Step]:
    return _steps(wanted, node, planned, "")


def _steps(wanted: Wanted, node: Node, planned: list[Step], phase: str) -> list[Step]:
    chosen = [
        item
        for item in wanted["services"]
        if (item.get("state") == "stopped") == (phase == "stopped")
    ]
    if not chosen:
        return []
    systemd, changing = Systemd(node), changed_paths(planned)
    units = systemd.show([unit_name(item["name"]) for item in chosen])
    managed = {item["path"] for kind in ("files", "links") for item in wanted.get(kind) or []}
    managed |= set(wanted.get("absent") or [])
    steps = []
    for service in chosen:
        name = unit_name(service["name"])
        if service.get("ready"):
            check_shape(name, service["ready"])
        paths = restart_paths(service, managed)
        restart = plan_restart(units[name], paths, changing, changed_at(node, paths))
        causes = tuple(path for path in paths if path in changing)
        for verb, why in plan_service(service, units[name], restart):
            step = _step(service, verb, why, units[name], node)
            steps.append(replace(step, follows=causes) if verb == "restart" else step)
    return steps


def reload_steps(wanted: Wanted, node: Node, planned: list[Step]) -> list[Step]:
    """Let systemd read its files again where this run changes some, or a killed one has."""
    systemd = Systemd(node)
    names = [unit_name(item["name"]) for item in wanted.get("services") or []]
    units = systemd.show(names) if names else {}
    files = sorted(path for path in changed_paths(planned) if is_unit_file(path))
    stale = sorted(name for name, seen in units.items() if seen.needs_reload)
    if not files and not stale:
        return []
    why = f"{', '.join(files)} changed" if files else f"unit files of {', '.join(stale)} changed"
    return [Step("systemd", f"daemon-reload: {why}", systemd.reload, follows=tuple(files))]


def _step(service: Mapping[str, Any], verb: str, why: str, seen: UnitLook, node: Node) -> Step:
    name = unit_name(service["name"])
    after = {"enable": "enabled", "disable": "disabled", "stop": "stopped"}.get(verb, "started")
    before = seen.file_state if verb in ("enable", "disable") else seen.state
    return Step(
        name,
        f"{verb}: {why}",
        partial(_do, service, verb, node),
        before=f"{before}\n",
        after=f"{after}{' again' if verb == 'restart' else ''}\n",
    )


def _do(service: Mapping[str, Any], verb: str, node: Node) -> None:
    Systemd(node).do(verb, unit_name(service["name"]))
    if verb in ("start", "restart"):
        settle(service, node)


def settle(service: Mapping[str, Any], node: Node, pause: float = 0.2) -> None:
    """Wait until a service runs and answers, and say what is wrong where it doesn't."""
    name, systemd = unit_name(service["name"]), Systemd(node)
    ready = service.get("ready") or {}
    limit = float(ready.get("timeout") or DEFAULT_TIMEOUT)
    end = time.monotonic() + limit
    while True:
        seen, taken = systemd.one(name), _taken(node, name, ready)
        reason = _not_ready(seen, ready, taken)
        if not reason:
            return
        # One that was ended by that won't get any further.
        ended = seen.active == "failed" or (taken and seen.sub == "auto-restart")
        if ended or time.monotonic() >= end:
            after = "" if ended else f" after {limit:g} s"
            raise StateError(f"{name} is not ready{after}: {reason}{systemd.evidence(name)}")
        time.sleep(pause)


def _taken(node: Node, name: str, ready: Mapping[str, Any]) -> str:
    """Who listens on the service's port in its place; empty where nobody or the service does.

    That one may well answer as the service would.
    """
    port = port_of(dict(ready))
    found = listeners(node.at("/proc"), [port]) if port else []
    if any(f"/{name}" in (node.read(f"/proc/{one.pid}/cgroup") or "") for one in found):
        return ""
    others = [f"{one.process} (process {one.pid})" for one in found if one.process]
    return (
        f"port {port}: found held by {', '.join(others)}, expected free; stop what holds it, and "
        "run the same again"
        if others
        else ""
    )


def _not_ready(seen: UnitLook, ready: Mapping[str, Any], taken: str) -> str | None:
    if taken:
        return taken
    if seen.active == "failed":
        return "failed"
    if seen.active != "active":
        return f"it is {seen.state}"
    return probe(dict(ready)) if ready else None


def settle_all(wanted: Wanted, node: Node) -> None:
    """The closing look: every service that shall run does so, and answers."""
    for service in wanted.get("services") or []:
        if service.get("state") == "started":
            settle(service, node)
