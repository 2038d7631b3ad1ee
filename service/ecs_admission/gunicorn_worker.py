"""gunicorn's threaded worker and logger, made to repeat nothing of what was sent.

As they come, a request whose framing is broken has the rest of its body printed into a 400 page and into the log.
"""

from __future__ import annotations

import contextlib
import errno
import http
import logging
import select
import selectors
import signal
import socket
import ssl
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import orjson
from gunicorn import util
from gunicorn.glogging import Logger
from gunicorn.http.errors import (
    ExpectationFailed,
    LimitRequestHeaders,
    LimitRequestLine,
    NoMoreData,
    ParseException,
    UnsupportedTransferCoding,
)
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, ThreadWorker

from ecs_admission.adapt.bounds import MAX_BYTES
from ecs_admission.connections import Connection
from ecs_admission.errors import AdmissionError
from ecs_admission.http import observing
from ecs_admission.observation import RequestBroken
from ecs_admission.telemetry import frames, logger

_STATUSES: tuple[tuple[type[Exception], int, str], ...] = (
    (LimitRequestLine, 414, "URI Too Long"),
    (LimitRequestHeaders, 431, "Request Header Fields Too Large"),
    (ExpectationFailed, 417, "Expectation Failed"),
    (UnsupportedTransferCoding, 501, "Not Implemented"),
    (ParseException, 400, "Bad Request"),
)


UNREADABLE: tuple[type[Exception], ...] = (ParseException, NoMoreData)
"""What gunicorn raises while an application reads a body whose framing is broken."""

_LINGER_MILLISECONDS = 2
_DISCARD_BYTES = 65_536
CLOSE_SECONDS = 2.0
"""How long a client has to close a connection whose last answer it was sent."""

MAX_BUFFERED_BYTES = 64 * 1024 * 1024
"""What requests that have not arrived may hold in a worker, in all."""


