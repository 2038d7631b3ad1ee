"""HTTP connections for the client of an OPA server, each call held to a total of seconds and bytes.

urllib3 limits each operation of a socket, so a server that sends a byte now and then is never too slow for it.
Here every operation first gets what is left of the call's own time, and so do connecting, resolving a name and
waiting for a free connection. What arrives is counted below HTTP, where no framing can hide it. TCP, TLS and unix
sockets are served alike.
"""

from __future__ import annotations

import errno
import http.client
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NewConnectionError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer
    from urllib3._base_connection import BaseHTTPConnection

Dial: TypeAlias = Callable[[], socket.socket]
"""Opens a connected socket within the call's limits, or raises OSError."""


ABSENT = frozenset({errno.ECONNREFUSED, errno.ENOENT, errno.EHOSTUNREACH, errno.ENETUNREACH})
"""How a connection fails where nobody listens. A listener that is busy lets one wait, or says EAGAIN."""


class _Call(threading.local):
    """What the sockets have to know of the call that this thread makes. No call: no time, no bytes."""

    ends_at: float = float("-inf")
    receivable_bytes: int = 0
    fresh: bool = False
    absent: bool = False


_call = _Call()


@contextmanager
def limits(*, seconds: float, received_bytes: int) -> Iterator[None]:
    """Bound everything this thread does on the sockets of this module, in all."""
    _call.ends_at, _call.receivable_bytes = time.monotonic() + seconds, received_bytes
    try:
        yield
    finally:
        _call.ends_at, _call.receivable_bytes, _call.fresh, _call.absent = float("-inf"), 0, False, False


def demand_fresh_connection() -> None:
    """Until the block of `limits` ends, use no connection that was kept alive: it may be another stale one."""
    _call.fresh = True


def is_expired() -> bool:
    """Whether the call's time is over. A timer may wake a hair early, hence the millisecond."""
    return _call.ends_at - time.monotonic() < 0.001


def is_exhausted() -> bool:
    """Whether more bytes came than the call may receive."""
    return _call.receivable_bytes < 0


def is_absent() -> bool:
    """Whether the call's last attempt found nobody who listens, and so sent nothing."""
    return _call.absent


def _remaining_seconds() -> float:
    left = _call.ends_at - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _count(received: int) -> int:
    _call.receivable_bytes -= received
    if _call.receivable_bytes < 0:
        raise OSError(errno.EMSGSIZE, "too many bytes")
    return received


class _Socket(socket.socket):
    """A plain socket, TCP or unix, under the call's limits. http.client and urllib3 call these operations only."""

    def connect(self, address: Any, /) -> None:
        self.settimeout(_remaining_seconds())
        super().connect(address)

    def recv_into(self, buffer: WriteableBuffer, nbytes: int = 0, flags: int = 0) -> int:
        self.settimeout(_remaining_seconds())
        return _count(super().recv_into(buffer, nbytes, flags))

    def sendall(self, data: ReadableBuffer, flags: int = 0, /) -> None:
        self.settimeout(_remaining_seconds())
        super().sendall(data, flags)


class _TLSSocket(ssl.SSLSocket):
    """A TLS socket under the call's limits. Its `sendall` is a loop over `send`, its handshake part of the wrapping."""

    def do_handshake(self, block: bool = False) -> None:
        self.settimeout(_remaining_seconds())
        super().do_handshake(block)

    def recv_into(self, buffer: WriteableBuffer, nbytes: int | None = None, flags: int = 0) -> int:
        self.settimeout(_remaining_seconds())
        return _count(super().recv_into(buffer, nbytes, flags))

    def send(self, data: ReadableBuffer, flags: int = 0) -> int:
        self.settimeout(_remaining_seconds())
        return super().send(data, flags)


def dial_unix(path: str) -> socket.socket:
    """Connect to the unix socket at `path`."""
    connection = _Socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection


