"""The engine `opa` against a real OPA server, and against servers that do whatever a server can do wrong."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecs_admission.engines import opa_transport
from ecs_admission.engines.opa import MAX_ANSWER_BYTES, OpaEngine
from ecs_admission.errors import (
    AdmissionError,
    CannotDecideError,
    DeadlineError,
    EngineUnavailableError,
    EngineUnreachableError,
    SettingsError,
)
from ecs_admission.model import Evaluation, PolicyInput, RawFinding, new_decision_id
from tests.engines.opa_server import OpaServer, build_bundle, serve_bundle
from tests.engines.tcp_faults import Answer, FaultServer, Peer, reply, serve_faults

REGO = """
package admission.main

evaluation := {"decisionId": input.request.uid, "revision": "r", "evaluated": ["a/b"], "findings": findings}

findings := [] if not input.request.number

findings := [{"rule": "a/b", "at": "/x"}] if to_number(input.request.number) > 0
"""

DEADLINE_SECONDS = 0.5
PATIENT_SECONDS = 20.0
HANG_SECONDS = 60

T = TypeVar("T")


def policy_input(*, canary: str = "", **request: object) -> PolicyInput:
    """An input with a decision id of its own. `canary` is a value that must not come out again anywhere."""
    decision_id = new_decision_id()
    body = orjson.dumps({"request": {"uid": decision_id, **request}, "object": {"secret": canary}})
    return PolicyInput(decision_id=decision_id, body=body, places={})


def evaluation_of(request: bytes) -> bytes:
    """What OPA answers to `request`, which echoes the decision id in it."""
    uid = orjson.loads(request.partition(b"\r\n\r\n")[2])["input"]["request"]["uid"]
    return orjson.dumps({"result": {"decisionId": uid, "revision": "r", "evaluated": ["a/b"], "findings": []}})


def answer_well(peer: Peer, request: bytes) -> bool:
    return peer.send(reply(evaluation_of(request)))


def finished(call: Callable[[], T]) -> T:
    """What `call` returns or raises, and a failure of the test if it hangs."""
    returned: list[T] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            returned.append(call())
        except BaseException as error:  # noqa: BLE001  # raised again in the test's own thread
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(HANG_SECONDS)
    assert not thread.is_alive(), "the call hangs"
    if raised:
        raise raised[0]
    return returned[0]


def assert_tells_nothing(error: BaseException, canary: str) -> None:
    assert error.__context__ is None
    assert error.__cause__ is None
    for text in (str(error), repr(error), repr(vars(error)), "".join(traceback.format_exception(error))):
        assert canary not in text


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_bundle(REGO, tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="module")
def opa(bundle: Path) -> Iterator[OpaServer]:
    with serve_bundle(bundle) as server:
        yield server


@pytest.fixture
def engine_for() -> Iterator[Callable[..., OpaEngine]]:
    """Makes engines and closes them."""
    engines: list[OpaEngine] = []

    def make(
        url: str, *, threads: int = 1, deadline_seconds: float = PATIENT_SECONDS, mark: Path | None = None
    ) -> OpaEngine:
        engines.append(OpaEngine(url, threads=threads, deadline_seconds=deadline_seconds, mark=mark))
        return engines[-1]

    yield make
    for engine in engines:
        engine.close()


class TestRealServer:
    """What an OPA of the pinned release does."""

    def test_evaluates_over_tcp(self, opa: OpaServer, engine_for: Callable[..., OpaEngine]) -> None:
        engine, asked = engine_for(opa.url), policy_input(number="1")
        expected = Evaluation(
            decision_id=asked.decision_id,
            revision="r",
            evaluated=frozenset({"a/b"}),
            findings=(RawFinding(rule="a/b", at="/x"),),
        )
        engine.probe()
        assert expected == engine.evaluate(asked)

    def test_evaluates_over_a_unix_socket(
        self, bundle: Path, tmp_path: Path, engine_for: Callable[..., OpaEngine]
    ) -> None:
        with serve_bundle(bundle, unix_socket=tmp_path / "opa.sock") as server:
            engine, asked = engine_for(server.url), policy_input()
            engine.probe()
            assert asked.decision_id == engine.evaluate(asked).decision_id
            engine.close()

    def test_undefined_proves_nothing(self, opa: OpaServer, engine_for: Callable[..., OpaEngine]) -> None:
        nameless = PolicyInput(decision_id="x", body=b"{}", places={})
        with pytest.raises(CannotDecideError, match="undefined"):
            engine_for(opa.url).evaluate(nameless)

    def test_an_error_of_a_builtin_is_an_error(self, opa: OpaServer, engine_for: Callable[..., OpaEngine]) -> None:
        canary = secrets.token_hex(8)
        with pytest.raises(EngineUnavailableError, match=r"status 500 \(internal_error\)") as caught:
            engine_for(opa.url).evaluate(policy_input(number=f"x{canary}"))
        assert_tells_nothing(caught.value, canary)

    def test_a_bad_request_is_named_by_its_code(self, opa: OpaServer, engine_for: Callable[..., OpaEngine]) -> None:
        canary = secrets.token_hex(8)
        broken = PolicyInput(decision_id="x", body=b'"' + canary.encode(), places={})
        with pytest.raises(EngineUnavailableError, match=r"status 400 \(invalid_parameter\)") as caught:
            engine_for(opa.url).evaluate(broken)
        assert_tells_nothing(caught.value, canary)

    def test_each_of_many_threads_gets_its_own_answer(
        self, opa: OpaServer, engine_for: Callable[..., OpaEngine]
    ) -> None:
        engine = engine_for(opa.url, threads=16)

        def ask(_: int) -> list[tuple[str, str]]:
            asked = [policy_input() for _ in range(50)]
            return [(one.decision_id, engine.evaluate(one).decision_id) for one in asked]

        with ThreadPoolExecutor(16) as threads:
            pairs = [pair for pairs in threads.map(ask, range(16)) for pair in pairs]
        assert len(pairs) == 16 * 50
        assert [pair for pair in pairs if pair[0] != pair[1]] == []

    def test_each_of_many_processes_gets_its_own_answer(self, opa: OpaServer) -> None:
        forked = subprocess.run(
            [sys.executable, "-c", FORKING, opa.url], capture_output=True, text=True, timeout=HANG_SECONDS, check=False
        )
        assert (forked.returncode, forked.stdout, forked.stderr) == (0, "wrong answers: [0, 0, 0, 0, 0]\n", "")

    def test_a_killed_server_is_unavailable(self, bundle: Path, engine_for: Callable[..., OpaEngine]) -> None:
        canary = secrets.token_hex(8)
        with serve_bundle(bundle) as server:
            engine = engine_for(server.url)
            engine.evaluate(policy_input())
            server.process.kill()
            server.process.wait()
            with pytest.raises(EngineUnavailableError) as caught:
                finished(partial(engine.evaluate, policy_input(canary=canary)))
            with pytest.raises(EngineUnavailableError):
                finished(engine.probe)
        assert_tells_nothing(caught.value, canary)

    def test_a_stopped_server_is_too_slow_until_it_goes_on(
        self, bundle: Path, engine_for: Callable[..., OpaEngine]
    ) -> None:
        canary = secrets.token_hex(8)
        with serve_bundle(bundle) as server:
            engine = engine_for(server.url, deadline_seconds=DEADLINE_SECONDS)
            engine.evaluate(policy_input())
            server.pause()
            with pytest.raises(DeadlineError, match=r"within 0\.5 s") as caught:
                finished(partial(engine.evaluate, policy_input(canary=canary)))
            server.process.send_signal(signal.SIGCONT)
            asked = policy_input()
            patient = engine_for(server.url)
            assert asked.decision_id == finished(partial(patient.evaluate, asked)).decision_id
        assert_tells_nothing(caught.value, canary)


FORKING = """
import os, sys
from ecs_admission.engines.opa import OpaEngine
from ecs_admission.model import PolicyInput

