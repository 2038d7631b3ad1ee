"""What is in the image, what is not, and that it judges as its own user on a read-only root file system."""

from __future__ import annotations

import contextlib
import http.client
import re
import shutil
import subprocess
import tarfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest

from ecs_admission import __version__
from tests.image.container import DATA, ROOT, Image, buildah, end, machine_path, volume
from tests.service.canaries import Canaries
from tests.service.running_service import OPERATION, Reply, free_port, wait_until

USER = 65532
OURS = ("opt/ecs-admission", "var/lib/ecs-admission", "run/ecs-admission")


@pytest.fixture(scope="module")
def layer(tmp_path_factory: pytest.TempPathFactory, image: Image) -> Iterator[list[tarfile.TarInfo]]:
    """What the image adds to its base."""
    folder = tmp_path_factory.mktemp("oci")
    buildah("push", "--quiet", image.name, f"oci:{folder}:image")
    index = orjson.loads((folder / "index.json").read_bytes())
    blobs = folder / "blobs/sha256"
    manifest = orjson.loads((blobs / index["manifests"][0]["digest"].removeprefix("sha256:")).read_bytes())
    compressed = sum(each["size"] for each in manifest["layers"])
    print(f"compressed: {compressed / 1e6:.0f} MB, of it ours: {manifest['layers'][-1]['size'] / 1e6:.0f} MB")
    with tarfile.open(blobs / manifest["layers"][-1]["digest"].removeprefix("sha256:")) as file:
        yield file.getmembers()
    shutil.rmtree(folder)


def test_it_says_what_it_is_and_how_it_runs(image: Image) -> None:
    config = image.config
    assert f"{USER}:{USER}" == config["User"]
    assert [["/opt/ecs-admission/bin/ecs-admission"], ["serve"]] == [config["Entrypoint"], config["Cmd"]]
    assert [{"8080/tcp": {}}, {DATA: {}, "/run/ecs-admission": {}}] == [config["ExposedPorts"], config["Volumes"]]
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in config["Labels"].items()}
    assert ["ecs-admission", __version__, "Apache-2.0"] == [
        labels["title"], labels["version"], labels["licenses"]
    ]  # fmt: skip
    assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?|unknown", labels["revision"])


def test_its_environment_is_settings_that_the_service_accepts(image: Image) -> None:
    code = "from ecs_admission.settings import read_settings as r; s = r(); print(s.bind, s.authentication, s.data_dir)"
    assert f"0.0.0.0:8080 required {DATA}\n" == image.python(code)


def test_it_adds_to_its_base_nothing_but_three_folders(layer: list[tarfile.TarInfo]) -> None:
    parents = {"opt", "run", "var", "var/lib", *OURS}
    names = [member.name.strip("/") for member in layer]
    assert [] == [name for name in names if name not in parents and not name.startswith(tuple(f"{o}/" for o in OURS))]
    assert set(OURS[1:]) == {name for name in names if name.startswith(OURS[1:])}


def test_it_brings_no_test_cache_configuration_or_installer(layer: list[tarfile.TarInfo]) -> None:
    unwanted = re.compile(
        r"/(pip|uv|setuptools|hatchling|pytest|hypothesis|moto)(-[0-9.]+\.dist-info)?/|/pip\.conf|/uv\.toml|/\.cache/"
        r"|/ecs_admission/.*test_|\.key$|\.sqlite3$|\.env$|/\.git/"
    )
    assert [] == [member.name for member in layer if unwanted.search(f"/{member.name}/")]


def test_the_runtime_user_owns_only_its_data_and_the_detectors_cache(layer: list[tarfile.TarInfo]) -> None:
    owned = {
        member.name.strip("/"): oct(member.mode & 0o7777) for member in layer if member.uid != 0 or member.gid != 0
    }
    cached = "opt/ecs-admission/cache/kingfisher"
    rules = [name for name in owned if name.startswith(f"{cached}/")]
    assert 1 == len(rules)
    folders = {"opt/ecs-admission/cache": "0o755", cached: "0o500", OURS[1]: "0o700", OURS[2]: "0o700"}
    assert folders | {rules[0]: "0o400"} == owned
    assert {(USER, USER)} == {(member.uid, member.gid) for member in layer if member.name.strip("/") in owned}
    assert [] == [member.name for member in layer if member.mode & 0o6000 or (member.mode & 0o002 and member.isfile())]


