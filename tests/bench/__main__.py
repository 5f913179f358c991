# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How long site.yml takes, beside a shell script that does the same without Ansible.

Both start from three fresh container nodes and a filled bundle, and each runs twice on its own. The
measurement that ends site.yml counts on neither side. Other work on the machine falls on both, so
what is told is medians of pairs, whose order alternates.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from types import FrameType

from tests.bench import cluster, inputs, measure, report
from tests.conftest import REPOSITORY


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--pairs", type=_pairs, default=3, help="how many (default: 3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers there, too")
    options = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    subprocess.run([REPOSITORY / "tests" / "guard.py", "bench", str(os.getpid())], check=True)
    try:
        runs = _run(options.pairs)
    except cluster.BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        cluster.TOKEN.unlink(missing_ok=True)
    found = report.summary(runs)
    print("\n".join(report.lines(found)))
    if options.json:
        everything = {"summary": found, "runs": [asdict(run) for run in runs]}
        options.json.write_text(json.dumps(everything, indent=2) + "\n")
    return 0


def _pairs(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _stop(number: int, frame: FrameType | None) -> None:
    """End as on Ctrl-C: with the machines removed."""
    raise KeyboardInterrupt


def _run(pairs: int) -> list[measure.Run]:
    folder = REPOSITORY / ".cache" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    for log in folder.glob("*.log"):
        log.unlink()
    cluster.run([sys.executable, "-m", "bundle", "fill"], folder / "bundle.log")
    runs: list[measure.Run] = []
    with cluster.fresh_machines() as machines:
        inputs.write(folder / "inputs", machines, folder / "check.log")
    for pair in range(pairs):
        sides = [measure.site, measure.bare]
        for side in sides if pair % 2 == 0 else reversed(sides):
            found = measure.both_runs(side, folder)
            runs += found
            for run in found:
                print(
                    f"pair {pair + 1}: {run.side}, run {run.number}: {run.seconds:.1f} s",
                    flush=True,
                )
    return runs


if __name__ == "__main__":
    sys.exit(main())