engine = OpaEngine(sys.argv[1], threads=2, deadline_seconds=20)

def ask(count):
    wrong = 0
    for number in range(count):
        uid = f"{os.getpid()}-{number}"
        body = b'{"request": {"uid": "%s"}}' % uid.encode()
        wrong += engine.evaluate(PolicyInput(uid, body, {})).decision_id != uid
    return wrong

ask(1)  # so that there is a connection to inherit
children = []
for _ in range(4):
    child = os.fork()
    if not child:
        wrong = ask(100)
        engine.close()
        os._exit(min(wrong, 99))
    children.append(child)
wrong = [ask(100)] + [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
engine.close()
print("wrong answers:", wrong)
"""


FAULTS: dict[str, tuple[Answer, type[AdmissionError]]] = {
    "no result": (lambda peer, _: peer.send(reply(b"{}")), CannotDecideError),
    "null result": (lambda peer, _: peer.send(reply(b'{"result": null}')), CannotDecideError),
    "other shape": (lambda peer, _: peer.send(reply(b'{"result": {"allow": true}}')), CannotDecideError),
    "not JSON": (lambda peer, _: peer.send(reply(b'{"result": ')), EngineUnavailableError),
    "JSON, but no object": (lambda peer, _: peer.send(reply(b"[]")), EngineUnavailableError),
    "too deep": (lambda peer, _: peer.send(reply(b"[" * 100_000)), EngineUnavailableError),
    "empty": (lambda peer, _: peer.send(reply(b"")), EngineUnavailableError),
    "not HTTP": (lambda peer, _: peer.send(b"SSH-2.0-OpenSSH_9.9\r\n") and False, EngineUnavailableError),
    "echo": (lambda peer, request: peer.send(request) and False, EngineUnavailableError),
    "echo in a header": (
        lambda peer, request: (
            peer.send(b"HTTP/1.1 200 OK\r\n" + request.rpartition(b"\r\n")[2] + b"\r\n\r\n") and False
        ),
        EngineUnavailableError,
    ),
    "echo in place of a header": (
        lambda peer, request: (
            peer.send(b"HTTP/1.1 200 OK\r\nA: b\r\n" + request.rpartition(b"\r\n")[2].replace(b":", b"=") + b"\r\n\r\n")
            and False
        ),
        EngineUnavailableError,
    ),
    "HTML 500": (
        lambda peer, request: peer.send(reply(b"<html>" + request, "500 Internal Server Error")),
        EngineUnavailableError,
    ),
    "error code of its own": (
        lambda peer, request: peer.send(reply(orjson.dumps({"code": request.decode()}), "400 Bad Request")),
        EngineUnavailableError,
    ),
    "no content": (lambda peer, _: peer.send(b"HTTP/1.1 204 No Content\r\n\r\n"), EngineUnavailableError),
    "closed": (lambda _, __: False, EngineUnavailableError),
    "reset": (lambda peer, _: peer.reset(), EngineUnavailableError),
    "cut short": (
        lambda peer, _: peer.send(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"result":') and False,
        EngineUnavailableError,
    ),
    "chunk of negative length": (
        lambda peer, _: peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n{}") and False,
        EngineUnavailableError,
    ),
    "huge": (
        lambda peer, _: (
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n") and peer.flood(b" " * 65536)
        ),
        EngineUnavailableError,
    ),
    "endless": (
        lambda peer, _: (
            peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            and peer.flood(b"8000\r\n" + b" " * 32768 + b"\r\n")
        ),
        EngineUnavailableError,
    ),
    "endless continue": (lambda peer, _: peer.flood(b"HTTP/1.1 100 Continue\r\n\r\n" * 999), EngineUnavailableError),
    "silent": (lambda peer, _: peer.hold(), DeadlineError),
    "head dripped": (lambda peer, request: peer.drip(reply(evaluation_of(request))), DeadlineError),
    "body dripped": (
        lambda peer, request: (
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n") and peer.drip(evaluation_of(request))
        ),
        DeadlineError,
    ),
    "chunks dripped": (
        lambda peer, _: (
            peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n") and peer.drip(b"1\r\n \r\n" * 999)
        ),
        DeadlineError,
    ),
}


FRAGMENTS = [
    *(b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 200", b"HTTP/1.1 999999999999 X\r\n", b"HTTP/9.9 200 OK\r\n"),
    *(b"Content-Length: 5\r\n", b"Content-Length: 1, 5\r\n", b"Content-Length: -5\r\n", b"Content-Length: x\r\n"),
    *(b"Transfer-Encoding: chunked\r\n", b"Content-Encoding: gzip\r\n", b"Connection: close\r\n"),
    *(b"Set-Cookie: a\r\n", b"Location: http://[\r\n", b": \r\n", b" folded\r\n", b"X" * 70_000, b"A: b\r\n" * 101),
    *(b"\r\n", b"\r\n\r\n", b"-5\r\n", b"5;x=y\r\n", b"0\r\n\r\n", b"fffffffffffffffff\r\n"),
    *(b'{"result": 1}', b"{}", b"\x1f\x8b\x08", b"\xff\xfe\x00"),
]


class TestFaults:
    """Whatever a server does, the call ends in time, in one of three errors, and the next call works."""

    @pytest.mark.parametrize("name", FAULTS)
    def test_fault(self, name: str, engine_for: Callable[..., OpaEngine], caplog: pytest.LogCaptureFixture) -> None:
        answer, expected = FAULTS[name]
        canary = secrets.token_hex(8)
        caplog.set_level(logging.DEBUG)
        # A server that must be waited for gets little time, any other all it could want on a busy machine.
        seconds = DEADLINE_SECONDS if expected is DeadlineError else PATIENT_SECONDS
        with serve_faults(answer) as server:
            engine = engine_for(server.url, deadline_seconds=seconds)
            for _ in range(2):
                with pytest.raises(AdmissionError) as caught:
                    finished(partial(engine.evaluate, policy_input(canary=canary)))
                assert expected is type(caught.value), caught.value
                assert_tells_nothing(caught.value, canary)
                assert canary not in caplog.text
            server.answer = answer_well
            asked = policy_input()
            assert asked.decision_id == finished(partial(engine.evaluate, asked)).decision_id
            engine.close()

    @pytest.mark.parametrize(
        "status", ["301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect"]
    )
    def test_a_redirect_is_not_followed(self, status: str, engine_for: Callable[..., OpaEngine]) -> None:
        with serve_faults(answer_well) as elsewhere:
            location = f"Location: {elsewhere.url}/v1/data/admission/main/evaluation\r\n".encode()
            with (
                serve_faults(lambda peer, _: peer.send(reply(b"{}", status, location))) as server,
                pytest.raises(EngineUnavailableError, match=f"status {status[:3]}"),
            ):
                engine_for(server.url).evaluate(policy_input())
            assert elsewhere.requests == []

    def test_an_answer_at_the_bound_is_named_as_too_long(self, engine_for: Callable[..., OpaEngine]) -> None:
        with (
            serve_faults(lambda peer, _: peer.send(reply(b" " * MAX_ANSWER_BYTES))) as server,
            pytest.raises(EngineUnavailableError, match=f"longer than {MAX_ANSWER_BYTES} bytes"),
        ):
            finished(partial(engine_for(server.url).evaluate, policy_input()))

    def test_an_answer_for_another_decision_is_passed_on(self, engine_for: Callable[..., OpaEngine]) -> None:
        other = policy_input()
        with serve_faults(lambda peer, _: peer.send(reply(evaluation_of(b"\r\n\r\n" + envelope(other))))) as server:
            asked = policy_input()
            answer = engine_for(server.url).evaluate(asked)
            assert asked.decision_id != answer.decision_id
            assert other.decision_id == answer.decision_id

    def test_a_name_that_does_not_resolve_in_time(
        self, engine_for: Callable[..., OpaEngine], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        done = threading.Event()
        real = socket.getaddrinfo

        def resolve(host: str, *args: object, **kwargs: object) -> object:
            if not kwargs.get("flags"):
                done.wait(HANG_SECONDS)
                host = "127.0.0.1"
            return real(host, *args, **kwargs)  # type: ignore[arg-type]

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        engine = engine_for("http://opa.invalid:8181", deadline_seconds=DEADLINE_SECONDS)
        with pytest.raises(DeadlineError):
            finished(partial(engine.evaluate, policy_input()))
        done.set()

    def test_a_name_that_does_not_resolve(
        self, engine_for: Callable[..., OpaEngine], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object, **__: object) -> object:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")

        monkeypatch.setattr(socket, "getaddrinfo", fail)
        with pytest.raises(EngineUnavailableError):
            finished(partial(engine_for("http://opa.invalid:8181").evaluate, policy_input()))

    def test_a_missing_unix_socket_is_unavailable(self, tmp_path: Path, engine_for: Callable[..., OpaEngine]) -> None:
        engine = engine_for(f"unix://{tmp_path}/none.sock")
        with pytest.raises(EngineUnavailableError):
            engine.evaluate(policy_input())
        with pytest.raises(EngineUnavailableError):
            engine.probe()

    def test_a_unix_socket_is_held_to_the_deadline(self, tmp_path: Path, engine_for: Callable[..., OpaEngine]) -> None:
        drip = FAULTS["body dripped"][0]
        with serve_faults(drip, unix_socket=tmp_path / "slow.sock") as server:
            engine = engine_for(server.url, deadline_seconds=DEADLINE_SECONDS)
            with pytest.raises(DeadlineError):
                finished(partial(engine.evaluate, policy_input()))

    @settings(max_examples=150, deadline=None)
    @given(st.lists(st.sampled_from(FRAGMENTS), max_size=9) | st.binary(max_size=200).map(lambda data: [data]))
    def test_any_bytes_end_in_an_error(self, pieces: list[bytes]) -> None:
        with serve_faults(lambda peer, _: peer.send(b"".join(pieces)) and False) as server:
            engine = OpaEngine(server.url, threads=1, deadline_seconds=PATIENT_SECONDS)
            try:
                with pytest.raises((EngineUnavailableError, CannotDecideError)) as caught:
                    finished(partial(engine.evaluate, policy_input()))
                assert caught.value.__context__ is None
            finally:
                engine.close()


def envelope(asked: PolicyInput) -> bytes:
    return b'{"input":' + asked.body + b"}"


class TestRequest:
    """What goes over the wire, and to whom."""

    def test_the_input_goes_out_byte_for_byte(self, engine_for: Callable[..., OpaEngine]) -> None:
        body = b'{ "request" : {"uid":"\\u0041\xc3\xa4", "n": 1.50} }'
        with serve_faults(answer_well) as server:
            engine_for(server.url).evaluate(PolicyInput(decision_id="x", body=body, places={}))
        head, _, sent = server.requests[0].partition(b"\r\n\r\n")
        line, *headers = head.split(b"\r\n")
        assert b'{"input":' + body + b"}" == sent
        assert line == b"POST /v1/data/admission/main/evaluation?strict-builtin-errors=true HTTP/1.1"
        names = {header.partition(b":")[0] for header in headers}
        assert {b"Host", b"Accept-Encoding", b"Content-Length", b"Content-Type", b"User-Agent"} == names

    def test_the_environment_names_no_proxy_and_no_credentials(
        self, tmp_path: Path, engine_for: Callable[..., OpaEngine], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        netrc = tmp_path / ".netrc"
        netrc.write_text("machine 127.0.0.1 login someone password something\n")
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("NETRC", str(netrc))
        with serve_faults(answer_well) as proxy, serve_faults(answer_well) as server:
            for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
                monkeypatch.setenv(name, proxy.url)
                monkeypatch.setenv(name.lower(), proxy.url)
            for name in ("NO_PROXY", "no_proxy"):
                monkeypatch.delenv(name, raising=False)
            engine_for(server.url).evaluate(policy_input())
        assert (len(server.requests), proxy.connections) == (1, 0)
        assert b"authorization" not in server.requests[0].lower()

    def test_the_health_check_asks_for_bundles(self, engine_for: Callable[..., OpaEngine]) -> None:
        with (
            serve_faults(lambda peer, _: peer.send(reply(b"{}", "500 Internal Server Error"))) as server,
            pytest.raises(EngineUnavailableError, match="gave 500"),
        ):
            engine_for(server.url).probe()
        assert server.requests[0].startswith(b"GET /health?bundles HTTP/1.1\r\n")


class TestReach:
    """Which failures of a call mean that nobody is there, and when an engine counts as unreachable."""

    @pytest.fixture
    def nobody(self) -> str:
        """A URL at which nobody listens."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            return f"http://127.0.0.1:{taken.getsockname()[1]}"

    def failure(self, engine: OpaEngine) -> type[BaseException]:
        with pytest.raises(AdmissionError) as caught:
            finished(partial(engine.evaluate, policy_input()))
        return caught.type

    @pytest.mark.parametrize("kind", ["tcp", "socket", "socket that nobody serves"])
    def test_nobody_is_there(
        self, engine_for: Callable[..., OpaEngine], nobody: str, tmp_path: Path, kind: str
    ) -> None:
        path = tmp_path / "opa.sock"
        if kind == "socket that nobody serves":
            with socket.socket(socket.AF_UNIX) as left:
                left.bind(str(path))
        engine = engine_for(nobody if kind == "tcp" else f"unix://{path}")
        assert self.failure(engine) is EngineUnreachableError
        assert engine.is_unreachable() is True

    @pytest.mark.parametrize(
        "answer",
        [
            lambda peer, _: peer.send(reply(b"{}", "500 Internal Server Error")),
            lambda peer, _: peer.send(reply(b"{}", "503 Service Unavailable")),
            lambda peer, _: peer.send(reply(b"{}")),
            lambda peer, _: peer.send(b"garbage\r\n\r\n") and False,
            lambda peer, _: peer.reset(),
            lambda *_: False,
            lambda peer, _: peer.hold(),
        ],
        ids=["500", "503", "undefined", "garbage", "reset", "closed", "held"],
    )
    def test_one_that_listens_is_not_unreachable_whatever_it_does(
        self, engine_for: Callable[..., OpaEngine], answer: Answer
    ) -> None:
        with serve_faults(answer) as server:
            engine = engine_for(server.url, deadline_seconds=DEADLINE_SECONDS)
            assert self.failure(engine) is not EngineUnreachableError
            assert engine.is_unreachable() is False

    def test_a_backlog_that_is_full_is_busy(self, engine_for: Callable[..., OpaEngine], tmp_path: Path) -> None:
        path = tmp_path / "busy.sock"
        with socket.socket(socket.AF_UNIX) as listener, contextlib.ExitStack() as waiting:
            listener.bind(str(path))
            listener.listen(0)
            with contextlib.suppress(BlockingIOError):
                while True:
                    client = waiting.enter_context(socket.socket(socket.AF_UNIX))
                    client.setblocking(False)
                    client.connect(str(path))
            engine = engine_for(f"unix://{path}", deadline_seconds=DEADLINE_SECONDS)
            assert self.failure(engine) is not EngineUnreachableError
            assert engine.is_unreachable() is False

    def test_one_that_went_away_between_two_calls_is_unreachable(self, engine_for: Callable[..., OpaEngine]) -> None:
        with serve_faults(answer_well) as server:
            engine = engine_for(server.url)
            engine.evaluate(policy_input())
        assert self.failure(engine) is EngineUnreachableError
        assert engine.is_unreachable() is True

    @pytest.mark.parametrize("answer", [lambda peer, _: peer.reset(), lambda peer, _: peer.hold()])
    def test_one_that_went_away_under_a_call_is_not(
        self, engine_for: Callable[..., OpaEngine], tmp_path: Path, answer: Answer
    ) -> None:
        """A request that kills the engine, or that keeps it busy until it dies, opens no door for the next."""
        mark = tmp_path / "engine-unanswered"
        path = tmp_path / "opa.sock"
        make = partial(engine_for, f"unix://{path}", deadline_seconds=DEADLINE_SECONDS, mark=mark)
        engine, neighbour = make(), make()
        with serve_faults(answer, unix_socket=path):
            assert self.failure(engine) is not EngineUnreachableError
        assert self.failure(engine) is EngineUnreachableError
        assert [engine.is_unreachable(), neighbour.is_unreachable(), make().is_unreachable()] == [False] * 3
        path.unlink()
        with serve_faults(answer_well, unix_socket=path):
            neighbour.evaluate(policy_input())
        assert not mark.exists()
        assert neighbour.is_unreachable() is True

    def test_an_answer_of_any_kind_says_that_it_lives(self, engine_for: Callable[..., OpaEngine]) -> None:
        with serve_faults(lambda peer, _: peer.reset()) as server:
            engine = engine_for(server.url)
            assert self.failure(engine) is EngineUnavailableError
            server.answer = lambda peer, _: peer.send(reply(b"{}", "500 Internal Server Error"))
            assert self.failure(engine) is EngineUnavailableError
        assert engine.is_unreachable() is True

    def test_a_mark_that_cannot_be_written_counts_in_this_process(
        self, engine_for: Callable[..., OpaEngine], tmp_path: Path
    ) -> None:
        with serve_faults(lambda peer, _: peer.reset()) as server:
            engine = engine_for(server.url, mark=tmp_path / "none" / "mark")
            self.failure(engine)
        assert engine.is_unreachable() is False

    def test_of_several_addresses_all_have_to_be_silent(
        self, engine_for: Callable[..., OpaEngine], nobody: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second = (
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, int(nobody.rpartition(":")[2])))
            for host in ("127.0.0.2", "127.0.0.1")
        )
        monkeypatch.setattr(opa_transport, "_addresses", lambda *_: [first, second])
        engine = engine_for(nobody)
        assert [self.failure(engine), engine.is_unreachable()] == [EngineUnreachableError, True]
        connect = opa_transport._Socket.connect

        def forbidden(this: opa_transport._Socket, address: tuple[str, int]) -> None:
            if address == first[-1]:
                raise PermissionError(errno.EACCES, "not for you")
            connect(this, address)

        monkeypatch.setattr(opa_transport._Socket, "connect", forbidden)
        assert engine.is_unreachable() is False
        assert self.failure(engine) is EngineUnavailableError


