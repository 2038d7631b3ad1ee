"""Signed digests: what the log held at a time, in a form that fits on another disk.

A digest names, for each writer that wrote since the one before it, the range of its entries and the hash of the last.
That hash covers every entry of the range, since each names the one before it. Digests form a chain of their own, also
when nothing is written: so an empty one proves that nothing happened. The shape is that of CloudTrail's digest files.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

import orjson

from ecs_admission.decision_log.entries import canonical_bytes
from ecs_admission.decision_log.keys import PublicKey, SigningKey, public_key
from ecs_admission.model import JSONObject

DIGEST_VERSION: Final = 1
"""`v` of a digest. Adding a field does not change it, changing what one means does."""

NO_DIGEST: Final = "0" * 64
"""`previous` of the first digest."""

MAX_NUMBER: Final = 10**12 - 1
"""What twelve decimals hold, in which an anchor names a digest: at one a second, for thirty thousand years."""

START, RUN, STOP = "start", "run", "stop"
"""`state`: the first digest of an epoch, one within it, and the last of a sealer that was told to stop."""

_DIGEST: Final = b"ecs-admission digest v1\0"
_RANGE_KEYS: Final = ("writer", "from", "to", "head")


@dataclass(frozen=True, slots=True)
class Range:
    """Entries `first` to `last` of a writer; `head` is the hash of the last."""

    writer: str
    first: int
    last: int
    head: str


@dataclass(frozen=True, slots=True)
class Digest:
    """What one digest says. Times are UTC in microseconds since the epoch.

    It was made at `to_time`, and what it holds came after `from_time`. `more`: there was more than one digest takes,
    so the next one has the same `from_time`. `refused` counts the chains that have something new which is not sealed,
    since no certificate or no signature shows whose it is. `next_key` is the raw key, in hex, that signs all later
    digests, where the sealer's key changes. `counts` are entries by kind, `outcomes` decisions by outcome.
    """

    number: int
    previous: str
    epoch: int
    state: str
    from_time: int
    to_time: int
    interval_seconds: int
    more: bool
    ranges: tuple[Range, ...]
    counts: Mapping[str, int]
    outcomes: Mapping[str, int]
    refused: int
    key: str
    next_key: str | None = None

    @property
    def entries(self) -> int:
        """How many entries it seals."""
        return sum(each.last - each.first + 1 for each in self.ranges)

    @property
    def document(self) -> JSONObject:
        """As JSON."""
        return {
            "v": DIGEST_VERSION,
            "number": self.number,
            "previous": self.previous,
            "epoch": self.epoch,
            "state": self.state,
            "from": self.from_time,
            "to": self.to_time,
            "interval": self.interval_seconds,
            "more": self.more,
            "writers": [
                dict(zip(_RANGE_KEYS, (each.writer, each.first, each.last, each.head), strict=True))
                for each in self.ranges
            ],
            "entries": self.entries,
            "counts": dict(self.counts),
            "outcomes": dict(self.outcomes),
            "refused": self.refused,
            "key": self.key,
            "nextKey": self.next_key,
        }


@dataclass(frozen=True, slots=True)
class SignedDigest:
    """A digest as it is kept: `content` are the canonical bytes that `hash` and `signature` cover."""

    number: int
    hash: str
    content: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @classmethod
    def of(cls, digest: Digest, key: SigningKey) -> Self:
        """Sign a digest."""
        content = canonical_bytes(digest.document)
        return cls(digest.number, digest_hash(content), content, key.sign(_DIGEST + content))

    def is_signed_by(self, key: PublicKey) -> bool:
        """Whether `key` has signed it."""
        return key.has_signed(_DIGEST + self.content, self.signature)

    @property
    def line(self) -> bytes:
        """The form in which anchors and exports keep it: one line of JSON."""
        return canonical_bytes(
            {"digest": self.content.decode("utf-8", "replace"), "signature": base64.b64encode(self.signature).decode()}
        )


def digest_hash(content: bytes) -> str:
    """What the next digest and the name of an anchor call a digest: the plain SHA-256 of its bytes, in hex."""
    return hashlib.sha256(content).hexdigest()


def read_line(line: bytes) -> SignedDigest | None:
    """A digest from the form that anchors and exports keep; None for anything else. Proves nothing yet."""
    try:
        document = orjson.loads(line)
        content, signature = document["digest"].encode(), base64.b64decode(document["signature"], validate=True)
    except (orjson.JSONDecodeError, binascii.Error, KeyError, TypeError, ValueError, AttributeError):
        return None
    digest = read_digest(content)
    return None if digest is None else SignedDigest(digest.number, digest_hash(content), content, signature)


def read_digest(content: bytes) -> Digest | None:
    """What the bytes of a digest say; None when they are not those that `Digest.document` would give.

    So two readers can never take one digest for two things, and what they say is of the right types.
    """
    try:
        document = orjson.loads(content)
        digest = _digest(document)
        spelled = canonical_bytes(digest.document)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError, KeyError, TypeError, ValueError, AttributeError):
        return None
    return digest if spelled == content and _is_typed(digest) else None


def next_public_key(digest: Digest) -> PublicKey | None:
    """The key that signs the digests after this one, if it is another."""
    if digest.next_key is None:
        return None
    try:
        return public_key(bytes.fromhex(digest.next_key))
    except ValueError:
        return None


def _digest(document: Any) -> Digest:
    return Digest(
        number=document["number"],
        previous=document["previous"],
        epoch=document["epoch"],
        state=document["state"],
        from_time=document["from"],
        to_time=document["to"],
        interval_seconds=document["interval"],
        more=document["more"],
        ranges=tuple(Range(*(each[key] for key in _RANGE_KEYS)) for each in document["writers"]),
        counts=document["counts"],
        outcomes=document["outcomes"],
        refused=document["refused"],
        key=document["key"],
        next_key=document["nextKey"],
    )


def _is_typed(digest: Digest) -> bool:
    """The sorts of what later arithmetic and comparison rely on. JSON's true is no number here."""
    numbers = [digest.number, digest.epoch, digest.from_time, digest.to_time, digest.interval_seconds, digest.refused]
    numbers += [number for each in digest.ranges for number in (each.first, each.last)]
    numbers += [*digest.counts.values(), *digest.outcomes.values()]
    texts = [
        digest.previous,
        digest.state,
        digest.key,
        *(text for each in digest.ranges for text in (each.writer, each.head)),
    ]
    return (
        all(type(number) is int and number >= 0 for number in numbers)
        and all(type(text) is str for text in texts)
        and type(digest.more) is bool
        and (digest.next_key is None or type(digest.next_key) is str)
        and digest.number <= MAX_NUMBER
        and all(each.first <= each.last for each in digest.ranges)
    )
