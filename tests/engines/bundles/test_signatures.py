"""A signature proves which files a bundle has, in the way that `opa` itself makes and verifies it."""

from __future__ import annotations

import base64
import hmac
import json
import subprocess
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from ecs_admission.engines.archives import unpack
from ecs_admission.engines.bundles.format import DATA, MANIFEST, write_archive
from ecs_admission.engines.bundles.hashes import file_hash
from ecs_admission.engines.bundles.keys import BundleKey, make_key, read_private_key, read_public_keys
from ecs_admission.engines.bundles.signatures import SIGNATURES, read_signature, sign, verify
from ecs_admission.errors import PolicyError
from tests.engines.bundles.released import new_key, public_key_file, released, released_files, signing_key
from tests.engines.opa_server import opa_program
from tests.project.samples import unhurried

FILES = {
    MANIFEST: b'{"revision": "r", "roots": [""]}',
    DATA: b'{"b": [1.0, 1, 1e5, true, null], "a": {"\\u2028": "<&>\\u007f\\u00e9\\ud83d\\ude00\\n"}}',
    "admission/main.rego": b"package admission.main\n\nevaluation := 1\n",
    "notes.bin": bytes(range(256)),
}


def signed(files: dict[str, bytes], key: BundleKey | None = None) -> dict[str, bytes]:
    return files | {SIGNATURES: sign(files, key or signing_key())}


def refusal(files: dict[str, bytes], *keys: BundleKey) -> str:
    with pytest.raises(PolicyError) as caught:
        verify(files, keys or read_public_keys(public_key_file()))
    assert caught.value.__cause__ is None
    return str(caught.value)


def token(files: dict[str, bytes]) -> str:
    text: str = orjson.loads(files[SIGNATURES])["signatures"][0]
    return text


def with_token(files: dict[str, bytes], text: str) -> dict[str, bytes]:
    return files | {SIGNATURES: orjson.dumps({"signatures": [text]})}


def made(payload: Any, header: dict[str, Any] | None = None) -> str:
    """A token by the right key over any list of files."""
    key = signing_key()
    registry = jws.JWSRegistry(algorithms=["ES256"])
    registry.max_payload_length = 1_000_000
    return jws.serialize_compact(header or {"alg": "ES256"}, orjson.dumps(payload), key.key, registry=registry)


def listed(files: dict[str, bytes]) -> list[dict[str, str]]:
    return [{"name": name, "hash": file_hash(name, content), "algorithm": "SHA-256"} for name, content in files.items()]


def test_what_is_signed_is_verified_by_the_public_half() -> None:
    (key,) = read_public_keys(public_key_file())
    assert verify(signed(FILES), [key]).id == key.id == signing_key().id
    assert read_signature(signed(FILES)) is not None


def test_one_of_several_keys_is_enough(tmp_path: Path) -> None:
    other = new_key(tmp_path / "other.pem")
    both = tmp_path / "both.pem"
    both.write_bytes((tmp_path / "other.pem.pub").read_bytes() + public_key_file().read_bytes())
    keys = read_public_keys(both)
    assert [verify(signed(FILES, key), keys).id for key in (other, signing_key())] == [other.id, signing_key().id]


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_was_altered_is_named(name: str) -> None:
    altered = {MANIFEST: b'{"revision": "x", "roots": [""]}', DATA: b"{}"}.get(name, FILES[name] + b" ")
    assert refusal(signed(FILES) | {name: altered}) == f"{name}: is not the file that was signed"


def test_the_value_of_data_counts_and_not_its_spaces() -> None:
    files = signed(FILES) | {MANIFEST: b'{"roots":[""],"revision":"r"}'}
    assert verify(files, read_public_keys(public_key_file()))


@pytest.mark.parametrize(
    "content", [b'{"a": 1, "a": 1}', b"{", b'{"a": NaN}', b'{"a": "\\ud800"}', b"\xff", b"[" * 99999]
)
def test_data_that_can_be_read_in_two_ways_has_no_hash(content: bytes) -> None:
    with pytest.raises(PolicyError, match="can be read in one way only"):
        file_hash(DATA, content)


def test_a_number_counts_as_it_is_written() -> None:
    assert len({file_hash(DATA, b'{"a": %s}' % number) for number in (b"1", b"1.0", b"1e0", b"10e-1")}) == 4