class TestConnections:
    """Kept alive, shared by threads, bounded in number."""

    @pytest.mark.parametrize("threads", [1, 8])
    def test_connections_that_the_server_closes_when_idle_cost_no_answer(
        self, threads: int, engine_for: Callable[..., OpaEngine]
    ) -> None:
        with serve_faults(lambda peer, request: answer_well(peer, request) and False) as server:
            engine = engine_for(server.url, threads=threads)
            assert_hundred_answers(engine, threads)

    @pytest.mark.parametrize("threads", [1, 8])
    def test_connections_that_the_server_closes_under_a_request_cost_no_answer(
        self, threads: int, engine_for: Callable[..., OpaEngine]
    ) -> None:
        def answer_once(peer: Peer, request: bytes) -> bool:
            return peer.exchanges == 1 and answer_well(peer, request)

        with serve_faults(answer_once) as server:
            engine = engine_for(server.url, threads=threads)
            assert_hundred_answers(engine, threads)

    def test_one_connection_serves_one_thread(self, engine_for: Callable[..., OpaEngine]) -> None:
        with serve_faults(answer_well) as server:
            assert_hundred_answers(engine_for(server.url, threads=4), 1)
        assert server.connections == 1

    def test_more_threads_than_connections_share_them(self, engine_for: Callable[..., OpaEngine]) -> None:
        with serve_faults(answer_well) as server:
            assert_hundred_answers(engine_for(server.url, threads=2), 8)
        assert server.connections <= 2

    def test_waiting_for_a_connection_counts(self, engine_for: Callable[..., OpaEngine]) -> None:
        with serve_faults(lambda peer, _: peer.hold()) as server:
            engine = engine_for(server.url, deadline_seconds=DEADLINE_SECONDS)
            with ThreadPoolExecutor(4) as threads:
                calls = [threads.submit(engine.evaluate, policy_input()) for _ in range(4)]
                failures = [type(call.exception(timeout=HANG_SECONDS)) for call in calls]
        assert [DeadlineError] * 4 == failures

    def test_closing_is_not_the_end(self, opa: OpaServer, engine_for: Callable[..., OpaEngine]) -> None:
        engine, asked = engine_for(opa.url), policy_input()
        engine.close()
        engine.evaluate(policy_input())
        engine.close()
        engine.close()
        assert asked.decision_id == engine.evaluate(asked).decision_id


