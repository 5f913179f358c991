# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Shows what is being done: live lines on a terminal, plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TransferSpeedColumn,
)

DETAIL_WIDTH = 60


class _Shown:
    """Lines with these columns behind their names, shown on a terminal while it is entered."""

    def __init__(self, *columns: ProgressColumn) -> None:
        self._done = 0
        self._console = Console()
        self._live = self._console.is_terminal
        self._progress = Progress(
            TextColumn("{task.description}"),
            *columns,
            console=self._console,
            disable=not self._live,
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()


class Board(_Shown):
    """One line for each thing being built, and one for how many are done."""

    def __init__(self, total: int) -> None:
        super().__init__(
            BarColumn(20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[detail]}"),
        )
        self._total = total
        self._guard = threading.Lock()
        self._all = self._progress.add_task("bundle", total=total, detail="")

    def record(self, write: Callable[[], None]) -> None:
        """Write down a result, one thread at a time."""
        with self._guard:
            write()

    @contextmanager
    def line(self, name: str) -> Iterator[Callable[[str], None]]:
        """A line for one thing; yields a function that tells what it is doing now."""
        began = time.monotonic()
        task = self._progress.add_task(name, total=None, detail="")
        if not self._live:
            self._console.print(f"{name} …", highlight=False)
        yield lambda detail: self._progress.update(task, detail=detail[:DETAIL_WIDTH])
        seconds = time.monotonic() - began
        with self._guard:
            self._done += 1
            self._progress.remove_task(task)
            self._progress.advance(self._all)
            self._console.print(
                f"[{self._done}/{self._total}] {name}  {seconds:.0f} s",
                markup=False,
                highlight=False,
            )


class Bytes(_Shown):
    """How many bytes of a known number have been handled: a bar, or a line for each quarter."""

    def __init__(self, what: str, total: int) -> None:
        super().__init__(BarColumn(40), DownloadColumn(), TransferSpeedColumn())
        self._what = what
        self._total = total
        self._task = self._progress.add_task(what, total=total)

    def add(self, count: int) -> None:
        before, self._done = self._done, self._done + count
        self._progress.advance(self._task, count)
        if not self._live and 4 * before // self._total != 4 * self._done // self._total:
            self._console.print(
                f"{self._what}: {self._done / 1e6:.1f} of {self._total / 1e6:.1f} MB",
                highlight=False,
            )
