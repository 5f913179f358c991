# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.node.absent import absent_steps
from ansible_collections.roost.cluster.plugins.module_utils.node.core import Node, StateError, Step
from ansible_collections.roost.cluster.plugins.module_utils.node.directories import directory_steps
from ansible_collections.roost.cluster.plugins.module_utils.node.files import file_steps
from ansible_collections.roost.cluster.plugins.module_utils.node.links import link_steps
from ansible_collections.roost.cluster.plugins.module_utils.node.writes import parse_mode, temporary

from tests.unit.node.helpers import Commands

PLANNERS = {
    "files": file_steps,
    "directories": directory_steps,
    "links": link_steps,
    "absent": absent_steps,
}


def planned(node: Node, kind: str, *items: Any) -> list[Step]:
    return PLANNERS[kind]({kind: list(items)}, node, [])


def bring(node: Node, kind: str, *items: Any) -> list[str]:
    """Act, and return the reasons; a second plan has to be empty."""
    steps = planned(node, kind, *items)
    for step in steps:
        step.act()
    assert planned(node, kind, *items) == []
    return [step.why for step in steps]


def put(node: Node, path: str, content: str = "x\n", mode: int = 0o644) -> Path:
    place = node.at(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(content)
    place.chmod(mode)
    return place


def test_a_missing_file_is_made_with_its_folders_and_rights(node: Node) -> None:
    item = {"path": "/etc/a/b.toml", "content": "x = 1\n", "mode": "0640"}
    assert bring(node, "files", item) == ["missing"]
    place = node.at("/etc/a/b.toml")
    assert place.read_text() == "x = 1\n"
    assert place.stat().st_mode & 0o7777 == 0o640
    assert [entry.name for entry in place.parent.iterdir()] == ["b.toml"]


def test_a_file_that_differs_says_where(node: Node) -> None:
    put(node, "/etc/c", "SystemdCgroup = false\n", 0o600)
    (step,) = planned(node, "files", {"path": "/etc/c", "content": "SystemdCgroup = true\n"})
    assert step.why == "SystemdCgroup false → true; mode 0600 → 0644"
    assert (step.before, step.after) == ("SystemdCgroup = false\n", "SystemdCgroup = true\n")
    assert step.changes == ("/etc/c",)


def test_rights_alone_change_no_content_so_nothing_restarts(node: Node) -> None:
    place = put(node, "/etc/c", "x\n", 0o666)
    written = place.stat().st_mtime_ns
    (step,) = planned(node, "files", {"path": "/etc/c", "content": "x\n"})
    step.act()
    assert (step.why, step.changes) == ("mode 0666 → 0644", ())
    assert place.stat().st_mtime_ns == written


def test_a_secret_shows_neither_old_nor_new_content(node: Node) -> None:
    put(node, "/etc/token", "old-secret\n", 0o600)
    (step,) = planned(
        node, "files", {"path": "/etc/token", "content": "new-secret\n", "secret": True}
    )
    assert "secret\n" not in step.before.replace("(secret, not shown)\n", "")
    assert "-secret" not in f"{step.diff()}{step.change()}"
    assert step.why == "content differs"
    step.act()
    assert node.at("/etc/token").stat().st_mode & 0o777 == 0o600


def test_a_refused_file_leaves_the_old_one_and_nothing_else(node: Node, commands: Commands) -> None:
    place = put(node, "/etc/c", "good\n")
    commands.answer("judge", rc=1, err="line 1: bad")
    item = {"path": "/etc/c", "content": "bad\n", "validate": ["judge", "--file={path}"]}
    (step,) = planned(node, "files", item)
    with pytest.raises(StateError, match=r"(?s)/etc/c.*judge.*ended with 1: line 1: bad"):
        step.act()
    assert place.read_text() == "good\n"
    assert list(place.parent.iterdir()) == [place]


def test_a_checker_that_looks_at_no_file_is_refused(node: Node) -> None:
    (step,) = planned(node, "files", {"path": "/etc/c", "content": "x", "validate": ["true"]})
    with pytest.raises(StateError, match="no {path} in it"):
        step.act()


def test_what_a_killed_run_left_is_overwritten(node: Node) -> None:
    place = put(node, "/etc/c", "old\n")
    temporary(place).write_text("half a fi")
    assert bring(node, "files", {"path": "/etc/c", "content": "new\n"}) == ["'old' → 'new'"]
    assert list(place.parent.iterdir()) == [place]


def test_a_file_that_is_a_mount_is_written_in_place(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = put(node, "/etc/hosts", "old\n")
    inode = place.stat().st_ino

    def busy(self: Path, target: Any) -> Path:
        raise OSError(errno.EBUSY, "Device or resource busy")

    monkeypatch.setattr(Path, "replace", busy)
    assert bring(node, "files", {"path": "/etc/hosts", "content": "new\n"}) == ["'old' → 'new'"]
    assert (place.read_text(), place.stat().st_ino) == ("new\n", inode)
    assert list(place.parent.iterdir()) == [place]


def test_a_link_in_a_files_place_is_replaced_and_its_target_kept(node: Node) -> None:
    target = put(node, "/etc/target", "keep\n")
    node.at("/etc/c").symlink_to("target")
    assert bring(node, "files", {"path": "/etc/c", "content": "x\n"}) == [
        "a link to target, expected a file"
    ]
    assert target.read_text() == "keep\n"


def test_a_directory_in_a_files_place_is_left_to_people(node: Node) -> None:
    node.at("/etc/c").mkdir(parents=True)
    with pytest.raises(StateError, match="/etc/c: expected a file, found a directory: move it"):
        planned(node, "files", {"path": "/etc/c", "content": "x"})


def test_directories(node: Node) -> None:
    node.at("/var/loose").mkdir(parents=True, mode=0o755)
    items = [{"path": "/var/a/b", "mode": "0700"}, {"path": "/var/loose", "mode": "0750"}]
    assert bring(node, "directories", *items) == ["missing", "mode 0755 → 0750"]
    assert node.at("/var/a/b").stat().st_mode & 0o7777 == 0o700


def test_links(node: Node) -> None:
    put(node, "/bin/file")
    node.at("/bin/wrong").symlink_to("elsewhere")
    items = [{"path": f"/bin/{name}", "target": "right"} for name in ("new", "wrong", "file")]
    assert bring(node, "links", *items) == [
        "missing",
        "leads to elsewhere, expected right",
        "a file, expected a link to right",
    ]
    assert str(node.at("/bin/file").readlink()) == "right"


def test_a_directory_may_have_only_what_is_named(node: Node) -> None:
    put(node, "/etc/certs.d/_default/hosts.toml")
    put(node, "/etc/certs.d/docker.io/hosts.toml")
    node.at("/etc/certs.d/elsewhere").symlink_to("/srv")
    item = {"path": "/etc/certs.d", "only": ["_default"]}
    assert bring(node, "directories", item) == ["not among _default"] * 2
    assert [entry.name for entry in node.at("/etc/certs.d").iterdir()] == ["_default"]
    assert bring(node, "directories", {"path": "/etc/certs.d"}) == []
    assert bring(node, "directories", {"path": "/etc/new", "only": []}) == ["missing"]


def test_absent_takes_files_links_and_whole_directories(node: Node) -> None:
    put(node, "/etc/d/e/f")
    put(node, "/etc/g")
    node.at("/etc/l").symlink_to("d")
    assert bring(node, "absent", "/etc/l", "/etc/g", "/etc/d", "/etc/none") == [
        "a link that shall not be there",
        "a file that shall not be there",
        "a directory that shall not be there",
    ]
    assert list(node.at("/etc").iterdir()) == []


@pytest.mark.parametrize("path", ["/", "/etc", "/etc/../usr"])
def test_what_everything_hangs_on_is_never_removed(node: Node, path: str) -> None:
    node.at("/etc").mkdir()
    with pytest.raises(StateError, match="too near to the root"):
        planned(node, "absent", path)


def test_a_path_can_not_be_wanted_and_unwanted(node: Node) -> None:
    wanted = {"absent": ["/etc/c"], "files": [{"path": "/etc/c"}]}
    with pytest.raises(StateError, match="/etc/c: is asked to be there and to be absent"):
        absent_steps(wanted, node, [])


@pytest.mark.parametrize(
    ("value", "mode"),
    [("0644", 0o644), ("644", 0o644), (0o644, 0o644), ("1777", 0o1777), (None, 0o700)],
)
def test_modes(value: Any, mode: int) -> None:
    assert parse_mode(value, 0o700, "/x") == mode


@pytest.mark.parametrize("value", ["u=rw", "0888", "", True, 6.5])
def test_modes_that_are_none(value: Any) -> None:
    with pytest.raises(StateError, match="/x: mode is"):
        parse_mode(value, 0o700, "/x")


def test_an_unknown_owner_is_named(node: Node) -> None:
    with pytest.raises(StateError, match="/a/b: the owner 'nobody-here' is no user"):
        planned(node, "directories", {"path": "/a/b", "owner": "nobody-here"})


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_owner_and_group_are_given_by_name_and_number(node: Node) -> None:
    item = {"path": "/etc/c", "content": "x\n", "owner": "nobody", "group": "12345"}
    bring(node, "files", item)
    found = node.at("/etc/c").stat()
    assert (found.st_gid, found.st_uid != 0) == (12345, True)
    os.chown(node.at("/etc/c"), 0, 0)
    assert bring(node, "files", item) == ["owner root → nobody; group root → 12345"]
