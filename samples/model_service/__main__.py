# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run the model-service; see README.md beside the samples for its settings."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from samples.common.service import run
from samples.model_service.model import Model, ModelFileError
from samples.model_service.service import make_model_service


def main() -> None:
    path = Path(os.environ.get("MODEL_FILE") or Path(__file__).with_name("model.json"))
    try:
        model = Model.load(path)
    except ModelFileError as error:
        sys.exit(f"model-service: {error}")
    run("model-service", model.version, lambda: make_model_service(model))


if __name__ == "__main__":
    main()