class Worker(ThreadWorker):  # type: ignore[misc]
    """A `gthread` worker that a slow client cannot hold up, and whose error answers are fixed words.

    The main thread reads each request until it is whole, from all connections at once, and only then does a thread of
    the pool get it. A request that has not arrived within the deadline is answered 408, a client that trickles costs a
    place in the poller and nobody a thread. As gunicorn comes, a thread reads, and as many slow clients as there are
    threads are all that it takes.

    A thread that has answered waits a moment for the next request of the same connection, while there are threads to
    spare: handing the connection back to the main thread's poller and getting it again costs more than the rest of
    HTTP together.
    """

    deadline_seconds: float = 10.0
    """Set by `configured`: how long a request may take to arrive, and an answer to be taken."""

    tls: ssl.SSLContext | None = None
    """Set by `configured`: what connections are wrapped with."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Each in the order in which they run out.
        self._reading: dict[Connection, float] = {}
        self._idle: dict[Connection, float] = {}
        self._closing: dict[Connection, float] = {}
        self._buffered = 0

    def init_signals(self) -> None:
        """See `gunicorn.workers.base.Worker.init_signals`. A terminal's interrupt is for the master, which all get."""
        super().init_signals()
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def accept(self, listener: Any) -> None:
        """See `ThreadWorker.accept`."""
        try:
            sock, client = listener.accept()
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK):
                raise
            return
        sock.setblocking(False)
        try:
            if self.tls is not None:
                sock = self.tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
            server = listener.getsockname()
        except OSError:  # it has gone already
            sock.close()
            return
        self.nr_conns += 1
        conn = Connection(self.cfg, sock, client, server=server, max_body=MAX_BYTES)
        self._reading[conn] = time.monotonic() + self.deadline_seconds
        self._read(conn)

    def _read(self, conn: Connection) -> None:
        """Read what has arrived of a request whose time runs already, and hand it over or wait for more."""
        before = len(conn.buffer)
        try:
            is_whole: bool | None = conn.receive()
        except (OSError, ValueError):  # reset, or no TLS
            is_whole = None
        self._buffered += len(conn.buffer) - before
        if is_whole is None:
            self._drop(conn)
        elif is_whole:
            self._forget(conn)
            if conn.is_head_too_large:
                self._refuse(conn, LimitRequestHeaders(""))
            else:
                self.enqueue_req(conn)
        elif conn.is_ended:
            self._drop(conn)
        else:
            self._watch(conn, self._on_readable)
            self._make_room()

    def _on_readable(self, conn: Connection) -> None:
        if self._idle.pop(conn, None) is not None:
            self._reading[conn] = time.monotonic() + self.deadline_seconds
        self._read(conn)

    def _on_more_to_discard(self, conn: Connection) -> None:
        try:
            is_over = not conn.sock.recv(_DISCARD_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError:
            is_over = True
        if is_over:
            self._drop(conn)

    def _make_room(self) -> None:
        """Of requests that have not arrived the oldest go when they hold too much: a slow client's, mostly."""
        while self._buffered > MAX_BUFFERED_BYTES and self._reading:
            self._time_out(next(iter(self._reading)))

    def finish_request(self, conn: Connection, fs: Any) -> None:
        """See `ThreadWorker.finish_request`. Runs in the main thread."""
        keeps = not fs.cancelled() and fs.exception() is None and fs.result()
        try:
            conn.sock.setblocking(False)
        except OSError:
            keeps = False
        if not keeps:
            self._close_gently(conn)
            return
        try:
            is_whole = conn.is_whole()
        except OSError:
            self._drop(conn)
            return
        if is_whole:
            self.enqueue_req(conn)
            return
        now = time.monotonic()
        self._buffered += len(conn.buffer)
        if conn.buffer:
            self._reading[conn] = now + self.deadline_seconds
        else:
            self._idle[conn] = now + (self.cfg.keepalive if self.alive else STOP_KEEPALIVE_LINGER)
        # TLS may hold what the poller does not see.
        self._on_readable(conn) if _is_pending(conn) else self._watch(conn, self._on_readable)

    def _watch(self, conn: Connection, callback: Callable[[Connection], None]) -> None:
        events = selectors.EVENT_WRITE if conn.wants_to_write else selectors.EVENT_READ
        data = partial(_call, callback, conn)
        try:
            self.poller.modify(conn.sock, events, data)
        except KeyError:
            self.poller.register(conn.sock, events, data)

    def _forget(self, conn: Connection) -> None:
        """Take a connection out of the poller and of all lists."""
        for waiting in (self._reading, self._idle, self._closing):
            if waiting.pop(conn, None) is not None and waiting is not self._closing:
                self._buffered -= len(conn.buffer)
        with contextlib.suppress(KeyError, ValueError, OSError):
            self.poller.unregister(conn.sock)

    def _drop(self, conn: Connection) -> None:
        self._forget(conn)
        self.nr_conns -= 1
        conn.close()

    def _close_gently(self, conn: Connection) -> None:
        """Let the client read its answer: who closes with bytes unread sends a reset, which takes the answer along."""
        self._forget(conn)
        try:
            conn.sock.setblocking(False)
            if isinstance(conn.sock, ssl.SSLSocket):
                with contextlib.suppress(OSError, ValueError):
                    conn.sock.unwrap()  # says that no more comes, and does not wait for the same
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._drop(conn)
            return
        self._closing[conn] = time.monotonic() + CLOSE_SECONDS
        conn.wants_to_write = False
        self._watch(conn, self._on_more_to_discard)

    def _refuse(self, conn: Connection, error: Exception) -> None:
        self.handle_error(None, conn.sock, conn.client, error)
        self._close_gently(conn)

    def _time_out(self, conn: Connection) -> None:
        self._forget(conn)
        if conn.buffer:
            self._refuse(conn, RequestTimeoutError())
        else:
            self.nr_conns -= 1
            conn.close()

    def murder_keepalived(self, force: bool = False) -> None:
        """See `ThreadWorker.murder_keepalived`. Called at least once a second."""
        for waiting in (self._idle, self._closing):
            _expire(waiting, self._drop, is_forced=force)

    def murder_pending(self) -> None:
        """See `ThreadWorker.murder_pending`."""
        _expire(self._reading, self._time_out)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """See `ThreadWorker.wait_for_and_dispatch_events`."""
        ends = [next(iter(waiting.values())) for waiting in (self._reading, self._idle, self._closing) if waiting]
        if ends:
            timeout = max(0.0, min(timeout, min(ends) - time.monotonic()))
        super().wait_for_and_dispatch_events(timeout)

    def _cap_keepalive(self, deadline: float) -> None:
        """See `ThreadWorker._cap_keepalive`: a worker that stops waits for what has begun to arrive, not for more."""
        for conn in self._idle:
            self._idle[conn] = min(self._idle[conn], deadline)
        for conn in [conn for conn in self._reading if not conn.buffer]:
            del self._reading[conn]
            self._idle[conn] = deadline

    def handle(self, conn: Connection) -> bool:
        """See `ThreadWorker.handle`. Runs in a thread of the pool, with a request that is whole."""
        while self._answer(conn):
            conn.begin_again()
            if not (self.alive and self.nr_conns <= self.cfg.threads and _has_more(conn)):
                return True
        return False

    def _answer(self, conn: Connection) -> bool:
        """Answer one request. True when the connection is kept."""
        request = None
        try:
            conn.sock.settimeout(self.deadline_seconds)  # for a client that does not read its answer
            request = conn.next_request()
            return bool(self.handle_request(request, conn) and conn.parser.finish_body(time.monotonic()))
        except (NoMoreData, StopIteration, TimeoutError):
            pass  # the client has gone, or is to go
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN):
                self.log.exception("Socket error processing request.")
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets one of our answers
            self.handle_error(request, conn.sock, conn.client, error)
        return False

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:
        """See `gunicorn.workers.base.Worker.handle_error`."""
        status, phrase = (
            (408, "Request Timeout")
            if isinstance(exc, RequestTimeoutError)
            else next(((s, p) for kind, s, p in _STATUSES if isinstance(exc, kind)), (500, "Internal Server Error"))
        )
        logger().warning("broken request", status=status, error=type(exc).__name__)
        observing.observer(self.wsgi)(RequestBroken())
        document = {
            "type": "about:blank",
            "title": _title(status),
            "status": status,
            "reason": "InvalidRequest" if status < 500 else "CannotDecide",
        }
        body = orjson.dumps(document)
        head = (
            f"HTTP/1.1 {status} {phrase}\r\nConnection: close\r\nContent-Type: application/problem+json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        try:
            util.write_nonblock(client, head.encode("ascii") + body)
        except OSError:
            logger().debug("the client had gone", error=type(exc).__name__)


def configured(*, deadline_seconds: float, tls: Callable[[], ssl.SSLContext | None]) -> type[Worker]:
    """The worker for some settings. `tls` is called in each worker: it finds the certificate of its time."""

    class Configured(Worker):
        def init_process(self) -> None:
            self.tls = tls()
            super().init_process()

    Configured.deadline_seconds = deadline_seconds
    return Configured


class RequestTimeoutError(Exception):
    """A request had not arrived in time."""


def _expire(waiting: dict[Connection, float], expire: Callable[[Connection], None], *, is_forced: bool = False) -> None:
    now = time.monotonic()
    while waiting:
        conn, until = next(iter(waiting.items()))
        if until > now and not is_forced:
            return
        expire(conn)


def _title(status: int) -> str:
    if status == http.HTTPStatus.REQUEST_TIMEOUT:
        return "the HTTP request did not arrive in time"
    return "the HTTP request cannot be read" if status < 500 else "an internal error"


def _call(callback: Callable[[Connection], None], conn: Connection, _: Any) -> None:
    callback(conn)


def _is_pending(conn: Connection) -> bool:
    return isinstance(conn.sock, ssl.SSLSocket) and conn.sock.pending() > 0


def _has_more(conn: Connection) -> bool:
    """True where the next request is here, whole, after the linger time at most. One that is not is the poller's."""
    try:
        if not conn.buffer and not _is_pending(conn):
            poller = select.poll()
            poller.register(conn.sock, select.POLLIN)
            if not poller.poll(_LINGER_MILLISECONDS):
                return False
        conn.sock.setblocking(False)
        return conn.is_whole() or conn.receive()
    except OSError:
        return False


class QuietLogger(Logger):  # type: ignore[misc]
    """gunicorn's logger with its messages for operators, and without what it interpolates of requests."""

    def setup(self, cfg: Any) -> None:
        """See `gunicorn.glogging.Logger.setup`."""
        super().setup(cfg)
        self.error_log.handlers = [logging.NullHandler()]
        self.access_log.handlers = [logging.NullHandler()]

    def debug(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Left out: at this level gunicorn prints the bytes it could not parse."""

    def exception(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """The kind of an error and where it was raised; its text only where it is known to be safe."""
        error = sys.exc_info()[1]
        if error is None:
            return
        text = str(error) if isinstance(error, AdmissionError) else type(error).__name__
        logger().error("server error", error=text, frames=frames(error))

    def info(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Starts, stops and workers, which gunicorn describes by process ids and addresses."""
        logger().info("server", error=_interpolated(msg, args))

    def warning(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """See `info`. Requests are not described at this level: `Worker.handle_error` does not."""
        logger().warning("server", error=_interpolated(msg, args))

    def error(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """See `warning`."""
        logger().error("server", error=_interpolated(msg, args))

    def critical(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """See `warning`."""
        logger().error("server", error=_interpolated(msg, args))

    def access(self, resp: Any, req: Any, environ: Any, request_time: Any) -> None:
        """Left out: the service logs one line a review itself, and paths are the caller's text."""


def _interpolated(msg: str, args: tuple[Any, ...]) -> str:
    safe = tuple(arg if isinstance(arg, int | float | str) else type(arg).__name__ for arg in args)
    try:
        return msg % safe if safe else msg
    except (TypeError, ValueError):
        return msg
