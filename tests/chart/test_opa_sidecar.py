"""The sidecar as it is rendered, run with the real OPA: it judges, says that it is well, and nothing else."""

from __future__ import annotations

import dataclasses
import http.client
import json
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from ecs_admission.engines.archives import unpack
from ecs_admission.engines.bundles.format import MANIFEST, write_archive
from ecs_admission.engines.bundles.served import serve_merged
from ecs_admission.engines.opa import OpaEngine
from ecs_admission.engines.pack import Pack
from ecs_admission.revision import Revision
from ecs_admission.tripwires import check_revision
from tests.chart.rendering import CHART, render
from tests.engines.opa_server import opa_program

pytestmark = pytest.mark.opa

SECONDS = 30
EVALUATION = "/v1/data/admission/main/evaluation"
REFUSED = 401


@dataclasses.dataclass
class Source:
    """The service beside the sidecar: what it serves, and what it was asked."""

    bundle: bytes
    port: int = 0
    asked: list[tuple[str, str | None]] = dataclasses.field(default_factory=list)


@contextmanager
def serving(bundle: bytes) -> Iterator[Source]:
    """Serve a bundle on the loopback until the block ends."""
    source = Source(bundle)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            source.asked.append((self.path, self.headers.get("Authorization")))
            self.send_response(200)
            self.send_header("Content-Type", "application/gzip")
            self.send_header("Content-Length", str(len(source.bundle)))
            self.end_headers()
            self.wfile.write(source.bundle)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        source.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield source
        server.shutdown()


class Sidecar:
    """OPA with the arguments and the files of the chart, at places of this machine."""

    def __init__(self, folder: Path, source: Source) -> None:
        rendered = render("opa-values.yaml")
        container, files = rendered.container("opa").spec, rendered.one("ConfigMap", "-opa")["data"]
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.health_port = probe.getsockname()[1]
        places = {
            "/etc/opa": f"{folder}/etc/opa",
            "/run/opa": f"{folder}/run/opa",
            "/run/secrets": f"{folder}/run/secrets",
            "http://127.0.0.1:8080": f"http://127.0.0.1:{source.port}",
            "0.0.0.0:8282": f"127.0.0.1:{self.health_port}",
        }

        def here(text: str) -> str:
            for place, other in places.items():
                text = text.replace(place, other)
            return text

        for mount in container["volumeMounts"]:
            path = folder / mount["mountPath"][1:]
            (path.parent if "subPath" in mount else path).mkdir(parents=True, exist_ok=True)
            if "subPath" in mount:
                path.write_text(here(files[mount["subPath"]]))
        (folder / "run/secrets/opa/token").write_text("a-credential")
        self.socket = folder / "run/opa/opa.sock"
        self._command = [opa_program(), *map(here, container["args"])]
        self._output = folder / "output"
        self.start()

    def start(self) -> None:
        """Start it, also again."""
        with self._output.open("ab") as output:
            self.process = subprocess.Popen(self._command, stdout=output, stderr=output)

    def end(self) -> None:
        """End it the hard way, as a node does that runs out of memory."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(SECONDS)

    @property
    def log(self) -> str:
        """All that it wrote."""
        return self._output.read_text()

    @property
    def is_listening(self) -> bool:
        """Whether it can be asked yet."""
        return self.ask("GET", "/health") != 0

    @property
    def answers_health(self) -> bool:
        """Whether it can be probed yet: that port comes later."""
        try:
            return self.ask_health("GET", "/health") != 0
        except OSError:
            return False

    def ask(self, method: str, target: str, body: Any = None) -> int:
        """The status of its answer on the socket; 0 where nobody listens."""
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(SECONDS)
        try:
            connection.sock.connect(str(self.socket))
        except OSError:
            connection.close()
            return 0
        return _status(connection, method, target, body)

    def ask_health(self, method: str, target: str) -> int:
        """The status of its answer on the port of the probe."""
        return _status(http.client.HTTPConnection("127.0.0.1", self.health_port, timeout=SECONDS), method, target)


def _status(connection: http.client.HTTPConnection, method: str, target: str, body: Any = None) -> int:
    try:
        connection.request(method, target, None if body is None else json.dumps(body))
        return connection.getresponse().status
    finally:
        connection.close()


def wait(condition: Callable[[], bool]) -> None:
    """Until something holds, or for too long."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def source(pack: Pack) -> Iterator[Source]:
    """What the service serves: the pack that ships."""
    with serving(serve_merged(pack).content) as source:
        yield source


@pytest.fixture(scope="module")
def sidecar(tmp_path_factory: pytest.TempPathFactory, source: Source) -> Iterator[Sidecar]:
    """A sidecar that has its bundle."""
    found = Sidecar(tmp_path_factory.mktemp("sidecar"), source)
    try:
        wait(lambda: found.ask("GET", "/health?bundles") == 200)
        yield found
    finally:
        found.end()


@pytest.fixture
def engine(sidecar: Sidecar) -> Iterator[OpaEngine]:
    """The service's engine, with the URL that the chart gives it, at a place of this machine."""
    url = render("opa-values.yaml").container("ecs-admission").environment["ECS_ADMISSION_OPA_URL"]
    assert url == "unix:///run/opa/opa.sock"
    engine = OpaEngine(f"unix://{sidecar.socket}", threads=2, deadline_seconds=SECONDS)
    yield engine
    engine.close()


