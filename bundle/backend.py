# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Decides whether the bundle is fetched from official releases or built.

Only the standard library: host/setup.sh asks before there is a .venv.
"""

from __future__ import annotations

import http.client
import os
import re
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bundle.errors import BundleError

FETCH = "fetch"
BUILD = "build"
BACKENDS = (FETCH, BUILD)
VARIABLE = "BUNDLE_SOURCE"
# A small file that is always there, and whose content can't be mistaken for a login page.
OFFICIAL = "https://dl.k8s.io/release/stable.txt"
CONTENT = re.compile(r"v\d+\.\d+\.\d+")
SECONDS = 3.0


@dataclass(frozen=True)
class Decision:
    """The back end that fills the bundle, and why it."""

    backend: str
    reason: str

    def __str__(self) -> str:
        return f"{self.backend} ({self.reason})"


def decide(environment: Mapping[str, str], filled_by: Callable[[], str | None]) -> Decision:
    """The environment, else who has filled the bundle, else whether an official site answers."""
    wanted = environment.get(VARIABLE, "")
    if wanted:
        if wanted not in BACKENDS:
            raise BundleError(f"{VARIABLE}={wanted}: expected {' or '.join(BACKENDS)}, or nothing")
        return Decision(wanted, f"{VARIABLE} is set")
    backend = filled_by()
    if backend:
        return Decision(backend, "the bundle's content came from it")
    site = urllib.parse.urlsplit(OFFICIAL).netloc
    trouble = ask(OFFICIAL)
    return Decision(BUILD, f"{site} {trouble}") if trouble else Decision(FETCH, f"{site} answers")


def ask(url: str, seconds: float = SECONDS) -> str:
    """What is wrong with an official site; nothing, if it answers in time and as expected."""
    said = [f"gave no answer within {seconds:g} s"]

    def request() -> None:
        try:
            with urllib.request.urlopen(url, timeout=seconds) as answer:
                text = answer.read(64).decode(errors="replace")
            said[0] = "" if CONTENT.match(text) else f"answered {text[:40]!r}, expected a version"
        except urllib.error.HTTPError as error:
            said[0] = f"answered {error.code}"
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            if not isinstance(reason, TimeoutError):
                said[0] = f"can't be reached ({reason})"

    # In a thread, because the limit has to hold for the look-up of the name as well.
    thread = threading.Thread(target=request, daemon=True)
    thread.start()
    thread.join(seconds)
    return said[0]


def main() -> int:
    """Print the back end that would fill a bundle of which nothing is there yet."""
    try:
        print(decide(os.environ, lambda: None))
    except BundleError as error:
        print(f"bundle: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
