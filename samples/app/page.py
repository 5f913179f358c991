# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The page as one document that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

STATIC = Path(__file__).with_name("static")

_STYLESHEET = re.compile(r'<link rel="stylesheet" href="([\w.-]+)">')
_SCRIPT = re.compile(r'<script src="([\w.-]+)"></script>')


@dataclass(frozen=True)
class Page:
    """The page, its security policy and its entity tag, made once when the service starts."""

    document: bytes
    policy: str
    tag: str

    async def answer(self, request: Request) -> Response:
        """The endpoint /."""
        headers = {
            "content-security-policy": self.policy,
            "referrer-policy": "no-referrer",
            "x-content-type-options": "nosniff",
            "etag": self.tag,
            # Two versions may be live: ask each time, and get 304 if it is still the same.
            "cache-control": "no-cache",
        }
        if request.headers.get("if-none-match") == self.tag:
            return Response(status_code=304, headers=headers)
        return Response(self.document, media_type="text/html", headers=headers)


def load_page() -> Page:
    """Put style and scripts into the document.

    In one piece, because while a canary is live a second request for a script could be answered
    by the other version. The policy allows exactly these pieces, by their hash.
    """
    hashes: dict[str, list[str]] = {"style": [], "script": []}

    def inline(tag: str, name: str) -> str:
        text = (STATIC / name).read_text("utf-8")
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
        hashes[tag].append(f"'sha256-{digest}'")
        return f"<{tag}>{text}</{tag}>"

    html = (STATIC / "index.html").read_text("utf-8")
    html = _STYLESHEET.sub(lambda match: inline("style", match[1]), html)
    html = _SCRIPT.sub(lambda match: inline("script", match[1]), html)
    document = html.encode()
    policy = "; ".join(
        (
            "default-src 'none'",
            f"style-src {' '.join(hashes['style'])}",
            f"script-src {' '.join(hashes['script'])}",
            "connect-src 'self'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )
    return Page(document, policy, f'"{hashlib.sha256(document).hexdigest()[:32]}"')