def test_yaml_that_would_be_signed_is_refused() -> None:
    with pytest.raises(PolicyError, match=r"x/data\.yaml: data that is signed is JSON"):
        sign({"x/data.yaml": b"a: 1\n"}, signing_key())


def test_a_file_more_or_less_is_refused() -> None:
    files = signed(FILES)
    assert refusal(files | {"more.rego": b""}) == "more.rego: is not among the files that are signed"
    assert refusal({k: v for k, v in files.items() if k != "notes.bin"}) == (
        "a file that was signed is missing from the bundle"
    )


def test_no_signature_another_key_and_several_signatures_are_refused(tmp_path: Path) -> None:
    assert refusal(dict(FILES)) == "the bundle is not signed"
    assert "none of the keys" in refusal(signed(FILES, new_key(tmp_path / "other.pem")))
    twice = orjson.dumps({"signatures": [token(signed(FILES))] * 2})
    assert "exactly one" in refusal(FILES | {SIGNATURES: twice})
    with_plugin = orjson.dumps({"signatures": [token(signed(FILES))], "plugin": "x"})
    assert "exactly one" in refusal(FILES | {SIGNATURES: with_plugin})
    for content in (b"", b"{}", b"[]", b'{"signatures": []}', b'{"signatures": "x"}'):
        assert "exactly one" in refusal(FILES | {SIGNATURES: content})
    for text in ("", "a.b.c", "x", "é", "a.b.c.d"):
        refusal(with_token(FILES, text))
    assert "not OPA's" in refusal(FILES | {SIGNATURES: b'{"signatures": [1]}'})


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        ([], "none of the keys"),
        ({}, "does not list files"),
        ({"files": [1]}, "does not list files"),
        ({"files": [{"name": 1, "hash": "", "algorithm": "SHA-256"}]}, "does not list files"),
        ({"files": [{"name": "a", "hash": "", "algorithm": "MD5"}]}, "another hash than SHA-256"),
        ({"files": [{"name": "a", "hash": ""}]}, "another hash than SHA-256"),
        ({"files": listed(FILES) * 2}, "lists a file twice"),
        ({"files": listed(FILES), "scope": "write"}, "another scope"),
    ],
)
def test_a_list_that_is_not_of_these_files_is_refused_whoever_signed_it(payload: Any, told: str) -> None:
    assert told in refusal(with_token(FILES, made(payload)))


def test_the_key_says_which_algorithm_counts() -> None:
    """A token may not choose: none at all, or a secret that everybody knows since it is the public key."""
    head, payload, _ = token(signed(FILES)).split(".")
    nothing = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    assert "none of the keys" in refusal(with_token(FILES, f"{nothing}.{payload}."))
    shared = base64.urlsafe_b64encode(b'{"alg":"HS256"}').rstrip(b"=").decode() + f".{payload}"
    mac = hmac.digest(public_key_file().read_bytes(), shared.encode(), "sha256")
    forged = f"{shared}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    assert "none of the keys" in refusal(with_token(FILES, forged))
    assert head != nothing


class TestKeys:
    def test_a_key_that_was_made_is_for_its_owner_alone_and_not_written_over(self, tmp_path: Path) -> None:
        key = make_key(tmp_path / "k.pem")
        assert (tmp_path / "k.pem").stat().st_mode & 0o777 == 0o600
        assert [each.id for each in read_public_keys(tmp_path / "k.pem.pub")] == [key.id]
        with pytest.raises(PolicyError, match="is there already"):
            make_key(tmp_path / "k.pem")
        with pytest.raises(PolicyError, match="cannot be written"):
            make_key(tmp_path / "none" / "k.pem")

    @pytest.mark.parametrize(
        ("key", "algorithm"),
        [
            (ECKey.generate_key("P-384"), "ES384"),
            (ECKey.generate_key("P-521"), "ES512"),
            (RSAKey.generate_key(2048), "RS256"),
        ],
        ids=["P-384", "P-521", "RSA"],
    )
    def test_the_algorithm_follows_from_the_key(self, tmp_path: Path, key: ECKey | RSAKey, algorithm: str) -> None:
        private, public = tmp_path / "k.pem", tmp_path / "k.pub"
        private.write_bytes(key.as_pem(private=True))
        public.write_bytes(key.as_pem(private=False))
        files = signed(FILES, read_private_key(private))
        assert verify(files, read_public_keys(public))
        found = read_signature(files)
        assert found is not None
        assert (found.algorithm, found.files) == (algorithm, len(FILES))

    @pytest.mark.parametrize(
        ("content", "told"),
        [
            (lambda: OKPKey.generate_key("Ed25519").as_pem(private=False), "is what OPA can verify"),
            (lambda: ECKey.generate_key("secp256k1").as_pem(private=False), "is what OPA can verify"),
            (lambda: ECKey.generate_key("P-256").as_pem(private=True), "holds a private key"),
            (lambda: b"", "holds no key in PEM"),
            (lambda: b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "is what OPA can verify"),
            (lambda: b"x" * 70_000, "too long"),
        ],
        ids=["Ed25519", "secp256k1", "private", "empty", "damaged", "long"],
    )
    def test_what_cannot_verify_is_refused(self, tmp_path: Path, content: Any, told: str) -> None:
        path = tmp_path / "k.pem"
        path.write_bytes(content())
        with pytest.raises(PolicyError, match=told) as caught:
            read_public_keys(path)
        assert caught.value.__cause__ is None

    def test_to_sign_takes_one_private_key(self, tmp_path: Path) -> None:
        with pytest.raises(PolicyError, match="holds a public key"):
            read_private_key(public_key_file())
        with pytest.raises(PolicyError, match="holds no keys"):
            read_private_key(Path(__file__))
        with pytest.raises(PolicyError, match="cannot be read"):
            read_public_keys(tmp_path / "none")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@unhurried
