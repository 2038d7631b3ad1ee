"""The hash chain of one writer.

Each entry names its writer, its place in the writer's chain and the hash of the entry before it, inside the bytes
that its own hash covers. So no entry can be edited, moved or taken from the middle without breaking the chain.
The writer signs each hash, so nobody else can add to the chain or compute it anew. What a signed chain does not show
(a cut tail, a restored copy, a writer that rewrites its own past) is the business of digests and anchors.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final, Protocol

from ecs_admission.decision_log.entries import EntryDraft, canonical_bytes
from ecs_admission.model import JSONObject

ENTRY_VERSION: Final = 1
"""`v` of an entry. Adding a field does not change it, changing what one means does."""

NO_PREVIOUS: Final = "0" * 64
"""`previous` of a writer's first entry."""

MAX_WRITER_LENGTH: Final = 64


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a writer's chain: where the next entry goes and what it has to name."""

    next_sequence: int = 0
    hash: str = NO_PREVIOUS


@dataclass(frozen=True, slots=True)
class Entry:
    """A sealed entry. `content` are the bytes that `hash` covers; `document` is what they say.

    `signature` is the writer's over the hash. It is not in the bytes, since it is made of them.
    """

    writer: str
    sequence: int
    hash: str
    signature: bytes = field(repr=False)
    content: bytes = field(repr=False)
    document: JSONObject = field(repr=False)

    @property
    def receipt(self) -> str:
        """What a caller keeps to show later that the log had this entry: `id:writer:sequence:hash`."""
        return f"{self.document['id']}:{self.writer}:{self.sequence}:{self.hash}"


class Signer(Protocol):
    """Whose chain it is: a writer's name of at most `MAX_WRITER_LENGTH` characters, and its key."""

    @property
    def writer(self) -> str:
        """The name."""

    def sign(self, entry_hash: str) -> bytes:
        """The writer's signature of an entry, given by its hash."""


def seal(draft: EntryDraft, signer: Signer, head: Head) -> Entry:
    """Give a draft its place in a chain, after `head`, and sign it."""
    document = {
        "v": ENTRY_VERSION,
        "writer": signer.writer,
        "sequence": head.next_sequence,
        "previous": head.hash,
        **draft.document,
    }
    content = canonical_bytes(document)
    hashed = entry_hash(content)
    return Entry(signer.writer, head.next_sequence, hashed, signer.sign(hashed), content, document)


def seal_all(drafts: list[EntryDraft], signer: Signer, head: Head) -> tuple[list[Entry], Head]:
    """Chain several drafts in their order after `head`, and the head that they make."""
    entries: list[Entry] = []
    for draft in drafts:
        entry = seal(draft, signer, head)
        entries.append(entry)
        head = Head(next_sequence=entry.sequence + 1, hash=entry.hash)
    return entries, head


def entry_hash(content: bytes) -> str:
    """The leaf hash of RFC 6962 in hex: the zero byte keeps a leaf from ever being read as an inner node."""
    return hashlib.sha256(b"\x00" + content).hexdigest()
