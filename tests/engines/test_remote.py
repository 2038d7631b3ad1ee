"""Where a bundle is got from: by its tag, bounded in time and size, and from nowhere but where it is said to be."""

from __future__ import annotations

import http.server
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ecs_admission.engines.remote import Fetched, open_source
from ecs_admission.engines.remote.bundle import KEY_FILE, fetch_pack
from ecs_admission.engines.remote.http import HttpSource
from ecs_admission.errors import PolicyError, PolicyUnavailableError
from ecs_admission.places import Remote, problem_of, read_places
from tests.engines.bundles.released import new_key, public_key_file, released, revision_of
from tests.engines.remote_server import BundleServer, serving_bundles


@pytest.fixture
def server() -> Iterator[BundleServer]:
    with serving_bundles() as running:
        yield running


def source(server: BundleServer, **limits: Any) -> HttpSource:
    return HttpSource(Remote(server.url), **limits)


def refusal(asked: HttpSource) -> str:
    with pytest.raises(PolicyUnavailableError) as caught:
        asked.fetch(None)
    assert caught.value.__cause__ is None
    return str(caught.value).partition(": ")[2]


class TestPlaces:
    @pytest.mark.parametrize(
        ("text", "places"),
        [
            ("https://x.example/p.tar.gz", (Remote("https://x.example/p.tar.gz"),)),
            (" s3://bucket/a/b.tar.gz , /a:/b", (Remote("s3://bucket/a/b.tar.gz"), Path("/a"), Path("/b"))),
            ("http://127.0.0.1:81/x?y=1,z", (Remote("http://127.0.0.1:81/x?y=1"), Path("z"))),
        ],
    )
    def test_a_url_is_a_place_of_its_own(self, text: str, places: tuple[object, ...]) -> None:
        assert read_places(text) == places

    @pytest.mark.parametrize(
        "url",
        ["ftp://x/y", "https:///", "https://u:p@x.example/y", "https://x.example/y#z", "http://x.example/y", "s3://b",
         "s3://b/", "s3://B_/k", "s3://bucket/k?versionId=1", "https://x:99999/y", "http://127.0.0.1.example/x"],
    )  # fmt: skip
    def test_what_can_be_no_source_is_refused_without_repeating_it(self, url: str) -> None:
        told = problem_of((Remote(url),), has_key=True)
        assert told is not None
        assert url not in told
        with pytest.raises(PolicyError):
            open_source(Remote(url))

    def test_only_the_first_place_is_a_url_and_it_is_signed_unless_it_is_here(self) -> None:
        one, here = Remote("https://x.example/y"), Remote("http://localhost:81/y")
        assert problem_of((one,), has_key=True) is None
        assert problem_of((here, Path("x")), has_key=False) is None
        assert problem_of((), has_key=False) is None
        assert "set policies_key_file" in str(problem_of((one,), has_key=False))
        assert "set policies_key_file" in str(problem_of((Remote("s3://bucket/key"),), has_key=False))
        for places in ((Path("x"), one), (one, one)):
            assert "only the first" in str(problem_of(places, has_key=True))


class TestHttp:
    def test_a_bundle_is_got_once_and_then_by_its_tag(self, server: BundleServer) -> None:
        server.content = b"one"
        asked = source(server)
        got = asked.fetch(None)
        assert isinstance(got, Fetched)
        assert (got.content, asked.fetch(got.etag)) == (b"one", None)
        server.content = b"two"
        assert asked.fetch(got.etag) is not None
        assert server.statuses == [200, 304, 200]

    def test_no_proxy_and_no_netrc_is_used(
        self, server: BundleServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        server.content = b"one"
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b\n")
        monkeypatch.setenv("HOME", str(tmp_path))
        assert source(server).fetch(None) is not None
        assert "authorization" not in server.seen[0]

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 500, 503, 204, 304])
    def test_any_other_status_is_told(self, server: BundleServer, status: int) -> None:
        def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            handler.send_header("Content-Length", "0")
            handler.end_headers()

        server.answer = answer
        assert refusal(source(server)) == f"answered with status {status}"

    def redirect(self, server: BundleServer, to: Callable[[str], str]) -> None:
        def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
            server.answer = None if "elsewhere" in to(handler.path) else server.answer
            handler.send_response(302)
            handler.send_header("Location", to(handler.path))
            handler.send_header("Content-Length", "0")
            handler.end_headers()

        server.answer = answer

    def test_a_redirect_on_the_same_host_is_followed(self, server: BundleServer) -> None:
        server.content = b"one"
        self.redirect(server, lambda _: "/elsewhere")
        got = source(server).fetch(None)
        assert got is not None
        assert got.content == b"one"

    @pytest.mark.parametrize("to", ["http://localhost/x", "https://127.0.0.1/x", "//x.example/", "http://127.0.0.1:1/"])
    def test_one_to_another_host_is_not(self, server: BundleServer, to: str) -> None:
        self.redirect(server, lambda _: to)
        assert refusal(source(server)) == "leads to another host, which is not followed"

    def test_one_in_a_circle_ends(self, server: BundleServer) -> None:
        self.redirect(server, lambda path: path)
        assert refusal(source(server)) == "leads on and on"
        assert len(server.seen) == 4

    def test_what_is_too_long_is_not_read_to_its_end(self, server: BundleServer) -> None:
        server.content = bytes(200_000)
        assert refusal(source(server, max_bytes=1000)) == "is longer than 1000 bytes"
        server.content = bytes(1001)
        assert refusal(source(server, max_bytes=1000)) == "is longer than 1000 bytes"

    def test_what_is_cut_short_is_not_taken(self, server: BundleServer) -> None:
        def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
            handler.send_response(200)
            handler.send_header("Content-Length", "10")
            handler.end_headers()
            handler.wfile.write(b"12345")
            handler.close_connection = True

        server.answer = answer
        assert refusal(source(server)) in ("the answer was cut short", "cannot be reached, or broke off")

    def test_a_server_that_sends_a_byte_now_and_then_is_too_slow(self, server: BundleServer) -> None:
        def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
            handler.send_response(200)
            handler.send_header("Content-Length", "1000000")
            handler.end_headers()
            try:
                while True:
                    handler.wfile.write(b"x")
                    handler.wfile.flush()
            except OSError:
                handler.close_connection = True

        server.answer = answer
        told = refusal(source(server, deadline_seconds=0.2, max_bytes=1 << 40))
        assert told in ("no answer within 0.2 s", "cannot be reached, or broke off")

    def test_nobody_there_is_told(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        assert refusal(HttpSource(Remote(f"http://127.0.0.1:{port}/x"))) == "cannot be reached, or broke off"


class TestForACommand:
    """`check`, `policies show` and others read the bundle that is there now, verified as a service would."""

    def test_it_is_verified_where_there_is_a_key(
        self, server: BundleServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        server.content = released(7, key=new_key(tmp_path / "other.pem"))
        monkeypatch.delenv(KEY_FILE, raising=False)
        assert fetch_pack(Remote(server.url)).revision == revision_of(7)
        monkeypatch.setenv(KEY_FILE, str(public_key_file()))
        with pytest.raises(PolicyError, match="none of the keys"):
            fetch_pack(Remote(server.url))
        server.content = released(7)
        mark = fetch_pack(Remote(server.url)).mark
        assert mark is not None
        assert (mark.serial, mark.revision) == (7, revision_of(7))

    def test_elsewhere_it_has_to_be(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv(KEY_FILE, raising=False)
        with pytest.raises(PolicyError, match="has to be signed"):
            fetch_pack(Remote("https://policies.example.com/x"))
