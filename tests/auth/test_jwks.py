"""The keys of an issuer: kept for a while, asked for once, and never what they should not be."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import orjson
import pytest
from joserfc.jwk import OctKey

from ecs_admission.auth.jwks import (
    FRESH_SECONDS,
    MAX_BYTES,
    MAX_KEYS,
    PAUSE_SECONDS,
    STALE_SECONDS,
    KeySource,
    fetch_file,
    fetch_from,
    read_keys,
)
from ecs_admission.errors import SettingsError
from tests.auth.issuers import ec_key, jwks, rsa_key, serving_keys


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Fetches:
    """An issuer that answers as it is told, and counts."""

    def __init__(self, *answers: bytes | Exception) -> None:
        self.answers = list(answers)
        self.count = 0

    def __call__(self) -> bytes:
        self.count += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def source(*answers: bytes | Exception) -> tuple[KeySource, Fetches, Clock]:
    fetches, clock = Fetches(*answers), Clock()
    return KeySource(fetches, clock=clock), fetches, clock


def name(key: Any) -> str | None:
    return None if key is None else key.kid


def test_keys_are_asked_for_once_while_they_are_fresh() -> None:
    keys, fetches, clock = source(jwks(rsa_key("one"), ec_key("two")))
    for _ in range(3):
        assert [name(keys.find("one")), name(keys.find("two"))] == ["one", "two"]
    clock.now += FRESH_SECONDS - 1
    keys.find("one")
    assert fetches.count == 1
    clock.now += 2
    keys.find("one")
    assert fetches.count == 2


def test_a_new_key_is_asked_for_but_not_faster_than_that() -> None:
    keys, fetches, clock = source(jwks(rsa_key("one")), jwks(rsa_key("one"), ec_key("two")))
    keys.find("one")
    assert keys.find("two") is None
    assert fetches.count == 1
    clock.now += PAUSE_SECONDS
    assert name(keys.find("two")) == "two"
    for number in range(50):
        assert keys.find(f"invented-{number}") is None
    assert fetches.count == 2


def test_an_issuer_that_is_away_is_done_without_for_a_day() -> None:
    keys, fetches, clock = source(jwks(rsa_key("one")), OSError("away"))
    keys.find("one")
    clock.now += STALE_SECONDS - 1
    assert name(keys.find("one")) == "one"
    clock.now += 1
    assert keys.find("one") is None
    assert fetches.count == 2
    clock.now += PAUSE_SECONDS
    assert keys.find("one") is None
    assert fetches.count == 3


def test_an_issuer_that_never_answered_has_no_keys() -> None:
    keys, fetches, _ = source(ValueError("nonsense"))
    assert keys.find("one") is keys.find(None) is None
    assert fetches.count == 1


def test_a_key_that_is_withdrawn_is_gone() -> None:
    keys, _, clock = source(jwks(rsa_key("one")), jwks(ec_key("two")))
    keys.find("one")
    clock.now += FRESH_SECONDS
    assert keys.find("one") is None


def test_a_token_may_leave_the_key_out_where_there_is_one() -> None:
    assert name(source(jwks(rsa_key("one")))[0].find(None)) == "one"
    assert source(jwks(rsa_key("one"), ec_key("two")))[0].find(None) is None


def test_of_many_threads_one_asks() -> None:
    with serving_keys(rsa_key("one")) as served:
        served.may_answer.clear()
        keys = KeySource(fetch_from(served.url))
        found: list[str | None] = []
        threads = [threading.Thread(target=lambda: found.append(name(keys.find("one")))) for _ in range(8)]
        for thread in threads:
            thread.start()
        served.may_answer.set()
        for thread in threads:
            thread.join()
        assert (found, served.count) == (["one"] * 8, 1)


def test_shared_secrets_and_keys_for_encryption_are_no_keys() -> None:
    shared = OctKey.generate_key(256, {"kid": "shared"}).as_dict(private=True)
    listed = orjson.loads(jwks(rsa_key("one"), ec_key("two")))["keys"]
    listed[1]["use"] = "enc"
    read = read_keys(orjson.dumps({"keys": [shared, *listed, {"kty": "RSA"}, {"kty": "x"}, {}, 1]}))
    assert [key.kid for key in read] == ["one"]


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"keys": []}', b'{"keys": {}}', b'{"keys": [{}]}', b"<html>",
     orjson.dumps({"keys": [{"kty": "x"}] * (MAX_KEYS + 1)})],
)  # fmt: skip
def test_what_is_no_document_of_keys_has_none(content: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - orjson's own and ours
        read_keys(content)


def test_a_private_key_that_an_issuer_shows_is_read_as_public() -> None:
    (key,) = read_keys(orjson.dumps({"keys": [rsa_key("one").as_dict(private=True)]}))
    assert not key.is_private


class TestFetching:
    def test_the_document_is_what_the_issuer_serves(self) -> None:
        with serving_keys(rsa_key("one")) as served:
            assert fetch_from(served.url + "?a=b")() == served.body
            assert served.requests[0][0] == "/jwks?a=b"

    @pytest.mark.parametrize("status", [301, 302, 307, 404, 500])
    def test_no_redirect_is_followed_and_an_error_is_none(self, status: int) -> None:
        with serving_keys(rsa_key("one")) as served:
            served.status, served.headers = status, {"Location": served.url}
            with pytest.raises(ValueError, match="did not give its keys"):
                fetch_from(served.url)()
            assert served.count == 1

    def test_more_than_enough_is_not_read(self) -> None:
        with serving_keys(rsa_key("one")) as served:
            served.body = b"x" * (MAX_BYTES + 1)
            with pytest.raises(ValueError, match="too large"):
                fetch_from(served.url)()

    def test_an_issuer_that_does_not_answer_is_not_waited_for(self) -> None:
        with serving_keys(rsa_key("one")) as served:
            served.may_answer.clear()
            with pytest.raises(TimeoutError):
                fetch_from(served.url, deadline_seconds=0.05)()

    @pytest.mark.parametrize(
        "url",
        ["http://issuer.example.com/jwks", "http://localhost/jwks", "ftp://127.0.0.1/x", "file:///etc/passwd", "//x",
         "", "https://", "https://user@issuer.example.com/", "https://x:99999/"],
    )  # fmt: skip
    def test_only_https_is_a_place_of_keys(self, url: str) -> None:
        with pytest.raises(SettingsError, match="jwks_uri"):
            fetch_from(url)

    def test_keys_may_lie_in_a_file(self, tmp_path: Path) -> None:
        path = tmp_path / "jwks.json"
        keys = KeySource(fetch_file(path))
        assert keys.find("one") is None
        path.write_bytes(jwks(rsa_key("one")))
        assert name(KeySource(fetch_file(path)).find("one")) == "one"
