"""Run a server that a page starts until it is ready, then end it: `python -m tests.docs.stays KIND COMMAND...`."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.service.running_service import free_port

_PATIENCE_SECONDS = 30
_PATHS = {"opa": "/health?bundles", "ecs-admission": "/readyz"}


def main(kind: str, *command: str) -> int:
    """The exit status that the page's reader would not see: 0 for a server that became ready."""
    port = free_port()
    arguments = [*command]
    with tempfile.TemporaryDirectory() as folder:
        environment = dict(os.environ)
        if kind == "opa":
            if "--addr" in arguments:
                place = arguments.index("--addr")
                del arguments[place : place + 2]
            arguments += ["--addr", f"127.0.0.1:{port}"]
        else:
            own = Path(environment["ECS_ADMISSION_DATA_DIR"]).is_relative_to(
                Path.cwd()
            )  # a page's, and no other service's
            data = environment["ECS_ADMISSION_DATA_DIR"] if own else folder
            environment |= {"ECS_ADMISSION_BIND": f"127.0.0.1:{port}", "ECS_ADMISSION_DATA_DIR": data}
        with subprocess.Popen(arguments, env=environment, cwd=os.getcwd()) as process:
            try:
                return 0 if _becomes_ready(process, port, _PATHS[kind]) else 1
            finally:
                process.terminate()


def _becomes_ready(process: subprocess.Popen[bytes], port: int, path: str) -> bool:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_SECONDS)
        try:
            connection.request("GET", path)
            if connection.getresponse().status == http.client.OK:
                return True
        except (OSError, http.client.HTTPException):
            time.sleep(0.05)
        finally:
            connection.close()
    return False


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
