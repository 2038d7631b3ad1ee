"""Verification: is the log what was written, is all of it there, and what can nobody tell?

One walk over the chains, one over the digests beside the anchors, one over what is indexed, and the receipts. All
stream in constant memory. An export is verified by the same code, see `exports_verify`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import LargeBinary, case, cast, func, select
from sqlalchemy.engine import Connection

from ecs_admission.decision_log.anchors import Anchor
from ecs_admission.decision_log.certificates import Certificate, certified_key, has_signed_entry
from ecs_admission.decision_log.chain import entry_hash
from ecs_admission.decision_log.chain_rows import READING, Retained, Scope
from ecs_admission.decision_log.chain_walk import walk_chains
from ecs_admission.decision_log.database import translated
from ecs_admission.decision_log.digest_walk import digests_between, newest_digest, walk_digests
from ecs_admission.decision_log.inventory import SUFFIX
from ecs_admission.decision_log.keys import PublicKey
from ecs_admission.decision_log.queries import LogReader
from ecs_admission.decision_log.receipts import Receipt, check_receipts
from ecs_admission.decision_log.schema import IS_EVENT, bodies, entries, writers
from ecs_admission.decision_log.term_sum import TermSum
from ecs_admission.decision_log.term_walk import terms_agree, walk_terms
from ecs_admission.decision_log.verdicts import Findings, Report

_BODY_PAGE: Final = 2_000

RETENTION: Final = "retention"
"""Kind of the entries that say which bodies are gone; `throughDigest` of their details is the last digest with such."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a log is verified by. Without a log key certificates are believed, without a sealer key digests."""

    log_keys: Sequence[PublicKey] = ()
    sealer_keys: Sequence[PublicKey] = ()
    anchors: Sequence[Anchor] = ()
    receipts: Iterable[Receipt] | None = None


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is verified: with a time only the digests that have something of it, else everything.

    `has_bodies` and `has_terms` are False for an export without them. `retained` is the digest up to which bodies are
    gone by the word of an export: the entry that says so may be newer than what is in it.
    """

    since_us: int | None = None
    until_us: int | None = None
    first: int | None = None
    last: int | None = None
    every_signature: bool = False
    has_bodies: bool = True
    has_terms: bool = True
    retained: int | None = None


def verify_log(reader: LogReader, evidence: Evidence, extent: Extent = Extent()) -> Report:
    """Verify a log. Raises `RecordUnavailableError` when it cannot be read, `AnchorError` when an anchor cannot."""
    findings = Findings()
    trusted = {key.id: key for key in evidence.log_keys} or None
    first, last = digests_between(reader, extent.since_us, extent.until_us)
    first, last = extent.first if first is None else first, extent.last if last is None else last
    scope = Scope(
        first,
        last,
        newest=newest_digest(reader),
        retained=Retained(lambda: retained_through(reader, evidence.log_keys), extent.retained),
        has_bodies=extent.has_bodies,
        has_inventories=extent.has_terms,  # an export has neither
        every_signature=extent.every_signature,
    )
    is_everything = first is None and last is None
    derived = TermSum() if is_everything and extent.has_terms else None
    walked = walk_chains(reader, trusted, scope, findings, derived)
    if is_everything and extent.has_bodies:
        for body_id in _bodies_without_entry(reader):
            findings.add(body_id, 0, "unexpected-body")
    if derived is not None and not terms_agree(reader, derived):
        walk_terms(reader, findings)
    digests, anchors = walk_digests(reader, evidence.sealer_keys, evidence.anchors, scope, findings)
    receipts = None if evidence.receipts is None else check_receipts(reader, evidence.receipts, findings)
    return Report(
        writers=walked.writers,
        entries=walked.entries,
        unsealed=walked.unsealed,
        problems=tuple(findings.listed),
        counts=dict(findings.counts),
        notices=tuple(findings.notices),
        notice_counts=dict(findings.notice_counts),
        log_keys=tuple(sorted(trusted or ())),
        sealer_keys=tuple(sorted(key.id for key in evidence.sealer_keys)),
        digests=digests,
        anchors=anchors,
        receipts=receipts,
        said_retained=extent.retained,
    )


def retained_through(reader: LogReader, log_keys: Sequence[PublicKey]) -> int | None:
    """The last digest whose bodies retention may have dropped, as certified writers say it; None when none were."""
    found = [
        number for document in signed_events(reader, RETENTION, log_keys) if (number := _through(document)) is not None
    ]
    return max(found, default=None)


def signed_events(reader: LogReader, kind: str, log_keys: Sequence[PublicKey]) -> Iterator[dict[str, Any]]:
    """The entries of a kind that is not `decision`, in the order of time, each signed by a certified writer."""
    with translated(READING), reader.connect() as connection:
        found = list(signed_events_on(connection, kind, log_keys))
    yield from found


def signed_events_on(connection: Connection, kind: str, log_keys: Sequence[PublicKey]) -> Iterator[dict[str, Any]]:
    """The same in somebody's own transaction. Raises SQLAlchemy's errors."""
    trusted = {key.id: key for key in log_keys} or None
    query = (
        select(
            entries.c.writer,
            cast(entries.c.bytes, LargeBinary).label("bytes"),
            cast(entries.c.signature, LargeBinary).label("signature"),
            cast(writers.c.certificate, LargeBinary).label("certificate"),
            cast(writers.c.signature, LargeBinary).label("certified"),
        )
        .join_from(entries, writers, entries.c.writer == writers.c.writer)
        .where(entries.c.kind == kind, IS_EVENT)
        .order_by(entries.c.time)
    )
    for row in connection.execute(query).all():
        key = certified_key(Certificate(row.writer, row.certificate, row.certified), trusted)
        if key is not None and has_signed_entry(key, entry_hash(row.bytes), row.signature):
            document = orjson.loads(row.bytes)
            if document.get("kind") == kind and isinstance(document.get("details"), dict):
                yield document


def _through(document: dict[str, Any]) -> int | None:
    number = document["details"].get("throughDigest")
    return number if type(number) is int else None


def _bodies_without_entry(reader: LogReader) -> Iterator[str]:
    """The ids of bodies and inventories that no entry has. The database compares, a page of ids at a time."""
    begin = func.length(bodies.c.id) - len(SUFFIX)
    owner = case((func.substr(bodies.c.id, begin + 1) == SUFFIX, func.substr(bodies.c.id, 1, begin)), else_=bodies.c.id)
    lonely = select(bodies.c.id).where(~select(entries.c.id).where(entries.c.id == owner).exists())
    after: str | None = None
    while True:
        ids = select(bodies.c.id).order_by(bodies.c.id).limit(_BODY_PAGE)
        page = ids if after is None else ids.where(bodies.c.id > after)
        with translated(READING), reader.connect() as connection:
            last = connection.execute(select(func.max(page.subquery().c.id))).scalar_one()
            if last is None:
                return
            found = lonely.where(bodies.c.id <= last)
            yield from connection.execute(found if after is None else found.where(bodies.c.id > after)).scalars().all()
        after = last
