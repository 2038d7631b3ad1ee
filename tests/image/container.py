"""A container without a daemon: the image's own files, user, entry point and environment, on a read-only root.

What `docker run --read-only --cap-drop ALL --security-opt no-new-privileges` does that a test can do with util-linux
alone: mount and process namespaces of its own, a root file system that is mounted read-only, no capability, no way to
get one, and an unprivileged user. Network, limits and seccomp are the machine's.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

ROOT = Path(__file__).resolve().parent.parent.parent
DATA = "/var/lib/ecs-admission"

_ENTER = """
set -eu
root=$1 data=$2 user=$3
shift 3
mount --make-rprivate /
mount --bind "$root" "$root"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount -t tmpfs -o size=64m,mode=1777 tmpfs "$root/tmp"
[ -z "$data" ] || mount --bind "$data" "$root/var/lib/ecs-admission"
# Not even by accident: no shell can be started.
for shell in sh bash dash; do
    [ ! -e "$root/usr/bin/$shell" ] || mount --bind /dev/null "$root/usr/bin/$shell"
done
mount -o remount,bind,ro,nosuid "$root"
exec setpriv --no-new-privs --inh-caps=-all --bounding-set=-all,+sys_chroot,+setuid,+setgid \
    /usr/sbin/chroot --userspec="$user" --groups= "$root" "$@"
"""


@dataclass(frozen=True, slots=True)
class Image:
    """An image whose files are at `files`, and its configuration as OCI names it."""

    name: str
    files: Path
    config: Mapping[str, Any]

    @property
    def environment(self) -> dict[str, str]:
        """The environment that it starts with."""
        return dict(variable.split("=", 1) for variable in self.config["Env"])

    def command(self, *arguments: str, data: Path | None = None, entrypoint: Sequence[str] = ()) -> list[str]:
        """The command line of a container; `data` is the volume at /var/lib/ecs-admission."""
        enter = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", _ENTER, "sh"]
        program = [*(entrypoint or self.config["Entrypoint"]), *(arguments or self.config["Cmd"])]
        return [*enter, str(self.files), str(data or ""), self.config["User"], *program]

    def run(
        self, *arguments: str, data: Path | None = None, entrypoint: Sequence[str] = (), **environment: str
    ) -> subprocess.CompletedProcess[str]:  # fmt: skip
        """Run a container to its end."""
        return subprocess.run(
            self.command(*arguments, data=data, entrypoint=entrypoint),
            env=machine_path() | self.environment | environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def python(self, code: str, **environment: str) -> str:
        """What a piece of Python prints inside."""
        done = self.run("-c", code, entrypoint=["/opt/ecs-admission/bin/python"], **environment)
        assert [0, ""] == [done.returncode, done.stderr]
        return done.stdout


def machine_path() -> dict[str, str]:
    """What finds `unshare` and the others where the image's own PATH is not set."""
    return {"PATH": os.environ["PATH"]}


def buildah(*arguments: str) -> str:
    """Run buildah on the storage of this checkout."""
    done = subprocess.run([ROOT / "tools/buildah", *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@contextmanager
def mounted(name: str) -> Iterator[Image]:
    """The image `name` with its files in a folder, until the block ends."""
    container = buildah("from", "--pull=false", name)
    try:
        described = orjson.loads(buildah("inspect", "--type", "image", name))
        yield Image(name, Path(buildah("mount", container)), described["OCIv1"]["config"])
    finally:
        buildah("rm", container)


def end(process: subprocess.Popen[bytes]) -> int:
    """End a container as an orchestrator does: a signal to its first process, then time, then force.

    `unshare`, which `process` is, keeps the signal to itself.
    """
    if process.poll() is not None:
        return process.returncode
    for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
        os.kill(int(child), signal.SIGTERM)
    try:
        return process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


@contextmanager
def volume(owner: int) -> Iterator[Path]:
    """A new folder as a volume of an image is made: with the owner and the mode of what it covers.

    In the checkout, since a folder in memory would be refused, as it should be.
    """
    with tempfile.TemporaryDirectory(dir=ROOT / ".tools/image", prefix="volume.") as name:
        shutil.chown(name, owner, owner)
        yield Path(name)
