"""What is compared: a bare OPA server, and the service with each of its engines."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.bodies import ACCOUNT, REGION, Size, request_body
from bench.processes import Program, free_port, running

ROOT = Path(__file__).resolve().parents[1]
OPA = ROOT / ".tools/bin/opa"
SERVICE = ROOT / ".venv/bin/ecs-admission"
SERVICE_BUNDLE = ROOT / "service/ecs_admission/pack/policies.tar.gz"
BARE_PACK = ROOT / "bench/bare_opa"
NAMES = ("bare", "embedded", "opa")
CONTEXT = f"environment=prod&account={ACCOUNT}&region={REGION}"


class WrongAnswerError(RuntimeError):
    """A target gave another verdict than the body calls for, or failed; its numbers would mean nothing."""


@dataclass(frozen=True)
class Target:
    """A running program that judges a body: where to post it, how, and what its answer means."""

    name: str
    url: str
    pid: int
    make_body: Callable[[Size, bool], bytes]
    is_allow: Callable[[int, bytes], bool]
    denies_with_403: bool
    decisions_url: str | None = None


@contextlib.contextmanager
def started(names: list[str], service: Path, folder: Path) -> Iterator[list[Target]]:
    """Run the named targets side by side; `folder` gets their data and logs and must not be on a tmpfs."""
    with contextlib.ExitStack() as stack:
        targets = []
        if "bare" in names:
            targets.append(stack.enter_context(_bare(folder)))
        targets += [stack.enter_context(_service(engine, service, folder)) for engine in names if engine != "bare"]
        yield targets


def clean_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Our environment without settings of the service, so that what is measured does not depend on who measures."""
    return {name: text for name, text in os.environ.items() if not name.startswith("ECS_ADMISSION_")} | dict(extra)


@contextlib.contextmanager
def _bare(folder: Path) -> Iterator[Target]:
    bundle = folder / "bare.tar.gz"
    subprocess.run([OPA, "build", "--bundle", BARE_PACK, "--output", bundle], check=True)
    program, port = _opa_server("bare", bundle)
    with running(program, folder) as pid:
        url = f"http://127.0.0.1:{port}/v1/data/bare/result"
        yield Target("bare", url, pid, _bare_body, _bare_allows, denies_with_403=False)


@contextlib.contextmanager
def _service(engine: str, service: Path, folder: Path) -> Iterator[Target]:
    """Our service with its defaults (2 workers x 8 threads), and the OPA server that engine `opa` asks."""
    with contextlib.ExitStack() as stack:
        port, data = free_port(), folder / f"{engine}-data"
        data.mkdir()
        settings = {
            "ECS_ADMISSION_BIND": f"127.0.0.1:{port}",
            "ECS_ADMISSION_ENGINE": engine,
            "ECS_ADMISSION_DRAIN_SECONDS": "0",
            "ECS_ADMISSION_DATA_DIR": str(data),
        }
        if engine == "opa":
            opa, opa_port = _opa_server("opa-server", SERVICE_BUNDLE)
            stack.enter_context(running(opa, folder))
            settings["ECS_ADMISSION_OPA_URL"] = f"http://127.0.0.1:{opa_port}"
        base = f"http://127.0.0.1:{port}"
        program = Program(engine, [str(service), "serve"], f"{base}/readyz", clean_environment(settings))
        pid = stack.enter_context(running(program, folder))
        url = f"{base}/v1/operations/RegisterTaskDefinition?{CONTEXT}"
        yield Target(engine, url, pid, _service_body, _service_allows, True, f"{base}/v1/decisions?limit=100")


def _opa_server(name: str, bundle: Path) -> tuple[Program, int]:
    port = free_port()
    address = f"127.0.0.1:{port}"
    arguments = [str(OPA), "run", "--server", "--addr", address, "--log-level", "error", "--disable-telemetry"]
    arguments += ["--bundle", str(bundle)]
    return Program(name, arguments, f"http://{address}/health?bundles", clean_environment({})), port


def _bare_body(size: Size, leaky: bool) -> bytes:
    return b'{"input":' + request_body(size, leaky=leaky) + b"}"


def _service_body(size: Size, leaky: bool) -> bytes:
    return request_body(size, leaky=leaky)


def _bare_allows(status: int, answer: bytes) -> bool:
    if status != 200:
        raise WrongAnswerError(f"bare OPA answered {status}")
    return bool(json.loads(answer)["result"]["allowed"])


def _service_allows(status: int, answer: bytes) -> bool:
    """Status and body must agree, and anything but an allow or a deny is an error of the bench."""
    if status not in (200, 403):
        raise WrongAnswerError(f"the service answered {status}: {answer.decode(errors='replace')[:500]}")
    allowed = json.loads(answer)["response"]["allowed"]
    if allowed is not (status == 200):
        raise WrongAnswerError(f"the service answered {status} with allowed={allowed}")
    return status == 200
