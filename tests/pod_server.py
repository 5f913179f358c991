# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Answers every request with what it sees of it; runs in pods of tests with nothing but Python.

/bytes/N answers with N bytes. Arguments: the pod's name, the port.
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path.startswith("/bytes/"):
            body = b"x" * int(self.path.rpartition("/")[2])
        else:
            seen = {
                "pod": sys.argv[1],
                "path": self.path,
                "peer": self.client_address[0],
                "headers": {key.lower(): value for key, value in self.headers.items()},
            }
            body = json.dumps(seen).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(("", int(sys.argv[2])), Handler).serve_forever()
