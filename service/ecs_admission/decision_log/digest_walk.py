"""Walking the digests: is each one what the sealer signed, and what the anchors hold?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import LargeBinary, cast, func, select

from ecs_admission.decision_log.anchors import Anchor, Anchored, FolderAnchor
from ecs_admission.decision_log.chain_rows import READING, Scope
from ecs_admission.decision_log.database import translated
from ecs_admission.decision_log.digest_tables import digest_ranges, digests
from ecs_admission.decision_log.digests import (
    NO_DIGEST,
    START,
    STOP,
    Digest,
    Range,
    SignedDigest,
    digest_hash,
    next_public_key,
    read_digest,
)
from ecs_admission.decision_log.keys import PublicKey
from ecs_admission.decision_log.queries import LogReader
from ecs_admission.decision_log.verdicts import AnchorSeen, DigestsSeen, Findings

_PAGE: Final = 200
_LATE_INTERVALS: Final = 6


@dataclass(slots=True)
class _Row:
    """A digest as it is stored, its index columns, and the ranges that the table of ranges has for it."""

    signed: SignedDigest
    from_time: Any
    to_time: Any
    ranges: list[Range]


@dataclass(slots=True)
class _AnchorWalk:
    """One anchor beside the digests: `ahead` is what of it comes next."""

    anchor: Anchor
    listed: Iterator[Anchored]
    ahead: Anchored | None = None
    compared: int = 0
    missing: list[int] = field(default_factory=list)
    waiting: int = 0

    def at(self, number: int) -> list[Anchored]:
        """What it holds of one digest."""
        found = []
        while self.ahead is not None and self.ahead.number <= number:
            if self.ahead.number == number:
                found.append(self.ahead)
            self.ahead = next(self.listed, None)
        return found


class _Signers:
    """Which key a digest has to be signed with: a given one at first, and then what each digest announces."""

    def __init__(self, given: Sequence[PublicKey]) -> None:
        self._given = {key.id: key for key in given}
        self._current: PublicKey | None = None

    def check(self, digest: Digest, signed: SignedDigest, findings: Findings) -> bool:
        key = self._current
        if key is None or digest.key != key.id:
            given = self._given.get(digest.key)
            if key is not None and given is not None:
                findings.notice("key-changed", digest=digest.number)
            key = given
        holds = key is not None and signed.is_signed_by(key)
        if holds:
            self._current = next_public_key(digest) or key
        return holds


def walk_digests(
    reader: LogReader, given: Sequence[PublicKey], anchors: Sequence[Anchor], scope: Scope, findings: Findings
) -> tuple[DigestsSeen, tuple[AnchorSeen, ...]]:
    """Check the digests in scope, by the sealer's keys `given`, and compare them with `anchors`.

    Without a key signatures are not checked. Raises `AnchorError` for an anchor that cannot be read.
    """
    signers = _Signers(given) if given else None
    walks = [_AnchorWalk(anchor, iter(anchor.listed(scope.first or 0))) for anchor in anchors]
    for walk in walks:
        walk.ahead = next(walk.listed, None)
    before: tuple[SignedDigest, Digest | None] | None = None
    first = checked = 0
    for row in _rows(reader, scope):
        signed, number = row.signed, row.signed.number
        digest = read_digest(signed.content)
        if before is None:
            first = number
            _check_first(number, scope, signed, digest, findings)
        elif number != before[0].number + 1:
            findings.add("", 0, "digest-missing", digest=before[0].number + 1)
        _check_digest(row, digest, findings)
        if digest is not None and signers is not None and not signers.check(digest, signed, findings):
            findings.add("", 0, "digest-signature", digest=number)
        if before is not None and digest is not None:
            _check_order(before[0], before[1], digest, findings)
        for walk in walks:
            _compare(walk, signed, findings)
        before, checked = (signed, digest), checked + 1
    for walk in walks:
        _check_ahead(reader, walk, before[0].number if before else -1, scope, findings)
    _forget_what_follows(findings)
    seen = DigestsSeen(
        first=first if before else None,
        last=before[0].number if before else None,
        checked=checked,
        invalid=dict(sorted(findings.bad_digests.items())),
        to_time=before[1].to_time if before and before[1] else None,
    )
    return seen, tuple(AnchorSeen(walk.anchor.name, walk.compared, walk.waiting) for walk in walks)


def digests_between(reader: LogReader, since_us: int | None, until_us: int | None) -> tuple[int | None, int | None]:
    """The first and the last digest whose window has something of a time; None where it reaches to the end.

    Where a time ends before the first digest or begins after the last, that one is out of reach, and so is the end.
    """
    with translated(READING), reader.connect() as connection:
        first = last = None
        if since_us is not None:
            newest = connection.execute(select(func.max(digests.c.number))).scalar_one()
            query = select(digests.c.number).where(digests.c.to_time >= since_us)
            found = connection.execute(query.order_by(digests.c.to_time, digests.c.number).limit(1)).scalar()
            first = found if found is not None else None if newest is None else newest + 1
        if until_us is not None:
            query = select(digests.c.number).where(digests.c.to_time >= until_us)
            last = connection.execute(query.order_by(digests.c.to_time, digests.c.number).limit(1)).scalar()
    return first, last


def _check_first(
    number: int, scope: Scope, signed: SignedDigest, digest: Digest | None, findings: Findings
) -> None:  # fmt: skip
    if number != (scope.first or 0):
        findings.add("", 0, "digest-missing", digest=scope.first or 0)
    elif number == 0 and digest is not None and digest.previous != NO_DIGEST:
        findings.add("", 0, "digest-previous", digest=signed.number)


def _check_digest(row: _Row, digest: Digest | None, findings: Findings) -> None:
    number = row.signed.number
    if digest_hash(row.signed.content) != row.signed.hash:
        findings.add("", 0, "digest-hash", digest=number)
    if digest is None:
        findings.add("", 0, "digest-unreadable", digest=number)
        return
    if (digest.number, digest.from_time, digest.to_time) != (number, row.from_time, row.to_time):
        findings.add("", 0, "digest-columns", digest=number)
    if sorted(digest.ranges, key=lambda each: (each.writer, each.first)) != row.ranges:
        findings.add("", 0, "digest-ranges", digest=number)
    if digest.refused:
        findings.notice("refused", digest=number)


def _check_order(before: SignedDigest, earlier: Digest | None, digest: Digest, findings: Findings) -> None:
    """What two digests in a row have to do with each other."""
    if digest.previous != digest_hash(before.content):
        findings.add("", 0, "digest-previous", digest=digest.number)
    if earlier is None:
        return
    begin = earlier.from_time if earlier.more else earlier.to_time
    if digest.from_time != begin or digest.to_time < earlier.to_time or digest.epoch < earlier.epoch:
        findings.add("", 0, "digest-window", digest=digest.number)
    if digest.state == START and earlier.state != STOP:
        findings.notice("sealer-died", digest=digest.number)
    elif (
        digest.state != START
        and earlier.state != STOP  # after which none is to be expected
        and digest.to_time - earlier.to_time > _LATE_INTERVALS * earlier.interval_seconds * 10**6
    ):
        findings.notice("late-digest", digest=digest.number)


def _compare(walk: _AnchorWalk, signed: SignedDigest, findings: Findings) -> None:
    found = walk.at(signed.number)
    name = walk.anchor.name
    if not found:
        walk.waiting += 1
        if len(walk.missing) < _PAGE:
            walk.missing.append(signed.number)
        return
    for number in walk.missing:  # newer ones are there
        findings.add(name, 0, "anchor-missing", digest=number)
    walk.missing, walk.waiting = [], 0
    walk.compared += 1
    actual = digest_hash(signed.content)
    if any(each.hash != actual for each in found):
        findings.add(name, 0, "anchor-differs", digest=signed.number)
    if len(found) > 1 or any(each.versions != 1 for each in found):
        findings.add(name, 0, "anchor-versions", digest=signed.number)
    # A name proves as much as what it names, and only files are as quickly read as listed.
    if isinstance(walk.anchor, FolderAnchor) or walk.compared == 1 or walk.ahead is None:
        for each in found:
            if each.hash == actual and walk.anchor.read(each).rstrip(b"\n") != signed.line:
                findings.add(name, 0, "anchor-content", digest=signed.number)


def newest_digest(reader: LogReader) -> int | None:
    """The number of the newest digest; None when there is none."""
    with translated(READING), reader.connect() as connection:
        found: int | None = connection.execute(select(func.max(digests.c.number))).scalar_one()
    return found


def _check_ahead(reader: LogReader, walk: _AnchorWalk, last: int, scope: Scope, findings: Findings) -> None:
    """Digests that the anchor has and the database does not: they were cut off, or the database is an older copy."""
    if scope.last is None:
        while walk.ahead is not None:
            if walk.ahead.number > last:
                # One that was made while we were reading is in the database before it is in an anchor.
                newest = newest_digest(reader)
                last = last if newest is None else max(last, newest)
            if walk.ahead.number > last:
                findings.add(walk.anchor.name, 0, "digest-missing", digest=walk.ahead.number)
            walk.ahead = next(walk.listed, None)


def _forget_what_follows(findings: Findings) -> None:
    """A digest that is missing is not among those that were checked."""
    for problem in findings.listed:
        if problem.problem == "digest-missing" and problem.digest is not None:
            findings.bad_digests.pop(problem.digest, None)


def _rows(reader: LogReader, scope: Scope) -> Iterator[_Row]:
    after: int | None = None if scope.first is None else scope.first - 1
    while True:
        query = (
            select(
                digests.c.number,
                digests.c.hash,
                cast(digests.c.bytes, LargeBinary).label("content"),
                cast(digests.c.signature, LargeBinary).label("signature"),
                digests.c.from_time,
                digests.c.to_time,
            )
            .order_by(digests.c.number)
            .limit(_PAGE)
        )
        if after is not None:
            query = query.where(digests.c.number > after)
        for bound in (scope.last, scope.newest):
            if bound is not None:
                query = query.where(digests.c.number <= bound)
        with translated(READING), reader.connect() as connection:
            rows = connection.execute(query).all()
            ranges = _ranges_of(connection, rows[0].number, rows[-1].number) if rows else {}
        for row in rows:
            signed = SignedDigest(row.number, row.hash, row.content, row.signature)
            yield _Row(signed, row.from_time, row.to_time, ranges.get(row.number, []))
        if len(rows) < _PAGE:
            return
        after = rows[-1].number


def _ranges_of(connection: Any, first: int, last: int) -> Mapping[int, list[Range]]:
    found: dict[int, list[Range]] = {}
    for row in connection.execute(
        select(digest_ranges)
        .where(digest_ranges.c.number.between(first, last))
        .order_by(digest_ranges.c.number, digest_ranges.c.writer, digest_ranges.c.first)
    ):
        found.setdefault(row.number, []).append(Range(row.writer, row.first, row.last, row.head))
    return found
