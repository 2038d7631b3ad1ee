"""How much of an HTTP/1.1 request has arrived: enough to answer it, or not yet.

This reads no more of a request than it takes to know where it ends. What the request is, and whether it is one, is for
the server's parser, which gets the same bytes and nothing else. So a mistake here could make a request wait or have it
refused as one that is cut off, and never have it read in two ways.
"""

from __future__ import annotations

import re

MAX_HEAD = 65_536
"""Bytes of a request's head. The parser's own limits are lower, of each line and of their number."""

_MAX_CHUNK_LINE = 8_192
_SPARE = 64
_FIELD = re.compile(rb"\n(content-length|transfer-encoding|expect)[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE)
_CHUNK_SIZE = re.compile(rb"[0-9a-fA-F]{1,8}[ \t]*")
_LENGTH = re.compile(rb"[0-9]{1,12}")


class Framing:
    """The end of one request, looked for in a buffer that grows. Work is in proportion to what is new."""

    def __init__(self, max_body: int) -> None:
        """A body of more than `max_body` bytes is not waited for: it is refused by its head."""
        self._max_body = max_body
        self._searched = 0
        self._body_at = -1
        self._next = 0
        self._is_chunked = False
        self._overhead = 0
        self.expects_continue = False
        """Whether the client waits for a word before it sends the body."""
        self.is_cut_off = False
        """Whether more of the request would follow than is waited for: what comes after it is not a request."""
        self.is_head_too_large = False

    def is_complete(self, buffer: bytearray) -> bool:
        """Whether nothing more is waited for. The buffer holds the request from its first byte on."""
        if self._body_at < 0 and not self._find_head(buffer):
            return self.is_head_too_large
        if self.is_cut_off:
            return True
        return self._is_last_chunk_there(buffer) if self._is_chunked else len(buffer) >= self._next

    def _find_head(self, buffer: bytearray) -> bool:
        end = buffer.find(b"\r\n\r\n", max(0, self._searched - 3))
        self._searched = len(buffer)
        if end < 0 or end > MAX_HEAD:
            self.is_head_too_large = self.is_cut_off = len(buffer) > MAX_HEAD
            return False
        self._body_at = self._next = end + 4
        length = 0
        for match in _FIELD.finditer(buffer, 0, end):
            name, value = match[1].lower(), match[2].strip().lower()
            if name == b"expect":
                self.expects_continue = value == b"100-continue"
            elif name == b"transfer-encoding":
                self._is_chunked = True
                self.is_cut_off |= value != b"chunked"
            elif _LENGTH.fullmatch(value):
                length = max(length, int(value))
            else:
                self.is_cut_off = True
        self._next += length
        self.is_cut_off |= length > self._max_body
        return True

    def _is_last_chunk_there(self, buffer: bytearray) -> bool:
        while self._next < len(buffer) and not self._is_body_too_large(buffer):
            end = buffer.find(b"\r\n", self._next, self._next + _MAX_CHUNK_LINE)
            if end < 0:
                self.is_cut_off = len(buffer) - self._next >= _MAX_CHUNK_LINE
                return self.is_cut_off
            size_text = bytes(buffer[self._next : end]).partition(b";")[0]
            if not _CHUNK_SIZE.fullmatch(size_text):
                self.is_cut_off = True
                return True
            size = int(size_text, 16)
            if size == 0:
                # An empty line ends the trailers, of which there are mostly none.
                self.is_cut_off = len(buffer) - end > MAX_HEAD
                return self.is_cut_off or buffer.find(b"\r\n\r\n", end) >= 0
            self._overhead += end + 2 - self._next + 2
            self._next = end + 2 + size + 2
        self.is_cut_off = self._is_body_too_large(buffer)
        return self.is_cut_off

    def _is_body_too_large(self, buffer: bytearray) -> bool:
        """Whether more of a chunked body is here than the application reads, or far more framing than body."""
        arrived = len(buffer) - self._body_at
        return arrived - self._overhead > self._max_body + _SPARE or arrived > 2 * self._max_body
