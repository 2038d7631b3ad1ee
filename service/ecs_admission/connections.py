"""A client's connection, read without waiting until a request is whole; only then does a thread get it."""

from __future__ import annotations

import socket
import ssl
from typing import Any

from gunicorn.http.parser import RequestParser

from ecs_admission.framing import Framing

_READ_BYTES = 65_536
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Connection:
    """Called `conn` by gunicorn, which reads `sock`, `client`, `server` and `parser` of it."""

    def __init__(self, cfg: Any, sock: socket.socket, client: Any, *, server: Any, max_body: int) -> None:
        self.sock = sock
        self.client = client
        self.server = server
        # It is given what has arrived, and takes the end of that for the end of all: a thread never waits for a client.
        self.parser = RequestParser(cfg, [], client)
        self.buffer = bytearray()
        self.is_ended = False
        """Whether the client has said that it sends no more."""
        self.is_shaking_hands = isinstance(sock, ssl.SSLSocket)
        self.wants_to_write = False
        self._max_body = max_body
        self._framing = Framing(max_body)
        self._has_continued = False

    def receive(self) -> bool:
        """Read what has arrived. True when a request is whole, or as whole as it will be. Raises OSError.

        The socket does not block.
        """
        self.wants_to_write = False
        try:
            if self.is_shaking_hands:
                self.sock.do_handshake()  # type: ignore[attr-defined]
                self.is_shaking_hands = False
            self._read()
        except (BlockingIOError, InterruptedError, ssl.SSLWantReadError):
            pass
        except ssl.SSLWantWriteError:
            self.wants_to_write = True
            return False
        return self.is_whole()

    def is_whole(self) -> bool:
        """Whether what was read is all of a request, or all that will be waited for."""
        if not self.buffer:
            return False
        if self._framing.is_complete(self.buffer) or self.is_ended:
            return True
        if self._framing.expects_continue and not self._has_continued:
            self._has_continued = True
            self.sock.send(_CONTINUE)
        return False

    def _read(self) -> None:
        while not self.is_ended:
            data = self.sock.recv(_READ_BYTES)
            self.is_ended = not data
            self.buffer += data
            # Of a plain socket the poller tells again; of TLS it does not know what is decrypted already.
            if len(data) < _READ_BYTES and not isinstance(self.sock, ssl.SSLSocket):
                return
            if self._framing.is_complete(self.buffer):
                return

    @property
    def is_head_too_large(self) -> bool:
        """Whether its head is longer than any that is read."""
        return self._framing.is_head_too_large

    def next_request(self) -> Any:
        """The request that arrived, for which the parser gets what was read. Raises what the parser does."""
        self.parser.unreader.unread(bytes(self.buffer))
        self.buffer.clear()
        request = next(self.parser)
        if self._framing.is_cut_off or self.is_ended:
            request.force_close()
        request._expected_100_continue = False  # it was told, or need not send its body
        return request

    def begin_again(self) -> None:
        """Make ready for the next request, of which some may have been read with the one before."""
        self.buffer += self.parser.unreader.take_buffered()
        self._framing = Framing(self._max_body)
        self._has_continued = False

    def close(self) -> None:
        """Close it at once."""
        self.sock.close()
