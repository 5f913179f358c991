# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tests that are killed: what they had started ends, and what they had made is removed.

A checkout of its own, whose tests/leftovers only writes down that it was run.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import pytest

GUARD = Path(__file__).resolve().parents[2] / "guard.py"
# Stands for `molecule test` and for tests/run: starts the guard, then something that takes long,
# and at last itself does what the test wants.
TESTS = """#!/bin/sh
export MOLECULE_PROJECT_DIRECTORY={root}
{python} {root}/tests/guard.py $MODE
sleep 600 &
echo $! > {root}/child
setsid sleep 600 &
echo $! > {root}/engine
touch {root}/started
until [ -e {root}/go ]; do sleep 0.02; done
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "tests").mkdir()
    shutil.copy(GUARD, tmp_path / "tests")
    leftovers = tmp_path / "tests" / "leftovers"
    leftovers.write_text(f'#!/bin/sh\necho "removed $*" >> {tmp_path}/log\n')
    engine = tmp_path / "host" / "docker_engine"
    engine.parent.mkdir()
    engine.write_text(f'#!/bin/sh\necho "engine $*" >> {tmp_path}/log\n')
    tests = tmp_path / "molecule"
    tests.write_text(TESTS.format(root=tmp_path, python=sys.executable))
    for script in (leftovers, engine, tests):
        script.chmod(0o755)
    yield tmp_path
    for name in ("child", "engine"):
        pid = int((tmp_path / name).read_text())
        if alive(pid):
            os.kill(pid, signal.SIGKILL)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def until(condition: Callable[[], bool], seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def start(checkout: Path, *words: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "MODE": "molecule"}
    process = subprocess.Popen(
        [checkout / "molecule", *words], start_new_session=True, env=environment
    )
    assert until((checkout / "started").exists)
    return process


def log(checkout: Path) -> str:
    path = checkout / "log"
    return path.read_text() if path.exists() else ""


def pid_of(checkout: Path, name: str) -> int:
    return int((checkout / name).read_text())


def token(checkout: Path) -> Path:
    return checkout / ".roost" / "molecule" / "guard"


def guard_ends(checkout: Path, before: str) -> bool:
    return until(lambda: not alive(int(before)))


def test_a_killed_scenario_leaves_nothing(checkout: Path) -> None:
    tests = start(checkout, "test", "-s", "worker")
    assert until(token(checkout).exists)
    guard = token(checkout).read_text()
    tests.kill()
    tests.wait()
    assert guard_ends(checkout, guard)
    assert log(checkout) == "removed molecule\n"
    assert not alive(pid_of(checkout, "child"))
    # What has begun a session of its own is no part of the tests.
    assert alive(pid_of(checkout, "engine"))


def test_one_that_ends_by_itself_is_left_alone(checkout: Path) -> None:
    """It has removed everything, and with it the token."""
    tests = start(checkout, "test", "-s", "worker")
    assert until(token(checkout).exists)
    guard = token(checkout).read_text()
    shutil.rmtree(checkout / ".roost")
    (checkout / "go").touch()
    tests.wait()
    assert guard_ends(checkout, guard)
    assert log(checkout) == ""
    assert alive(pid_of(checkout, "child"))


def test_the_next_scenarios_machines_stay(checkout: Path) -> None:
    tests = start(checkout, "test", "-s", "worker")
    assert until(token(checkout).exists)
    guard = token(checkout).read_text()
    token(checkout).write_text("1")
    tests.kill()
    tests.wait()
    assert guard_ends(checkout, guard)
    assert log(checkout) == ""


@pytest.mark.parametrize("words", [("converge", "-s", "worker"), ("test", "--destroy=never")])
def test_machines_that_are_meant_to_stay_do(checkout: Path, words: tuple[str, ...]) -> None:
    tests = start(checkout, *words)
    tests.kill()
    tests.wait()
    assert not token(checkout).exists()


@pytest.mark.parametrize(
    ("mode", "mark", "cleaned"),
    [
        ("run", "ROOST_TEST_RUN", "removed \nengine stop\n"),
        ("bench", "ROOST_BENCH_RUN", "removed bench\n"),
    ],
)
def test_a_killed_run_of_all_tests_or_of_the_bench_leaves_nothing(
    checkout: Path, mode: str, mark: str, cleaned: str
) -> None:
    script = checkout / "molecule"
    script.write_text(
        script.read_text()
        .replace("$MODE", f"{mode} $$")
        .replace("#!/bin/sh\n", f"#!/bin/sh\nexport {mark}=$$\n")
    )
    tests = start(checkout)
    path = checkout / ".roost" / f"{mode}.guard"
    assert until(path.exists)
    guard = path.read_text()
    tests.kill()
    tests.wait()
    assert guard_ends(checkout, guard)
    assert log(checkout) == cleaned
    assert not alive(pid_of(checkout, "child"))
    assert alive(pid_of(checkout, "engine"))