def test_it_has_no_file_of_this_machine(image: Image) -> None:
    for path in ("etc/pip.conf", "etc/uv", "etc/apt/sources.list", "root/.cache", "src", "tools", "dist", "owned"):
        assert not (image.files / path).exists(), path


def test_its_user_has_no_capability_and_can_write_nowhere_else(image: Image, data: Path) -> None:
    code = (
        "import os, pathlib\n"
        "print(os.getresuid(), os.getresgid(), os.getgroups())\n"
        "print(*(l for l in open('/proc/self/status') if l.startswith(('CapPrm', 'CapEff', 'NoNewPrivs'))), sep='')\n"
        "for folder in ('/', '/opt/ecs-admission', os.environ['KF_RULE_CACHE_DIR'], '/etc', '/var/lib', '/run'):\n"
        "    try: pathlib.Path(folder, 'x').touch(); print(folder)\n"
        "    except OSError: pass\n"
        f"for folder in ('/tmp', '{DATA}'): pathlib.Path(folder, 'x').touch()\n"
        f"pathlib.Path('{DATA}', 'x').unlink()\n"
    )
    done = image.run("-c", code, data=data, entrypoint=["/opt/ecs-admission/bin/python"])
    assert "" == done.stderr
    zero = "0" * 16
    assert (
        f"({USER}, {USER}, {USER}) ({USER}, {USER}, {USER}) []\nCapPrm:\t{zero}\nCapEff:\t{zero}\nNoNewPrivs:\t1\n"
        == done.stdout.replace("\n\n", "\n")
    )


def test_nothing_is_compiled_when_it_starts(image: Image) -> None:
    code = (
        "import os, sys, ecs_admission.app, ecs_admission.server, ecs_admission.cli.serve, ecs_admission.wsgi\n"
        "import opentelemetry.sdk.trace, opentelemetry.exporter.otlp.proto.http\n"
        "cached = [m.__cached__ for m in sys.modules.values() if getattr(m, '__cached__', None)]\n"
        "print(len(cached) > 500, [path for path in cached if not os.path.exists(path)])\n"
    )
    assert "True []\n" == image.python(code)


def test_the_detectors_rules_are_the_ones_that_it_would_compile(image: Image) -> None:
    code = (
        "import os, shutil\n"
        "copy = '/tmp/cache'\n"
        "shutil.copytree(os.environ['KF_RULE_CACHE_DIR'], copy)\n"
        "os.chmod(copy, 0o700)\n"
        "state = lambda: [(e.name, e.stat().st_mtime_ns) for e in os.scandir(copy)]\n"
        "before = state()\n"
        "os.environ['KF_RULE_CACHE_DIR'] = copy\n"
        "from ecs_admission.project.detectors.kingfisher import KingfisherDetector\n"
        "KingfisherDetector()\n"
        "print(len(before), state() == before)\n"
    )
    assert "1 True\n" == image.python(code)


def test_buildah_runs_it_as_its_own_user() -> None:
    # Its chroot isolation heeds user, environment and folder, but leaves the root file system writable.
    container = buildah("from", "--pull=false", f"localhost/ecs-admission:{__version__}")
    try:
        said = buildah("run", container, "--", "/opt/ecs-admission/bin/ecs-admission", "--version")
        identity = buildah("run", container, "--", "python", "-c", "import os; print(os.getuid(), os.getcwd())")
    finally:
        buildah("rm", container)
    assert [f"ecs-admission, version {__version__}", f"{USER} {DATA}"] == [said, identity]


