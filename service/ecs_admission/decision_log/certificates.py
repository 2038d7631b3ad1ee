"""Writers that the log vouches for, and the signatures of their entries.

A process that starts makes a key for itself and has it certified by the log's key, which it then lets go of. The
certificate goes into the database in the transaction of the chain's first entry. So an INSERT grant forges nothing:
an entry needs the writer's signature, and a writer the log's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self

import orjson

from ecs_admission.decision_log.chain import MAX_WRITER_LENGTH
from ecs_admission.decision_log.entries import canonical_bytes
from ecs_admission.decision_log.keys import PublicKey, SigningKey, make_signing_key, public_key

CERTIFICATE_VERSION: Final = 1
"""`v` of a certificate."""

# What a signature is for is signed with it, so that a certificate never passes for an entry or for a later format.
_CERTIFICATE: Final = b"ecs-admission writer certificate v1\0"
_ENTRY: Final = b"ecs-admission entry v1\0"


@dataclass(frozen=True, slots=True)
class Certificate:
    """`content` is canonical JSON, `{"v", "writer", "key", "time", "issuer"}`, signed by the log's key `issuer`.

    `key` is the writer's public key in hex, `time` that of its start, UTC in microseconds since the epoch.
    """

    writer: str
    content: bytes = field(repr=False)
    signature: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Writer:
    """A certified writer of this process. Its key is in memory alone and ends with the process."""

    certificate: Certificate
    _key: SigningKey = field(repr=False)

    @classmethod
    def certified(cls, name: str, *, time_us: int, log_key: SigningKey) -> Self:
        """A writer with a new key. `name` is used once; it has 1 to `MAX_WRITER_LENGTH` characters."""
        if not 1 <= len(name) <= MAX_WRITER_LENGTH:
            raise ValueError(f"a writer's name has 1 to {MAX_WRITER_LENGTH} characters")
        key = make_signing_key()
        content = canonical_bytes(
            {
                "v": CERTIFICATE_VERSION,
                "writer": name,
                "key": key.public.raw.hex(),
                "time": time_us,
                "issuer": log_key.public.id,
            }
        )
        return cls(Certificate(name, content, log_key.sign(_CERTIFICATE + content)), key)

    @property
    def writer(self) -> str:
        """See `chain.Signer`."""
        return self.certificate.writer

    def sign(self, entry_hash: str) -> bytes:
        """See `chain.Signer`."""
        return self._key.sign(_ENTRY + bytes.fromhex(entry_hash))


def certified_key(certificate: Certificate, trusted: Mapping[str, PublicKey] | None) -> PublicKey | None:
    """The key of the writer that a certificate is for; None when nothing shows that it is.

    `trusted` are the log's keys by their ids. With None the certificate is taken at its word.
    """
    try:
        document = orjson.loads(certificate.content)
        version, writer, key, issuer = (document[name] for name in ("v", "writer", "key", "issuer"))
        claimed = public_key(bytes.fromhex(key))
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None
    if version != CERTIFICATE_VERSION or writer != certificate.writer:
        return None
    if trusted is None:
        return claimed
    log_key = trusted.get(issuer) if isinstance(issuer, str) else None
    signed = log_key is not None and log_key.has_signed(_CERTIFICATE + certificate.content, certificate.signature)
    return claimed if signed else None


def has_signed_entry(key: PublicKey, entry_hash: str, signature: bytes) -> bool:
    """Whether a writer with this key has signed the entry with this hash."""
    return key.has_signed(_ENTRY + bytes.fromhex(entry_hash), signature)
