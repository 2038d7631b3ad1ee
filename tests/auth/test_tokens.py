"""API tokens: their form, what the database keeps of them, and who can make one."""

from __future__ import annotations

import re
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_admission.auth.bindings import Grant, Scope
from ecs_admission.auth.roles import Role
from ecs_admission.auth.tokens import PREFIX, Pepper, TokenRecord, is_token, load_or_create_pepper, make_token
from ecs_admission.errors import SettingsError

RECORD = TokenRecord(
    id="id-1",
    name="ci",
    digest="d" * 64,
    created=1,
    expires=2,
    grant=Grant(frozenset({Role.AUTHOR, Role.SUBMITTER}), Scope(families=("web",))),
)


def test_a_token_is_256_random_bits_with_a_name_and_a_checksum() -> None:
    tokens = {make_token() for _ in range(200)}
    assert len(tokens) == 200
    assert all(re.fullmatch(rf"{PREFIX}[0-9A-Za-z]{{49}}", token) and is_token(token) for token in tokens)


@given(st.integers(0, 48), st.sampled_from("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"))
def test_a_mistyped_token_is_known_as_one(place: int, letter: str) -> None:
    token = make_token()
    at = len(PREFIX) + place
    mistyped = token[:at] + letter + token[at + 1 :]
    assert is_token(mistyped) == (mistyped == token)


@given(st.text(max_size=80))
def test_no_other_text_is_a_token(text: str) -> None:
    assert not is_token(text)
    assert not is_token(PREFIX + text)


def test_a_record_is_read_as_it_was_written() -> None:
    assert TokenRecord.read(RECORD.content()) == RECORD
    assert orjson.loads(RECORD.content())["roles"] == ["author", "submitter"]
    assert RECORD.username == "token:ci"


@pytest.mark.parametrize(
    "change",
    [{"v": 2}, {"roles": ["root"]}, {"covers": {"clusters": ["x"]}}, {"covers": []}, {"roles": 1}, {"id": ...}],
)
def test_a_record_of_another_form_is_none(change: dict[str, object]) -> None:
    document = orjson.loads(RECORD.content()) | change
    content = orjson.dumps({name: value for name, value in document.items() if value is not ...})
    with pytest.raises(SettingsError, match="damaged"):
        TokenRecord.read(content)


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"\xff"])
def test_what_is_no_record_is_none(content: bytes) -> None:
    with pytest.raises(SettingsError, match="damaged"):
        TokenRecord.read(content)


def test_what_is_stored_depends_on_the_key_and_on_what_it_is_of() -> None:
    one, other = Pepper(b"1" * 32), Pepper(b"2" * 32)
    assert one.digest("x") != other.digest("x")
    assert one.mac(b"x") != other.mac(b"x")
    assert one.digest("x") != one.mac(b"x").hex()


def test_nothing_of_a_key_or_a_digest_is_shown() -> None:
    assert "1111" not in repr(Pepper(b"1" * 32))
    assert "dddd" not in repr(RECORD)


class TestKeyFile:
    def test_it_is_made_once_and_for_the_owner_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "tokens.key"
        assert load_or_create_pepper(path).digest("x") == load_or_create_pepper(path).digest("x")
        assert path.stat().st_mode & 0o777 == 0o600
        assert re.fullmatch(r"[0-9a-f]{64}\n", path.read_text())

    def test_one_that_others_read_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "tokens.key"
        load_or_create_pepper(path)
        path.chmod(0o640)
        with pytest.raises(SettingsError, match="readable by others"):
            load_or_create_pepper(path)

    @pytest.mark.parametrize("content", ["", "00" * 31, "zz" * 32, "ü"])
    def test_one_that_is_none_is_refused(self, tmp_path: Path, content: str) -> None:
        path = tmp_path / "tokens.key"
        path.write_text(content)
        path.chmod(0o600)
        with pytest.raises(SettingsError, match="64 hex digits"):
            load_or_create_pepper(path)

    def test_one_that_cannot_be_made_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(SettingsError, match="cannot be read or made"):
            load_or_create_pepper(tmp_path / "none" / "tokens.key")
