"""A server that reads HTTP requests as they should be and answers them in whatever way a test wants."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias


@dataclass(slots=True)
class Peer:
    """One connection of a client, and the server's wish to stop, which every wait must heed."""

    connection: socket.socket
    stopping: threading.Event
    exchanges: int = 0

    def send(self, data: bytes) -> bool:
        """Send at once. True: go on with the next request of the connection."""
        self.connection.sendall(data)
        return True

    def drip(self, data: bytes) -> bool:
        """Send a byte at a time with a pause after each, for as long as the client listens."""
        for byte in data:
            self.connection.sendall(bytes([byte]))
            if self.stopping.wait(0.02):
                return False
        return True

    def flood(self, data: bytes) -> bool:
        """Send `data` again and again until the client has had enough."""
        while not self.stopping.is_set():
            self.connection.sendall(data)
        return False

    def reset(self) -> bool:
        """End the connection with a TCP reset."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False

    def hold(self) -> bool:
        """Say nothing until the server stops."""
        self.stopping.wait()
        return False


Answer: TypeAlias = Callable[[Peer, bytes], bool]
"""Answers one request, given whole. True keeps the connection, False closes it."""


@dataclass(slots=True)
class FaultServer:
    """A running server, what it was sent and how often it was connected to. `answer` may be replaced."""

    url: str
    answer: Answer
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    arrived: threading.Event = field(default_factory=threading.Event)


def reply(body: bytes, status: str = "200 OK", headers: bytes = b"") -> bytes:
    """A complete and correct HTTP answer."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + headers + b"\r\n" + body


@contextmanager
def serve_faults(
    answer: Answer, *, unix_socket: Path | None = None, tls: ssl.SSLContext | None = None
) -> Iterator[FaultServer]:
    """Run a server, one thread per connection, until the block ends."""
    with _listener(unix_socket) as listener:
        if unix_socket is None:
            port = listener.getsockname()[1]
            server = FaultServer(f"{'https' if tls else 'http'}://127.0.0.1:{port}", answer)
        else:
            server = FaultServer(f"unix://{unix_socket}", answer)
        stopping = threading.Event()
        accepting = threading.Thread(target=_accept, args=(listener, server, stopping, tls))
        accepting.start()
        try:
            yield server
        finally:
            stopping.set()
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()


def _listener(unix_socket: Path | None) -> socket.socket:
    listener = socket.socket(socket.AF_INET if unix_socket is None else socket.AF_UNIX)
    listener.bind(("127.0.0.1", 0) if unix_socket is None else str(unix_socket))
    listener.listen(128)
    return listener


def _accept(
    listener: socket.socket, server: FaultServer, stopping: threading.Event, tls: ssl.SSLContext | None
) -> None:
    peers: list[tuple[threading.Thread, Peer]] = []
    while not stopping.is_set():
        try:
            connection, _ = listener.accept()
        except OSError:
            break
        server.connections += 1
        peer = Peer(connection, stopping)
        thread = threading.Thread(target=_talk, args=(peer, server, tls))
        thread.start()
        peers.append((thread, peer))
    for thread, peer in peers:
        with suppress(OSError):
            peer.connection.shutdown(socket.SHUT_RDWR)
        thread.join()


def _talk(peer: Peer, server: FaultServer, tls: ssl.SSLContext | None) -> None:
    # A client that gives up is what these tests are about: its reset is no failure of the server.
    with suppress(OSError), peer.connection:
        if tls is not None:
            peer.connection = tls.wrap_socket(peer.connection, server_side=True)
        with peer.connection, peer.connection.makefile("rb") as stream:
            while request := _read_request(stream.readline, stream.read):
                server.requests.append(request)
                server.arrived.set()
                peer.exchanges += 1
                if not server.answer(peer, request):
                    return


def _read_request(read_line: Callable[[], bytes], read: Callable[[int], bytes]) -> bytes:
    """One request, head and body; empty when the client is gone."""
    head, length = b"", 0
    while line := read_line():
        head += line
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
        if line == b"\r\n":
            return head + read(length)
    return b""
