# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.roost.cluster.plugins.module_utils.api.client import (
    Refused,
    Unreachable,
)
from ansible_collections.roost.cluster.plugins.module_utils.release import lease
from ansible_collections.roost.cluster.plugins.plugin_utils.rollout.lock import (
    Held,
    Lock,
    Lost,
)
from rollout_server import Clock, Server

LEASE = "Lease digits/roost-digits"


class Place:
    """A server, and the machines of operators around it with clocks of their own."""

    def __init__(self) -> None:
        self.server = Server()
        self.clock = Clock()

    def lock(self, who: str, session: str = "", skew: float = 0.0) -> Lock:
        clock = Clock()
        clock.skew = skew

        def now():  # type: ignore[no-untyped-def]  # what it gives is what Lock takes
            clock.seconds = self.clock.seconds
            return clock.now()

        return Lock(
            self.server,
            "digits",
            "digits",
            who,
            session or who,
            self.clock.monotonic,
            self.clock.sleep,
            now,
        )

    @property
    def holder(self) -> lease.Holder | None:
        return lease.held_by(self.server.objects.get(LEASE))


@pytest.fixture
def place() -> Place:
    return Place()


def test_the_first_one_gets_it_at_once_and_is_written_down(place: Place) -> None:
    place.lock("ann@desk", "s1").acquire()
    assert place.clock.seconds == 0
    assert str(place.holder) == "ann@desk since 2026-11-28T12:00:00.000000Z"
    labels = place.server.objects[LEASE]["metadata"]["labels"]
    assert labels["app.kubernetes.io/part-of"] == "digits"


@pytest.mark.parametrize("skew", [0.0, -3600.0, 3600.0])
def test_a_holder_that_renews_is_alive_whatever_the_clocks_say(place: Place, skew: float) -> None:
    first = place.lock("ann@desk", skew=skew)
    first.acquire()
    place.clock.every(lease.RENEW_SECONDS, first.renew)
    with pytest.raises(Held, match="steered by ann@desk since 2026-11-28T") as refused:
        place.lock("bob@lab").acquire()
    assert place.clock.seconds <= lease.RENEW_SECONDS + 1
    for command in ("playbooks/promote.yml", "playbooks/rollback.yml"):
        assert f"ansible-playbook {command}" in str(refused.value)
    assert place.holder and place.holder.who == "ann@desk"


def test_the_same_person_in_another_terminal_is_somebody_else(place: Place) -> None:
    first = place.lock("ann@desk", "s1")
    first.acquire()
    place.clock.every(lease.RENEW_SECONDS, first.renew)
    with pytest.raises(Held):
        place.lock("ann@desk", "s2").acquire()


def test_a_holder_that_died_is_waited_out(place: Place) -> None:
    dead = place.lock("ann@desk")
    dead.acquire()
    place.clock.sleep(10)
    place.lock("bob@lab").acquire()
    assert place.holder and place.holder.who == "bob@lab"
    assert lease.STALE_SECONDS <= place.clock.seconds <= lease.STALE_SECONDS + 1
    with pytest.raises(Lost, match="bob@lab since .* took over"):
        dead.renew()


def test_one_that_died_long_ago_is_watched_only_as_long_as_a_living_one_takes(
    place: Place,
) -> None:
    place.lock("ann@desk").acquire()
    place.clock.sleep(3600)
    place.lock("bob@lab").acquire()
    assert place.clock.seconds - 3600 <= lease.RENEW_SECONDS + 3


def test_a_lock_that_was_given_back_is_free_at_once(place: Place) -> None:
    first = place.lock("ann@desk")
    first.acquire()
    first.release()
    assert place.holder is None
    place.lock("bob@lab").acquire()
    assert place.clock.seconds == 0
    with pytest.raises(Lost):
        first.renew()


def test_given_back_while_somebody_watches(place: Place) -> None:
    first = place.lock("ann@desk")
    first.acquire()
    place.clock.events.append((2.0, first.release))
    place.lock("bob@lab").acquire()
    assert place.clock.seconds <= 3
    assert place.holder and place.holder.who == "bob@lab"


def test_a_decision_takes_it_from_whoever_has_it(place: Place) -> None:
    first = place.lock("ann@desk")
    first.acquire()
    former = place.lock("bob@lab").seize()
    assert former and former.who == "ann@desk"
    assert place.clock.seconds == 0
    with pytest.raises(Lost, match="bob@lab since"):
        first.renew()
    # Giving back what one no longer has takes nothing from the other.
    first.release()
    assert place.holder and place.holder.who == "bob@lab"


