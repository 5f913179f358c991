# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import threading

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.api.parallel import in_parallel


def test_answers_come_in_the_order_of_the_things() -> None:
    first_may_end = threading.Event()

    def ask(number: int) -> int:
        if number == 1:
            assert first_may_end.wait(timeout=10)
        else:
            first_may_end.set()
        return number * 10

    assert in_parallel(ask, [1, 2]) == [10, 20]
    assert in_parallel(ask, []) == []


def test_no_more_at_once_than_was_said() -> None:
    running, most = 0, 0
    lock = threading.Lock()
    three = threading.Barrier(3)

    def ask(_number: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        three.wait(timeout=10)
        with lock:
            running -= 1

    in_parallel(ask, range(9), at_once=3)
    assert most == 3


def test_an_error_comes_through() -> None:
    with pytest.raises(ZeroDivisionError):
        in_parallel(lambda number: 1 // number, [1, 0])
