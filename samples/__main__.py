# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Both services on this machine, to try them: python -m samples [VERSION] [PORT]."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path


def main(version: str = "v2", port: str = "8080") -> None:
    repository = Path(__file__).resolve().parent.parent
    model_port = str(int(port) + 1)
    with ExitStack() as stack:
        model_file = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "model.json"
        train = ["samples.model_service.train", "--version", version, "--output", str(model_file)]
        subprocess.run([sys.executable, "-m", *train], cwd=repository, check=True)
        local = {**os.environ, "HOST": "127.0.0.1", "PYTHONPATH": str(repository)}
        environments = {
            "model_service": {"PORT": model_port, "MODEL_FILE": str(model_file)},
            "app": {"PORT": port, "MODEL_SERVICE_URL": f"http://127.0.0.1:{model_port}"},
        }
        processes = []
        for name, environment in environments.items():
            command = [sys.executable, "-m", f"samples.{name}"]
            process = subprocess.Popen(command, env={**local, **environment})
            stack.callback(process.wait)
            stack.callback(process.terminate)
            processes.append(process)
        print(f"Open http://127.0.0.1:{port}/ ; stop with Ctrl-C.", flush=True)
        try:
            processes[-1].wait()
        except KeyboardInterrupt:
            print("stopping", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
