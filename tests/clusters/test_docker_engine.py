# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Docker Engine is stopped by whoever has started it, and by nobody else.

A real engine, in namespaces of its own: it has the machine's /run, its own storage and network, and
ends with the test. The one that runs here is never touched.
"""

from __future__ import annotations

import pytest

from tests import command
from tests.command import Ran

APART = ("unshare", "--mount", "--pid", "--net", "--fork", "--mount-proc", "--kill-child")
BEFORE = """
set -eu
mkdir -p .roost
for folder in /run /var/lib/docker .roost; do mount -t tmpfs none $folder; done
by_hand() {
  setsid dockerd >/run/by-hand.log 2>&1 &
  for try in $(seq 100); do if runs; then return; fi; sleep 0.1; done
  cat /run/by-hand.log; exit 9
}
runs() { docker version >/dev/null 2>&1; }
must() { "$@" || { echo "expected: $*"; exit 9; }; }
mustnt() { if "$@"; then echo "expected not: $*"; exit 9; fi; }
"""


def on_a_machine_of_its_own(script: str) -> Ran:
    """Run a script where no Docker Engine runs yet."""
    ran = command.run(*APART, "bash", "-c", BEFORE + script)
    assert ran.code == 0
    return ran


def test_it_goes_with_the_last_container() -> None:
    said = on_a_machine_of_its_own("""
        host/docker_engine start
        tar c --files-from=/dev/null | docker import - empty >/dev/null
        docker create --name=halted empty true
        host/docker_engine stop
        must runs
        docker rm halted
        docker network create --label=roost.cluster=lab roost-lab
        host/docker_engine stop
        must runs
        docker network rm roost-lab
        host/docker_engine stop
        mustnt runs
    """).output
    assert said.count("stopping it, for nothing is left in it") == 1


def test_it_begins_when_another_one_has_ended() -> None:
    on_a_machine_of_its_own("""
        mkdir /run/bin
        cp $(command -v sleep) /run/bin/dockerd
        /run/bin/dockerd 3 &
        echo $! >/run/docker.pid
        host/docker_engine start
        must runs
        host/docker_engine stop
        mustnt runs
    """)


def test_it_goes_where_its_package_had_started_it() -> None:
    """As on Debian, where whoever installs it has it running."""
    on_a_machine_of_its_own("""
        export programs=$(dirname $(command -v dockerd))
        mkdir /run/new /run/work /run/bin
        mount -t overlay -o lowerdir=$programs,upperdir=/run/new,workdir=/run/work none $programs
        rm $programs/dockerd
        apt_get() { if [ $1 = install ]; then umount $programs; by_hand; fi; }
        export -f apt_get by_hand runs
        printf '#!/bin/bash\napt_get "$@"' >/run/bin/apt-get
        chmod +x /run/bin/apt-get
        PATH=/run/bin:$PATH host/setup.sh
        must runs
        host/docker_engine stop
        mustnt runs
    """)


def test_it_goes_when_a_first_make_up_is_refused() -> None:
    said = on_a_machine_of_its_own("""
        mustnt env WORKERS=0 make up
        mustnt runs
    """).said
    assert "starting it settings: WORKERS: '0'; expected a number from 1 to 154" in said
    assert said.count("stopping it, for nothing is left in it") == 1


def test_it_goes_at_the_end_of_vagrant_destroy() -> None:
    said = on_a_machine_of_its_own("""
        host/docker_engine start
        export ROOST_CLUSTER=apart VAGRANT_HOME=/run/vagrant
        vagrant destroy --force
        mustnt runs
        mkdir -p .roost/apart/vagrant
        make down
        mustnt runs
    """).said
    assert said.count("stopping it, for nothing is left in it") == 2
    assert "no cluster apart is left" in said


@pytest.mark.parametrize(
    "script",
    [
        "by_hand; host/docker_engine start",
        """
        host/docker_engine start
        kill $(cat /run/docker.pid)
        while [ -e /run/docker.pid ]; do sleep 0.1; done
        by_hand
        """,
    ],
    ids=["ran-before", "was-started-again-by-hand"],
)
def test_one_that_a_person_has_started_stays(script: str) -> None:
    said = on_a_machine_of_its_own(f"{script}\nhost/docker_engine stop\nmust runs").output
    assert "stopping" not in said


def test_it_stays_while_another_checkout_is_at_work() -> None:
    said = on_a_machine_of_its_own("""
        host/docker_engine start
        mkfifo /run/began /run/go-on
        host/docker_engine hold python3 -c '
import subprocess
open("/run/began", "w").close()
open("/run/go-on").close()
subprocess.Popen(["sleep", "60"])
raise SystemExit(3)
' &
        cat /run/began
        host/docker_engine stop
        must runs
        : >/run/go-on
        code=0
        wait $! || code=$?
        must test $code = 3
        host/docker_engine stop
        mustnt runs
    """).output
    assert said.count("it goes on, for another checkout is at work with it") == 1


def test_a_bundle_that_goes_leaves_the_images_of_a_halted_cluster() -> None:
    on_a_machine_of_its_own("""
        host/docker_engine start
        id=$(tar c --files-from=/dev/null | docker import - node)
        docker create --name=halted node true
        export ROOST_CACHE=/run/cache
        loaded() {
          mkdir -p /run/cache/docker
          echo '{"backend": "build", "components": {}}' >/run/cache/bundle.lock
          echo "{\\"id\\": \\"$id\\"}" >/run/cache/docker/node.json
        }
        loaded
        .venv/bin/python -m bundle clean
        must docker image inspect $id
        docker rm halted
        loaded
        .venv/bin/python -m bundle clean
        mustnt docker image inspect $id
    """)
