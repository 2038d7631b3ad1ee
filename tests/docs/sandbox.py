"""A folder in which the commands of a page run, with a real service. Servers that it starts end once they are ready."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.docs.pages import ROOT, Block, Command
from tests.service.running_service import COMMAND, RunningService

_COPIED = ("examples", "helm", "policies", ".regal")
_TIMEOUT_SECONDS = 120
_SERVERS = ("http://127.0.0.1:8080", "https://admission.example.com")
_ELSEWHERE = {"/etc/ecs-admission": "etc/ecs-admission", "/run/secrets": "secrets", "/tmp/policies": "built-policies"}


@dataclass(slots=True)
class Sandbox:
    """`environment` and `here` are what the commands of a page leave to those after them."""

    folder: Path
    service: RunningService
    environment: dict[str, str] = field(default_factory=dict)
    here: Path = field(default_factory=Path)

    @classmethod
    def make(cls, folder: Path, service: RunningService, *, opa: str, others: Mapping[str, str]) -> Sandbox:
        """What a reader has: a clone of the repository in which the commands are on the PATH, `others` among them."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in _COPIED:
            shutil.copytree(ROOT / name, folder / name)
        shutil.copyfile(ROOT / "examples/clean-task-definition.json", folder / "task-definition.json")
        programs = folder / ".venv" / "bin"
        programs.mkdir(parents=True)
        stays = f"{shlex.quote(sys.executable)} -m tests.docs.stays"
        _script(programs / "ecs-admission", f'[ "$1" != serve ] || exec {stays} ecs-admission {COMMAND} "$@"', COMMAND)
        _script(programs / "opa", f'[ "$1" != run ] || exec {stays} opa {opa} "$@"', opa)
        for name, program in others.items():
            (programs / name).symlink_to(program)
        (programs / "python3").symlink_to(sys.executable)
        environment = dict(service.environment) | {
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(folder),
        }
        return cls(folder, service, environment, folder)

    def run(self, block: Block) -> None:
        """Run a block, and fail where it ends otherwise or prints something else than its page says."""
        for command in block.first:
            self._succeed(command)
        replaced = {text: self._succeed(command).strip() for text, command in block.replaced.items()}
        if block.file is not None:
            file = self.folder / self._here(block.file, {})
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(self._here(block.text, replaced))
        if not block.is_shell or block.not_run is not None:
            return
        commands = block.commands
        for number, command in enumerate(commands, start=1):
            expected = block.exits_with if number == len(commands) else 0
            status, output = self._execute(self._here(command.text, replaced))
            assert status == expected, f"`{command.text}` ended with {status} and not {expected}:\n{output}"
            _check_output(command, output)

    def _succeed(self, command: str) -> str:
        status, output = self._execute(self._here(command, {}))
        assert status == 0, f"`{command}` ended with {status}:\n{output}"
        return output

    def _here(self, text: str, replaced: Mapping[str, str]) -> str:
        """A text of a page as it has to be here: our service, and no folder outside of this one."""
        for server in _SERVERS:
            text = text.replace(server, self.service.url)
        text = text.replace("127.0.0.1:9464", self.service.environment["ECS_ADMISSION_METRICS_BIND"])
        for place, inside in _ELSEWHERE.items():
            text = text.replace(place, str(self.folder / inside))
        for old, new in replaced.items():
            text = text.replace(old, new)
        return text

    def _execute(self, script: str) -> tuple[int, str]:
        state = self.folder / ".state"
        keep = f"trap 'status=$?; env -0 > {state}; echo; pwd > {state}.pwd; exit $status' EXIT"
        done = subprocess.run(
            ["bash", "-c", f"{keep}\nset -eo pipefail\n{script}"],
            cwd=self.here,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_TIMEOUT_SECONDS,
            check=False,
            text=True,
        )
        pairs = (pair.partition("=") for pair in state.read_text().split("\0") if pair)
        self.environment = {name: value for name, _, value in pairs if name != "_"}
        self.here = Path(Path(f"{state}.pwd").read_text().strip())
        return done.returncode, done.stdout


def _script(path: Path, case: str, program: str | Path) -> None:
    path.write_text(f'#!/bin/sh\n{case}\nexec {program} "$@"\n')
    path.chmod(0o755)


def _check_output(command: Command, output: str) -> None:
    """Each line that the page shows is printed, in this order.

    `...` stands for anything, also for lines, and a number for any number.
    """
    rest = output.splitlines()
    for line in command.printed:
        pattern = ".*".join(re.sub(r"[0-9]+", "[0-9]+", re.escape(_spaced(part))) for part in line.split("..."))
        found = next((n for n, printed in enumerate(rest) if re.fullmatch(pattern, _spaced(printed))), None)
        assert found is not None or line.strip() == "...", (
            f"`{command.text}` does not print `{line}`:\n{output[-2000:]}"
        )
        rest = rest if found is None or line.strip() == "..." else rest[found + 1 :]


def _spaced(text: str) -> str:
    """Columns are as wide as what stands in them."""
    return re.sub(r"\s+", " ", text).strip()
