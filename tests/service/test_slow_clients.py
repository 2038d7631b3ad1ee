"""A request has to arrive in time, and who is slow keeps nobody waiting."""

from __future__ import annotations

import contextlib
import http.client
import selectors
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing

import orjson
import pytest

from tests.service.conftest import COMPLIANT
from tests.service.running_service import OPERATION, RunningService, run_service

pytestmark = pytest.mark.service

SLOW_CLIENTS = 64
DEADLINE_SECONDS = 4.0
BODY = orjson.dumps(COMPLIANT)
HEAD = f"POST {OPERATION} HTTP/1.1\r\nHost: localhost\r\n".encode()
WHOLE = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(BODY) + BODY + b"\r\n0\r\n\r\n"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("slow")
    with run_service(folder, request_deadline_seconds=str(DEADLINE_SECONDS), threads="2") as running:
        yield running


@contextlib.contextmanager
def trickling(service: RunningService, requests: list[bytes]) -> Iterator[dict[socket.socket, bytes]]:
    """Clients that send the first half at once and a byte a second of the rest, and what each is answered."""
    answers: dict[socket.socket, bytes] = {}
    stop = threading.Event()
    with ExitStack() as open_sockets, selectors.DefaultSelector() as selector:
        rest = {}
        for request in requests:
            client = open_sockets.enter_context(socket.create_connection(("127.0.0.1", service.port)))
            client.sendall(request[: len(request) // 2])
            client.setblocking(False)
            rest[client] = request[len(request) // 2 :]
            answers[client] = b""
            selector.register(client, selectors.EVENT_READ)

        def trickle() -> None:
            last = time.monotonic()
            while not stop.is_set() and selector.get_map():
                for key, _ in selector.select(0.1):
                    client: socket.socket = key.fileobj  # type: ignore[assignment]
                    with contextlib.suppress(ConnectionError):
                        if data := client.recv(65_536):
                            answers[client] += data
                            continue
                    selector.unregister(client)
                if time.monotonic() - last >= 1.0:
                    last = time.monotonic()
                    for client in [key.fileobj for key in selector.get_map().values()]:  # type: ignore[misc]
                        with contextlib.suppress(OSError):
                            client.send(rest[client][:1])
                            rest[client] = rest[client][1:]

        thread = threading.Thread(target=trickle)
        thread.start()
        try:
            yield answers
            thread.join(timeout=30)
        finally:
            stop.set()
            thread.join()


def test_64_clients_that_send_a_byte_a_second_keep_nobody_waiting(service: RunningService) -> None:
    requests = [(WHOLE, CHUNKED, HEAD + b"X-Long: " + b"x" * 100)[number % 3] for number in range(SLOW_CLIENTS)]
    with trickling(service, requests) as answers:
        times = []
        begin = time.monotonic()
        while time.monotonic() - begin < DEADLINE_SECONDS / 2:
            started = time.monotonic()
            assert service.post(OPERATION, COMPLIANT).status == 200
            times.append(time.monotonic() - started)
        assert not any(answers.values())  # they were slow all the while
        assert len(times) > 5
    assert {answer.partition(b"\r\n")[0] for answer in answers.values()} == {b"HTTP/1.1 408 Request Timeout"}
    assert all(b"did not arrive in time" in answer and b"Connection: close" in answer for answer in answers.values())


def test_the_deadline_is_of_each_request_of_a_connection(service: RunningService) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)) as connection:
        for _ in range(3):
            connection.request("POST", OPERATION, BODY)
            assert connection.getresponse().read()
        connection.sock.sendall(WHOLE[:20])
        received = b""
        while chunk := connection.sock.recv(65_536):
            received += chunk
    assert received.startswith(b"HTTP/1.1 408")


def test_a_client_that_says_nothing_is_let_go(service: RunningService) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as client:
        assert client.recv(1) == b""


@pytest.mark.parametrize("request_", [WHOLE, CHUNKED], ids=["length", "chunked"])
@pytest.mark.parametrize("cut", [1, 30, len(HEAD) + 10, -6, -1])
def test_a_request_in_two_pieces_is_whole(service: RunningService, request_: bytes, cut: int) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in (request_[:cut], request_[cut:]):
            client.sendall(piece)
        assert client.recv(65_536).startswith(b"HTTP/1.1 200")


def test_requests_that_come_at_once_are_answered_one_after_another(service: RunningService) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as client:
        client.sendall(WHOLE + CHUNKED + WHOLE + WHOLE[:20])
        client.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := client.recv(65_536):
            received += chunk
    assert received.count(b"HTTP/1.1 200 OK") == 3


def test_who_asks_first_is_told_to_go_on_once(service: RunningService) -> None:
    head = HEAD + b"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n" % len(BODY)
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as client:
        client.sendall(head)
        assert client.recv(65_536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(BODY)
        assert client.recv(65_536).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("framing", [b"Content-Length: 3000000", b"Content-Length: 3000000\r\nExpect: 100-continue"])
def test_a_body_that_is_too_large_is_refused_by_its_head(service: RunningService, framing: bytes) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as client:
        client.sendall(HEAD + framing + b"\r\n\r\n")
        received = b""
        while chunk := client.recv(65_536):
            received += chunk
    assert received.startswith(b"HTTP/1.1 413")
    assert b"Connection: close" in received


def test_a_head_that_does_not_end_is_refused(service: RunningService) -> None:
    assert service.send(HEAD + b"X: y\r\n" * 20_000).startswith(b"HTTP/1.1 431")


def test_chunks_without_end_are_refused(service: RunningService) -> None:
    chunks = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    answer = service.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks * 20)
    assert answer.startswith(b"HTTP/1.1 413")
