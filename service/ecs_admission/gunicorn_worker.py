"""gunicorn's threaded worker and logger, made to repeat nothing of what was sent.

As they come, a request whose framing is broken has the rest of its body printed into a 400 page and into the log.
"""

from __future__ import annotations

import logging
import select
import signal
import socket
import sys
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
from gunicorn.workers.gthread import ThreadWorker

from ecs_admission.errors import AdmissionError
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


class Worker(ThreadWorker):  # type: ignore[misc]
    """A `gthread` worker whose error answers are problem details with fixed words.

    A thread that has answered waits a moment for the next request of the same connection, while there are threads to
    spare: handing the connection back to the main thread's poller and getting it again costs more than the rest of
    HTTP together.
    """

    def init_signals(self) -> None:
        """See `gunicorn.workers.base.Worker.init_signals`. A terminal's interrupt reaches every process; the master's
        word counts."""
        super().init_signals()
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def handle(self, conn: Any) -> Any:
        """See `ThreadWorker.handle`."""
        result = super().handle(conn)
        while result is True and self.alive and self.nr_conns <= self.cfg.threads and _has_more(conn):
            result = super().handle(conn)
        return result

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:
        """See `gunicorn.workers.base.Worker.handle_error`."""
        status, phrase = next(
            ((s, p) for kind, s, p in _STATUSES if isinstance(exc, kind)), (500, "Internal Server Error")
        )
        logger().warning("broken request", status=status, error=type(exc).__name__)
        document = {
            "type": "about:blank",
            "title": "the HTTP request cannot be read" if status < 500 else "an internal error",
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


def _has_more(conn: Any) -> bool:
    """True where the next request begins to arrive within the linger time. Bytes read ahead are the poller's."""
    if conn.is_http2 or conn.parser.unreader.buf.getvalue():
        return False
    poller = select.poll()
    poller.register(conn.sock, select.POLLIN)
    return bool(poller.poll(_LINGER_MILLISECONDS))


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