def assert_hundred_answers(engine: OpaEngine, threads: int) -> None:
    asked = [policy_input() for _ in range(100)]
    with ThreadPoolExecutor(threads) as pool:
        answers = list(pool.map(engine.evaluate, asked))
    assert [one.decision_id for one in asked] == [answer.decision_id for answer in answers]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that nobody has signed, and its key."""
    if shutil.which("openssl") is None and os.environ.get("CI") != "true":
        pytest.skip("openssl is missing, which makes the certificate")
    folder = tmp_path_factory.mktemp("tls")
    files = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1", "-out", files[0], "-keyout", files[1]],
        check=True, capture_output=True,
    )  # fmt: skip
    return files


class TestTLS:
    """An `https` URL: certificates are checked against the system's authorities, and the limits hold."""

    @pytest.fixture
    def server(self, certificate: tuple[Path, Path]) -> Iterator[FaultServer]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        with serve_faults(answer_well, tls=context) as server:
            yield server

    def test_an_unknown_certificate_is_refused(self, server: FaultServer, engine_for: Callable[..., OpaEngine]) -> None:
        with pytest.raises(EngineUnavailableError):
            finished(partial(engine_for(server.url).evaluate, policy_input()))
        assert server.requests == []

    def test_the_systems_authorities_are_trusted(
        self,
        server: FaultServer,
        certificate: tuple[Path, Path],
        engine_for: Callable[..., OpaEngine],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
        engine = engine_for(server.url)
        assert_hundred_answers(engine, 1)
        engine.close()

    @pytest.mark.parametrize("name", ["silent", "head dripped", "body dripped", "huge"])
    def test_the_limits_hold(
        self,
        name: str,
        server: FaultServer,
        certificate: tuple[Path, Path],
        engine_for: Callable[..., OpaEngine],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
        server.answer, expected = FAULTS[name]
        engine = engine_for(server.url, deadline_seconds=3 * DEADLINE_SECONDS)
        with pytest.raises(expected):
            finished(partial(engine.evaluate, policy_input()))
        engine.close()

    def test_a_handshake_without_end_is_too_slow(self, engine_for: Callable[..., OpaEngine]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as mute:
            engine = engine_for(f"https://127.0.0.1:{mute.getsockname()[1]}", deadline_seconds=DEADLINE_SECONDS)
            with pytest.raises(DeadlineError):
                finished(partial(engine.evaluate, policy_input()))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:8181",
        "ftp://127.0.0.1",
        "http://",
        "http://:8181",
        "http://127.0.0.1:port",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:0",
        "http://[::1",
        "http://someone:hunter2@127.0.0.1:8181",
        "http://127.0.0.1:8181/v1",
        "http://127.0.0.1:8181?hunter2",
        "http://127.0.0.1:8181#hunter2",
        "unix://",
        "unix:///",
        "unix://run/opa.sock",
        "unix:run/opa.sock",
    ],
)
def test_any_other_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(SettingsError, match="must be http://HOST:PORT") as caught:
        OpaEngine(url, threads=1, deadline_seconds=1)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__context__ is None


def test_the_protocol_is_imported_without_the_client() -> None:
    check = (
        "import sys, ecs_admission.engines.protocol; print({'opa_client', 'requests', 'urllib3'} & set(sys.modules))"
    )
    imported = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert imported.stdout == "set()\n"
