"""What the processes before this one said when they started: which keys and policies they had.

Commands at the terminal start and stop too, and far more often than the service. They judge by no policies, so what is
asked here is asked of entries that name a revision.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import orjson
from sqlalchemy import LargeBinary, Select, cast, select

from ecs_admission.decision_log.certificates import Certificate, certified_key, has_signed_entry
from ecs_admission.decision_log.chain import entry_hash
from ecs_admission.decision_log.database import translated
from ecs_admission.decision_log.digest_tables import digests
from ecs_admission.decision_log.digests import next_public_key, read_digest
from ecs_admission.decision_log.keys import PublicKey
from ecs_admission.decision_log.queries import LogReader
from ecs_admission.decision_log.schema import IS_EVENT, entries, writers
from ecs_admission.decision_log.verify import signed_events
from ecs_admission.errors import SettingsError
from ecs_admission.model import JSONObject

FINGERPRINT_KEY: Final = "fingerprintKey"
"""What `node_start` and `key_rotation` call it."""

_LOOKED_AT: Final = 50
"""Entries whose signature is looked at: an inserted one that nobody certified must not count, nor hide those before."""

_READING: Final = "the decision log cannot be read"


def last_event(
    reader: LogReader, kinds: Iterable[str], log_keys: Sequence[PublicKey], *, besides: str | None = None
) -> JSONObject | None:
    """The newest entry of these kinds by a process of the service, other than the writer `besides`; None without any.

    It is signed by a writer that one of `log_keys` certified, or without any by one with some certificate. Raises
    `RecordUnavailableError`.
    """
    trusted = {key.id: key for key in log_keys} or None
    found = [_newest(reader, _of_kind(kind, besides), trusted) for kind in kinds]
    return max((each for each in found if each is not None), key=lambda each: each["time"], default=None)


def check_fingerprint_key(reader: LogReader, log_keys: Sequence[PublicKey], keys: Sequence[str]) -> None:
    """Raise `SettingsError` for a node whose fingerprint keys, the one in use first, are not those of the log.

    A key is exchanged by putting the new one above the old one, so the log's active key must be among a node's. One
    that was exchanged before is no new one: that node has the file of before. What counts is what was signed under
    `log_keys`, and where they are new as well what was signed at all.
    """
    start = last_event(reader, ("node_start",), log_keys) or last_event(reader, ("node_start",), ())
    active = None if start is None else start["details"].get(FINGERPRINT_KEY)
    if not isinstance(active, str) or keys[0] == active:
        return
    if active not in keys:
        raise SettingsError(
            f"the fingerprint key of this node is {keys[0]} and the log's active one is {active}: give this node the "
            "log's key file (ECS_ADMISSION_FINGERPRINT_KEY_FILE); to exchange the key, put the new one above it; where "
            "it is lost, and so is what it recorded, ECS_ADMISSION_UNSAFE_NEW_FINGERPRINT_KEY=true"
        )
    rotations = (event["details"] for event in signed_events(reader, "key_rotation", ()))
    if any(each.get("key") == FINGERPRINT_KEY and each.get("previous") == keys[0] for each in rotations):
        raise SettingsError(
            f"the fingerprint key {keys[0]} was exchanged for {active}: put the log's active one on the first line of "
            "ECS_ADMISSION_FINGERPRINT_KEY_FILE"
        )


def sealer_key(reader: LogReader) -> str | None:
    """The id of the key that the next digest is signed with; None where there is no digest. Proves nothing."""
    query = select(cast(digests.c.bytes, LargeBinary)).order_by(digests.c.number.desc()).limit(1)
    with translated(_READING), reader.connect() as connection:
        content = connection.execute(query).scalar()
    digest = None if content is None else read_digest(content)
    if digest is None:
        return None
    announced = next_public_key(digest)
    return digest.key if announced is None else announced.id


def _newest(reader: LogReader, query: Select[Any], trusted: dict[str, PublicKey] | None) -> JSONObject | None:
    with translated(_READING), reader.connect() as connection:
        rows = connection.execute(query.limit(_LOOKED_AT)).all()
    for row in rows:
        key = certified_key(Certificate(row.writer, row.certificate, row.certified), trusted)
        if key is not None and has_signed_entry(key, entry_hash(row.bytes), row.signature):
            document: JSONObject = orjson.loads(row.bytes)
            return document
    return None


def _of_kind(kind: str, besides: str | None) -> Select[Any]:
    query = (
        select(
            entries.c.writer,
            cast(entries.c.bytes, LargeBinary).label("bytes"),
            cast(entries.c.signature, LargeBinary).label("signature"),
            cast(writers.c.certificate, LargeBinary).label("certificate"),
            cast(writers.c.signature, LargeBinary).label("certified"),
        )
        .join_from(entries, writers, entries.c.writer == writers.c.writer)
        .where(IS_EVENT, entries.c.kind == kind, entries.c.revision.is_not(None))
        .order_by(entries.c.time.desc())
    )
    return query if besides is None else query.where(entries.c.writer != besides)