@dataclass(frozen=True, slots=True)
class Running:
    """A container of the image that serves, with a token for its callers."""

    port: int
    token: str
    output: Path
    environment: Mapping[str, str]

    def post(self, body: bytes, token: str | None = None) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            headers = {"Authorization": f"Bearer {token or self.token}"}
            connection.request("POST", f"{OPERATION}?environment=prod", body, headers)
            answer = connection.getresponse()
            return Reply(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    """The volume of the data."""
    with volume(USER) as folder:
        yield folder


def answers(port: int) -> bool:
    """True where the service says that it is ready."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()


@contextmanager
def serving(image: Image, data: Path, output: Path, token: str) -> Iterator[Running]:
    """A container that is ready, until the block ends."""
    port, started = free_port(), time.monotonic()
    environment = {"ECS_ADMISSION_BIND": f"127.0.0.1:{port}", "ECS_ADMISSION_METRICS_BIND": f"127.0.0.1:{free_port()}"}
    with open(output, "ab") as out:
        process = subprocess.Popen(
            image.command(data=data),
            env=machine_path() | image.environment | environment,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        running = Running(port, token, output, environment)
        wait_until(
            lambda: process.poll() is not None or answers(port),
            f"the container was ready: {output.read_text()[-2000:]}",
        )
        assert process.poll() is None, output.read_text()[-2000:]
        print(f"ready after {time.monotonic() - started:.1f} s")
        yield running
    finally:
        end(process)


@pytest.fixture(scope="module")
def running(image: Image, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    made = image.run("tokens", "create", "ci", "--role", "submitter", data=data)
    assert 0 == made.returncode, made.stderr
    with serving(image, data, tmp_path_factory.mktemp("output") / "log", made.stdout.strip()) as running:
        yield running


def test_it_denies_without_repeating_the_literal(running: Running) -> None:
    canaries = Canaries()
    document = orjson.loads((ROOT / "examples/leaky-task-definition.json").read_bytes())
    document["containerDefinitions"][0]["environment"].append({"name": "API_PASSWORD", "value": canaries.word()})
    reply = running.post(orjson.dumps(document))
    assert 403 == reply.status
    assert not reply.json["response"]["allowed"]
    assert {"plaintext/environment"} <= {
        each["reason"] for each in reply.json["response"]["status"]["details"]["causes"]
    }
    assert [] == canaries.found_in(reply.body + running.output.read_bytes())


def test_it_allows_what_is_clean_and_nobody_without_a_credential(running: Running) -> None:
    clean = (ROOT / "examples/clean-task-definition.json").read_bytes()
    assert 200 == running.post(clean).status
    assert 401 == running.post(clean, token="nobody's").status


def test_its_metrics_count_what_it_answered(running: Running) -> None:
    running.post((ROOT / "examples/clean-task-definition.json").read_bytes())
    host, _, port = running.environment["ECS_ADMISSION_METRICS_BIND"].partition(":")

    def counted() -> bool:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://{host}:{port}/metrics", timeout=10) as answer,
        ):
            return re.search(rb"ecs_admission_decisions_total\{[^}]*\} [1-9]", answer.read()) is not None
        return False

    wait_until(counted, "the metrics count a decision")


def test_its_health_is_an_exit_status(running: Running, image: Image, data: Path) -> None:
    asked = image.run("health", "--ready", data=data, **running.environment)
    assert [0, "ready\n"] == [asked.returncode, asked.stdout]
    nobody = image.run("health", data=data, ECS_ADMISSION_BIND="127.0.0.1:1")
    assert [1, "no answer: ConnectionRefusedError\n"] == [nobody.returncode, nobody.stdout]


def test_without_its_volume_it_says_what_is_missing_and_does_not_start(image: Image) -> None:
    done = image.run()
    assert 2 == done.returncode
    assert "ecs-admission: " in done.stderr
    assert DATA in done.stderr
    assert "Traceback" not in done.stderr


def test_what_it_recorded_outlives_it(image: Image, data: Path, running: Running, tmp_path: Path) -> None:
    with serving(image, data, tmp_path / "log", running.token) as second:
        assert 200 == second.post((ROOT / "examples/clean-task-definition.json").read_bytes()).status
    verified = image.run("log", "verify", data=data)
    assert 0 == verified.returncode, verified.stdout + verified.stderr
