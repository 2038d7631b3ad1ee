"""Keys in files, and certificates."""

from __future__ import annotations

import shutil
import subprocess
import threading
from pathlib import Path

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from ecs_admission.decision_log.certificates import Certificate, Writer, certified_key
from ecs_admission.decision_log.keys import (
    SigningKey,
    load_or_create_signing_key,
    make_signing_key,
    public_key,
    read_public_key,
)
from ecs_admission.errors import SettingsError

from .conftest import LOG_KEY

TRUSTED = {LOG_KEY.public.id: LOG_KEY.public}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "signing.key"


def test_a_key_is_made_once_for_its_owner_alone(file: Path) -> None:
    first = load_or_create_signing_key(file)
    second = load_or_create_signing_key(file)

    assert first.public.id == second.public.id
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(file.parent.iterdir()) == [file]
    assert second.public.has_signed(b"message", first.sign(b"message"))


def test_processes_that_start_together_have_one_key(file: Path) -> None:
    barrier = threading.Barrier(8)
    ids: list[str] = []

    def load() -> None:
        barrier.wait()
        ids.append(load_or_create_signing_key(file).public.id)

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(ids) == 8
    assert len(set(ids)) == 1


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl, which comes with PostgreSQL's packages")
def test_a_key_that_openssl_made_is_used(file: Path) -> None:
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", file], check=True, capture_output=True)
    file.chmod(0o600)
    shown = subprocess.run(["openssl", "pkey", "-in", file, "-pubout"], check=True, capture_output=True, text=True)

    assert load_or_create_signing_key(file).public.pem == shown.stdout


def test_the_public_half_is_read_from_either_file(file: Path, tmp_path: Path) -> None:
    key = load_or_create_signing_key(file)
    (tmp_path / "log.pem").write_text(key.public.pem)

    assert read_public_key(file).id == read_public_key(tmp_path / "log.pem").id == key.public.id


def test_a_key_that_others_read_is_refused(file: Path) -> None:
    load_or_create_signing_key(file)
    file.chmod(0o640)

    with pytest.raises(SettingsError, match="chmod 600"):
        load_or_create_signing_key(file)


def other_private(encryption: BestAvailableEncryption | NoEncryption = NoEncryption()) -> bytes:  # noqa: B008 - a value
    return Ed448PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"canary-" * 10,
        b"-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\n",
        other_private(),
        other_private(BestAvailableEncryption(b"password")),
        LOG_KEY.public.pem.encode(),
    ],
)
def test_what_is_no_private_key_of_ours_is_refused_without_being_shown(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    file.chmod(0o600)

    with pytest.raises(SettingsError, match="does not hold an unencrypted Ed25519 key in PEM") as caught:
        load_or_create_signing_key(file)

    assert "canary" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nonsense",
        load_pem_private_key(other_private(), None)
        .public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    ],
)
def test_what_is_no_public_key_of_ours_is_refused(file: Path, content: bytes) -> None:
    file.write_bytes(content)

    with pytest.raises(SettingsError, match="does not hold an Ed25519 key"):
        read_public_key(file)


def test_a_folder_is_no_key(tmp_path: Path) -> None:
    for read in (load_or_create_signing_key, read_public_key):
        with pytest.raises(SettingsError, match=r"cannot be read"):
            read(tmp_path)


@pytest.mark.parametrize("signature", [b"", b"x", bytes(64), bytes(65)])
def test_what_is_no_signature_is_none(signature: bytes) -> None:
    assert not LOG_KEY.public.has_signed(b"message", signature)


def test_a_private_key_does_not_show_itself() -> None:
    assert "_key" not in repr(LOG_KEY)
    assert "_key" not in repr(Writer.certified("w", time_us=1, log_key=LOG_KEY))


def test_a_certificate_says_whose_key_it_is_since_when_and_by_whom() -> None:
    certificate = Writer.certified("writer-1", time_us=7, log_key=LOG_KEY).certificate

    document = orjson.loads(certificate.content)
    assert document == {"v": 1, "writer": "writer-1", "key": document["key"], "time": 7, "issuer": LOG_KEY.public.id}
    assert public_key(bytes.fromhex(document["key"])).id != LOG_KEY.public.id


def test_each_start_has_a_key_of_its_own() -> None:
    first, second = (Writer.certified("writer-1", time_us=7, log_key=LOG_KEY) for _ in range(2))

    assert first.sign("00" * 32) != second.sign("00" * 32)


def certificate(log_key: SigningKey = LOG_KEY) -> Certificate:
    return Writer.certified("writer-1", time_us=7, log_key=log_key).certificate


def test_a_certificate_is_believed_by_who_trusts_its_issuer() -> None:
    assert certified_key(certificate(), TRUSTED) is not None


@pytest.mark.parametrize("field", ["v", "writer", "key", "time", "issuer"])
def test_an_edited_certificate_is_not_believed(field: str) -> None:
    whole = certificate()
    document = orjson.loads(whole.content)
    document[field] = make_signing_key().public.raw.hex() if field == "key" else 2

    assert certified_key(Certificate("writer-1", orjson.dumps(document), whole.signature), TRUSTED) is None


def test_a_certificate_by_another_key_under_the_name_of_ours_is_not_believed() -> None:
    other = make_signing_key()
    forged = certificate(other).content.replace(other.public.id.encode(), LOG_KEY.public.id.encode())

    assert certified_key(certificate(other), TRUSTED) is None
    assert certified_key(Certificate("writer-1", forged, other.sign(forged)), TRUSTED) is None


def test_a_certificate_is_for_one_writer() -> None:
    whole = certificate()

    assert certified_key(Certificate("writer-2", whole.content, whole.signature), TRUSTED) is None


def test_what_the_log_signed_for_another_purpose_is_no_certificate() -> None:
    content = certificate().content

    assert certified_key(Certificate("writer-1", content, LOG_KEY.sign(content)), TRUSTED) is None


@pytest.mark.parametrize("writer", ["", "w" * 65])
def test_a_writer_needs_a_name_that_fits(writer: str) -> None:
    with pytest.raises(ValueError, match="writer"):
        Writer.certified(writer, time_us=1, log_key=LOG_KEY)
