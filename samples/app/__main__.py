# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run the app; see README.md beside the samples for its settings."""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette

from samples.app.model_client import ModelClient
from samples.app.service import make_app
from samples.common import settings
from samples.common.service import run

# Written when the image is built. It is a file because anyone can set an environment variable.
VERSION_FILE = Path(__file__).with_name("version.txt")


def main() -> None:
    version = VERSION_FILE.read_text("ascii").strip() if VERSION_FILE.exists() else "dev"

    def make() -> Starlette:
        client = ModelClient(
            settings.http_url("MODEL_SERVICE_URL", "http://model-service:8080"),
            settings.number("MODEL_TIMEOUT_SECONDS", 5, 0.01, 60),
        )
        return make_app(version, client)

    run("app", version, make)


if __name__ == "__main__":
    main()
