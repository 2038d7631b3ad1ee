"""Framing: a request is whole with its last byte, however it arrives, and what can have no end is not waited for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_admission.framing import MAX_HEAD, Framing

MAX_BODY = 1000
HEAD = b"POST / HTTP/1.1\r\nHost: x\r\n"
WHOLE = [
    HEAD + b"\r\n",
    HEAD + b"Content-Length: 0\r\n\r\n",
    HEAD + b"content-length :5\r\n\r\n\r\n\r\nx",
    HEAD + b"Content-Length: 1000\r\n\r\n" + b"x" * 1000,
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: CHUNKED\r\n\r\n5;a=b\r\n\r\n\r\nx\r\nA\r\n0\r\n\r\n0\r\n\r\n\r\n0\r\nX: y\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n3e8\r\n" + b"x" * 1000 + b"\r\n0\r\n\r\n",
]


@pytest.mark.parametrize("request_", WHOLE)
@given(st.data())
def test_a_request_is_whole_with_its_last_byte(request_: bytes, data: st.DataObject) -> None:
    framing, buffer = Framing(MAX_BODY), bytearray()
    cuts = data.draw(st.lists(st.integers(1, len(request_) - 1), max_size=8).map(sorted))
    for begin, end in zip([0, *cuts], [*cuts, len(request_) - 1], strict=True):
        buffer += request_[begin:end]
        assert not framing.is_complete(buffer)
    buffer += request_[-1:]
    assert framing.is_complete(buffer)
    assert framing.is_complete(buffer + b"GET / HTTP/1.1\r\n")
    assert not framing.is_cut_off


@pytest.mark.parametrize(
    "request_",
    [
        HEAD + b"Content-Length: 1001\r\n\r\n",
        HEAD + b"Content-Length: 5\r\nContent-Length: 1001\r\n\r\n",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: 9999999999999\r\n\r\n",
        HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1" * 10_000,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffff\r\n" + b"x" * 1100,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 500,
        HEAD + b"x" * (MAX_HEAD + 1),
        HEAD + b"x" * (MAX_HEAD + 1) + b"\r\n\r\n",
    ],
)
def test_what_is_refused_anyway_is_not_waited_for_and_nothing_after_it_counts(request_: bytes) -> None:
    framing = Framing(MAX_BODY)
    assert framing.is_complete(bytearray(request_))
    assert framing.is_cut_off


@given(st.binary(max_size=400), st.sampled_from([b"", *WHOLE]))
def test_nothing_makes_it_fail(data: bytes, before: bytes) -> None:
    Framing(MAX_BODY).is_complete(bytearray(before[: len(data)] + data + before))