def dial_tcp(host: str, port: int) -> socket.socket:
    """Connect to the first address of `host` that answers.

    Where none does, the failure is that of an address at which somebody might listen, if there is one.
    """
    failure: OSError | None = None
    for family, kind, protocol, _, address in _addresses(host, port):
        connection = _Socket(family, kind, protocol)
        try:
            # Otherwise the last part of a long request waits until the server has confirmed the part before.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.connect(address)
        except OSError as error:
            connection.close()
            if failure is None or failure.errno in ABSENT:
                failure = error
        else:
            return connection
    raise failure or OSError("the name has no address")


def _addresses(host: str, port: int) -> list[Any]:
    """Resolve `host`, in a thread of its own unless it is an address, since `getaddrinfo` has no time limit."""
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        answers: queue.SimpleQueue[list[Any] | OSError] = queue.SimpleQueue()
    threading.Thread(target=_resolve, args=(host, port, answers), name="opa-resolve", daemon=True).start()
    try:
        answer = answers.get(timeout=_remaining_seconds())
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(answer, OSError):
        raise answer
    return answer


def _resolve(host: str, port: int, answers: queue.SimpleQueue[list[Any] | OSError]) -> None:
    try:
        answers.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except OSError as error:
        answers.put(error)
    except UnicodeError:  # a label that IDNA cannot encode
        answers.put(OSError("the name is not valid"))


class _Response(http.client.HTTPResponse):
    """An answer whose head is well-formed. urllib3 reads on past one that is not, and logs what it skipped."""

    def begin(self) -> None:
        super().begin()
        if self.msg.defects or self.msg.get_payload():
            raise http.client.HTTPException("malformed headers")


class _Dialling(HTTPConnection):
    """Connects the way it is told, whatever host and port the URL names, and sends each request in one piece."""

    response_class = _Response

    def __init__(self, *args: Any, dial: Dial, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._dial = dial
        self._pieces: list[bytes] = []

    def request(self, *args: Any, **kwargs: Any) -> None:
        # Headers and body apart wake the server twice, which costs more than anything else in here.
        self._pieces = []
        super().request(*args, **kwargs)
        pieces, self._pieces = self._pieces, []
        super().send(b"".join(pieces))

    def send(self, data: Any) -> None:
        self._pieces.append(data)

    def _new_conn(self) -> socket.socket:
        try:
            return self._dial()
        except OSError as error:
            _call.absent = error.errno in ABSENT
            # urllib3 swallows some errors of a socket while it sends, for the sake of an answer already on its way.
            raise NewConnectionError(self, type(error).__name__) from None


class _HTTPConnection(_Dialling):
    pass


class _HTTPSConnection(_Dialling, HTTPSConnection):
    pass


class _Waiting(HTTPConnectionPool):
    """A pool whose wait for a free connection counts, too."""

    def _get_conn(self, timeout: float | None = None) -> BaseHTTPConnection:
        # Nothing may be raised here before the pool has tried: it would put back a connection that it never gave.
        left = max(0.0, _call.ends_at - time.monotonic())
        connection = super()._get_conn(left if timeout is None else min(timeout, left))
        if _call.fresh:
            connection.close()  # it opens again when it is used
        return connection


class _HTTPPool(_Waiting):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(_Waiting, HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


class DeadlineAdapter(HTTPAdapter):
    """The adapter of a session that talks to one server, through at most `connections` connections.

    The certificate authorities are the system's (or SSL_CERT_FILE's), as for any other program of the machine.
    """

    def __init__(self, dial: Dial, *, connections: int, tls: bool) -> None:
        self._dial = dial
        self._tls = tls
        super().__init__(pool_connections=1, pool_maxsize=connections, max_retries=0, pool_block=True)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: Any) -> None:
        """See `HTTPAdapter.init_poolmanager`."""
        if self._tls:
            pool_kwargs["ssl_context"] = ssl.create_default_context()
            pool_kwargs["ssl_context"].sslsocket_class = _TLSSocket
        self.poolmanager = PoolManager(num_pools=connections, maxsize=maxsize, block=block, **pool_kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": partial(_HTTPPool, dial=self._dial),
            "https": partial(_HTTPSPool, dial=self._dial),
        }
