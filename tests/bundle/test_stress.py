# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The bundle's command as it is hit by life: killed at any moment, started twice, carried away."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest
import yaml

from tests.bundle.conftest import Played

# A failure prints the seed, and ROOST_SEED=… repeats it.
KILLS = int(os.environ.get("ROOST_KILLS", "10"))
SEED = int(os.environ.get("ROOST_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)


@pytest.fixture(scope="module")
def seconds() -> dict[str, float]:
    """How long a command takes that nobody kills, measured once."""
    return {}


@pytest.mark.parametrize("number", range(KILLS))
def test_a_run_that_was_killed_is_gone_on_with(
    played: Played, number: int, seconds: dict[str, float], tmp_path: Path
) -> None:
    if "fill" not in seconds:
        began = time.monotonic()
        played.at(tmp_path / "measured").run("fill")
        seconds["fill"] = time.monotonic() - began
    moment = random.Random(SEED + number).uniform(0.1, 0.9 * seconds["fill"])
    print(f"ROOST_SEED={SEED}: kill {number} after {moment:.2f} of {seconds['fill']:.2f} s")
    process = played.start("fill")
    time.sleep(moment)
    process.kill()
    process.communicate()
    assert played.halves() == []
    played.run("fill")
    assert played.wrong() == []


def test_two_at_once_fetch_everything_once(played: Played) -> None:
    played.site.requests.clear()
    processes = [played.start("fill") for _ in range(2)]
    said = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert played.wrong() == []
    assert sum("waiting for it" in text for text in said) == 1
    assert sum("nothing is missing" in text for text in said) == 1
    asked = [path for path, _span in played.site.requests if path.startswith(("/file", "/pair"))]
    assert len(asked) == len(set(asked))


def test_the_other_machine_needs_neither_go_nor_a_site(played: Played, tmp_path: Path) -> None:
    played.run("fill")
    played.run("export", str(tmp_path / "bundle.tar"))
    there = played.at(tmp_path / "there")
    there.run("import", str(tmp_path / "bundle.tar"))
    # Playbooks run them, and look for nothing else than the files.
    assert {path.name for path in there.cache.root.glob("bin/*/*")} == {"left", "right"}
    played.site.requests.clear()
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    said = there.run("fill", PATH=str(nothing), BUNDLE_SOURCE="")
    assert "fetch (the bundle's content came from it)" in said
    assert "nothing is missing" in said
    assert there.wrong() == []
    assert played.site.requests == []


def test_a_changed_sample_is_built_and_nothing_else_made_again(played: Played) -> None:
    """`built` is the only one that nobody releases, as with the samples."""
    played.run("fill")
    listed = yaml.safe_load(played.listed.read_text())
    listed["components"]["built"]["says"]["contains"] = "v"
    played.listed.write_text(yaml.safe_dump(listed))
    played.site.requests.clear()
    said = played.run("fill", BUNDLE_SOURCE="")
    assert "fetch (the bundle's content came from it)" in said
    assert "bundle: 1 filled in" in said
    assert played.site.requests == []
    assert played.wrong() == []


def test_an_import_that_was_killed_can_be_repeated(played: Played, tmp_path: Path) -> None:
    played.run("fill")
    played.run("export", str(tmp_path / "bundle.tar"))
    began = time.monotonic()
    played.at(tmp_path / "measured").run("import", str(tmp_path / "bundle.tar"))
    whole = time.monotonic() - began
    there = played.at(tmp_path / "there")
    for number in range(3):
        moment = random.Random(SEED - number).uniform(0.1, whole)
        print(f"ROOST_SEED={SEED}: kill {number} after {moment:.2f} of {whole:.2f} s")
        process = there.start("import", str(tmp_path / "bundle.tar"))
        time.sleep(moment)
        process.kill()
        process.communicate()
        assert there.halves() == []
    there.run("import", str(tmp_path / "bundle.tar"))
    assert there.wrong() == []


def test_a_write_that_fails_is_named(played: Played) -> None:
    """As on a full disk, which the look beforehand has taken for large enough."""
    process = played.start("fill", "file-0", largest_file=500_000)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 2, said
    assert f"bundle: {played.cache.root}: File too large; put it right" in said
    played.run("fill")
    assert played.wrong() == []