def test_it_gets_its_bundle_from_the_service_with_its_credential(sidecar: Sidecar, source: Source) -> None:
    assert {("/v1/bundles/policies.tar.gz", "Bearer a-credential")} == set(source.asked)


def test_it_judges_for_the_service(engine: OpaEngine, revision: Revision) -> None:
    engine.probe()
    check_revision(dataclasses.replace(revision, engine=engine))


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("GET", EVALUATION, None),
        ("PUT", EVALUATION, {"x": 1}),
        ("PATCH", EVALUATION, []),
        ("DELETE", EVALUATION, None),
        ("POST", f"{EVALUATION}?explain=full", {"input": {}}),
        ("POST", f"{EVALUATION}?strict-builtin-errors=true&metrics", {"input": {}}),
        ("POST", f"{EVALUATION}?provenance", {"input": {}}),
        ("POST", "/v1/data", {"input": {}}),
        ("POST", "/v1/data/admission/main", {"input": {}}),
        ("POST", f"/{EVALUATION}", {"input": {}}),
        ("POST", "/v1/data/admission/main/../../system/authz", {"input": {}}),
        ("POST", "/v1/data/system/authz/allow", {"input": {}}),
        ("POST", "/v0/data/admission/main/evaluation", {}),
        ("POST", "/", {}),
        ("GET", "/", None),
        ("GET", "/v1/data", None),
        ("GET", "/v1/policies", None),
        ("PUT", "/v1/policies/mine", {}),
        ("DELETE", "/v1/policies/authz.rego", None),
        ("GET", "/v1/config", None),
        ("GET", "/v1/status", None),
        ("GET", "/v1/query?q=data", None),
        ("POST", "/v1/query", {"query": "data"}),
        ("POST", "/v1/compile", {"query": "data"}),
        ("GET", "/metrics", None),
        ("GET", "/health/live", None),
        ("GET", "/health?plugins", None),
        ("POST", "/health", {}),
        ("GET", "/debug/pprof", None),
    ],
)
def test_it_answers_nothing_else(sidecar: Sidecar, method: str, target: str, body: Any) -> None:
    assert REFUSED == sidecar.ask(method, target, body)


def test_the_port_of_the_probe_tells_health_alone(sidecar: Sidecar) -> None:
    probe = render("opa-values.yaml").container("opa").spec["livenessProbe"]["httpGet"]
    assert 200 == sidecar.ask_health("GET", probe["path"])
    assert {REFUSED} == {sidecar.ask_health("GET", target) for target in ("/metrics", "/health?plugins", "/health/x")}
    assert REFUSED <= sidecar.ask_health("POST", EVALUATION)


def test_only_its_own_user_may_open_the_socket(sidecar: Sidecar) -> None:
    assert 0o600 == sidecar.socket.stat().st_mode & 0o777


def test_it_comes_back_after_it_was_killed(sidecar: Sidecar, engine: OpaEngine, revision: Revision) -> None:
    sidecar.end()
    assert sidecar.socket.exists()
    sidecar.start()
    wait(lambda: sidecar.ask("GET", "/health?bundles") == 200)
    check_revision(dataclasses.replace(revision, engine=engine))


def test_a_bundle_cannot_replace_what_it_answers(tmp_path: Path, source: Source) -> None:
    """Not one that owns everything, and none that brings rules of its own for who may ask."""
    files = unpack(source.bundle)
    everything = files | {MANIFEST: orjson.dumps({**orjson.loads(files[MANIFEST]), "roots": [""]})}
    opening = b"package system.authz\n\nallow := true\n"
    greedy = orjson.dumps({"revision": "x", "roots": ["system"], "rego_version": 1})
    for number, bundle in enumerate((everything, {MANIFEST: greedy, "authz.rego": opening})):
        folder = tmp_path / str(number)
        folder.mkdir()
        with serving(write_archive(bundle)) as other:
            sidecar = Sidecar(folder, other)
            try:
                wait(lambda sidecar=sidecar: "overlapping roots" in sidecar.log and sidecar.is_listening)  # type: ignore[misc]
                assert [500, REFUSED] == [sidecar.ask("GET", "/health?bundles"), sidecar.ask("GET", "/v1/data")]
            finally:
                sidecar.end()


def test_before_it_has_a_bundle_it_is_not_ready_and_judges_nothing(tmp_path: Path) -> None:
    with serving(b"no bundle") as other:
        sidecar = Sidecar(tmp_path, other)
        try:
            wait(lambda: "Bundle" in sidecar.log and sidecar.is_listening)
            assert 500 == sidecar.ask("GET", "/health?bundles")
            wait(lambda: sidecar.answers_health)
            assert 200 == sidecar.ask_health("GET", "/health"), "nor is it killed for that"
        finally:
            sidecar.end()


def test_its_release_is_the_one_that_the_policies_are_tested_with() -> None:
    tag = yaml.safe_load((CHART / "values.yaml").read_text())["opa"]["image"]["tag"]
    version = subprocess.run([opa_program(), "version"], capture_output=True, text=True, check=True).stdout
    assert f"Version: {tag.removesuffix('-static')}\n" in version


def test_its_rules_check_and_are_formatted() -> None:
    path = str(CHART / "files/authz.rego")
    subprocess.run([opa_program(), "check", "--strict", path], check=True)
    subprocess.run([opa_program(), "fmt", "--fail", "--list", path], check=True, capture_output=True)