def test_seizing_a_stale_or_free_lock_takes_it_from_nobody(place: Place) -> None:
    assert place.lock("bob@lab").seize() is None
    place.clock.sleep(lease.STALE_SECONDS)
    assert place.lock("ann@desk").seize() is None


def test_two_at_the_same_moment(place: Place) -> None:
    """Both have seen that nobody holds it; only one of the two writes succeeds."""
    first, second = place.lock("ann@desk"), place.lock("bob@lab")
    read = place.server.get

    def first_writes_in_between(item):  # type: ignore[no-untyped-def]  # as get
        found = read(item)
        place.server.get = read  # type: ignore[method-assign]  # the stub's own again
        first.acquire()
        return found

    place.server.get = first_writes_in_between  # type: ignore[method-assign]  # for one call
    with pytest.raises(Held, match="ann@desk"):
        second.acquire()


def test_a_server_that_is_away_is_put_up_with_until_others_may_take_over(place: Place) -> None:
    lock = place.lock("ann@desk")
    lock.acquire()
    place.clock.sleep(lease.STALE_SECONDS - 1)
    place.server.trouble = Unreachable("no answer")
    lock.renew()
    place.clock.sleep(1)
    place.server.trouble = Unreachable("no answer")
    with pytest.raises(Lost, match="could not be renewed in time: no answer"):
        lock.renew()


def test_a_renewal_of_which_only_the_answer_was_lost_is_no_loss(place: Place) -> None:
    lock = place.lock("ann@desk")
    lock.acquire()
    replace = place.server.replace

    def without_answer(item):  # type: ignore[no-untyped-def]  # as replace
        place.server.replace = replace  # type: ignore[method-assign]  # the stub's own again
        replace(item)
        raise Unreachable("no answer")

    place.server.replace = without_answer  # type: ignore[method-assign]  # for one call
    lock.renew()
    place.clock.sleep(lease.RENEW_SECONDS)
    lock.renew()
    lock.release()
    assert place.holder is None


def test_a_server_without_its_etcd_is_put_up_with_too(place: Place) -> None:
    lock = place.lock("ann@desk")
    lock.acquire()
    for status in (429, 500, 503):
        place.server.trouble = Refused(status, "etcdserver: request timed out")
        lock.renew()
    place.clock.sleep(lease.STALE_SECONDS)
    place.server.trouble = Refused(503, "etcdserver: request timed out")
    with pytest.raises(Lost, match="could not be renewed in time: etcdserver"):
        lock.renew()


@pytest.mark.parametrize("take", ["seize", "acquire"])
def test_given_back_between_a_look_and_the_write(place: Place, take: str) -> None:
    first, second = place.lock("ann@desk"), place.lock("bob@lab")
    first.acquire()
    place.clock.sleep(lease.STALE_SECONDS)
    replace = place.server.replace

    def after_it_was_given_back(item):  # type: ignore[no-untyped-def]  # as replace
        place.server.replace = replace  # type: ignore[method-assign]  # the stub's own again
        first.release()
        return replace(item)

    place.server.replace = after_it_was_given_back  # type: ignore[method-assign]  # for one call
    getattr(second, take)()
    assert place.holder and place.holder.who == "bob@lab"


def test_a_lock_that_somebody_deleted_is_lost(place: Place) -> None:
    lock = place.lock("ann@desk")
    lock.acquire()
    place.server.objects.clear()
    with pytest.raises(Lost, match="somebody removed the lock"):
        lock.renew()


def test_what_the_server_forbids_is_no_matter_of_who_holds_it(place: Place) -> None:
    lock = place.lock("ann@desk")
    lock.acquire()
    place.server.trouble = Refused(403, "forbidden")
    with pytest.raises(Refused, match="forbidden"):
        lock.renew()


def test_only_a_holder_that_renewed_lately_counts_for_others(place: Place) -> None:
    place.lock("ann@desk").acquire()
    found = place.server.objects[LEASE]
    place.clock.sleep(lease.STALE_SECONDS - 1)
    assert lease.alive(found, place.clock.now())
    place.clock.sleep(1)
    assert lease.alive(found, place.clock.now()) is None
    assert lease.alive(None, place.clock.now()) is None