@given(value=values)
def test_the_hash_of_data_is_of_its_value(value: Any) -> None:
    pretty, plain = json.dumps({"x": value}, indent=2), json.dumps({"x": value}, ensure_ascii=False)
    assert file_hash(DATA, pretty.encode()) == file_hash(DATA, plain.encode("utf-8", "replace"))


@pytest.mark.opa
class TestAgainstOpa:
    """The reference is `opa` itself."""

    def opa(self, *arguments: str | Path, ok: bool = True) -> str:
        done = subprocess.run([opa_program(), *map(str, arguments)], capture_output=True, text=True, check=False)
        assert (done.returncode == 0) is ok, done.stderr
        return done.stdout + done.stderr

    def test_opa_makes_the_same_signature(self, tmp_path: Path) -> None:
        bundle, key = tmp_path / "b.tar.gz", tmp_path / "k.pem"
        new_key(key)
        data = json.dumps(
            {"odd": ["\u2028", "\u2029", "<&>", "\x7f\x00\x1f\b\f", "é😀", 1.0, 1e30, 12345678901234567890]}
        )
        bundle.write_bytes(write_archive({**FILES, DATA: data.encode()}))
        self.opa("sign", "--bundle", bundle, "--signing-key", key, "--signing-alg", "ES256", "-o", tmp_path)
        files = unpack(bundle.read_bytes()) | {SIGNATURES: (tmp_path / SIGNATURES).read_bytes()}
        assert verify(files, read_public_keys(tmp_path / "k.pem.pub"))

    def test_opa_verifies_and_inspects_what_was_signed_here(self, tmp_path: Path) -> None:
        bundle = tmp_path / "b.tar.gz"
        bundle.write_bytes(released(7))
        verified = ("--verification-key", public_key_file(), "--signing-alg", "ES256")
        self.opa("build", "--bundle", bundle, *verified, "--output", tmp_path / "again.tar.gz")
        shown = json.loads(self.opa("inspect", "--format", "json", bundle))
        assert shown["manifest"]["metadata"] == {"serial": 7}
        assert len(shown["signatures_config"]["signatures"]) == 1
        altered = unpack(released(7)) | {"admission/main.rego": b"package admission.main\n"}
        bundle.write_bytes(write_archive(altered))
        told = self.opa("build", "--bundle", bundle, *verified, "--output", tmp_path / "x.tar.gz", ok=False)
        assert "digest mismatch" in told

    def test_a_signature_of_another_key_is_none_for_opa(self, tmp_path: Path) -> None:
        bundle = tmp_path / "b.tar.gz"
        bundle.write_bytes(released(7, key=new_key(tmp_path / "other.pem")))
        verified = ("--verification-key", public_key_file(), "--signing-alg", "ES256")
        self.opa("build", "--bundle", bundle, *verified, "--output", tmp_path / "x.tar.gz", ok=False)


def test_the_same_files_give_the_same_bytes() -> None:
    assert released(7, is_signed=False) == released(7, is_signed=False)
    assert unpack(released(7, is_signed=False)) == released_files(7)
