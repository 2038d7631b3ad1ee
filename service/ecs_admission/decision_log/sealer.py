"""The sealer: what is in the log now, signed every few seconds by a key that no process has that answers requests.

`Sealer.step` is one turn of its work: to lead or to wait, to seal what is new, and to anchor what is sealed. Each turn
begins with what the database says, so a turn that breaks off is made up for by the next.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import LargeBinary, cast, func, insert, select, update
from sqlalchemy.engine import Connection, Row
from sqlalchemy.exc import SQLAlchemyError

from ecs_admission.decision_log.anchors import Anchor, AnchorConflictError, AnchorError
from ecs_admission.decision_log.connections import database_at
from ecs_admission.decision_log.database import error_name, opening
from ecs_admission.decision_log.digest_tables import anchor_states, digest_ranges, digests
from ecs_admission.decision_log.digests import (
    NO_DIGEST,
    RUN,
    START,
    STOP,
    Digest,
    Range,
    SignedDigest,
    next_public_key,
    read_digest,
)
from ecs_admission.decision_log.harvest import Harvest, reap
from ecs_admission.decision_log.keys import PublicKey, SigningKey
from ecs_admission.decision_log.lease import Lease, LeaseLostError
from ecs_admission.decision_log.schema import check_version
from ecs_admission.errors import AdmissionError, RecordUnavailableError, SettingsError

INTERVAL_SECONDS: Final = 10
MAX_ENTRIES: Final = 50_000
"""Of one digest: what is more comes into the next, which follows at once."""

MAX_ANCHORED: Final = 1_000
"""Digests that one turn brings to one anchor, so that a long backlog does not keep it from sealing."""

_LOCK: Final = "sealer"


class SealerStoppedError(AdmissionError):
    """The log is not what this sealer has sealed, and what it would sign now would cover that up."""


@dataclass(frozen=True, slots=True)
class Step:
    """What came of a turn. `number` is that of the digest made, `refused` why chains were not sealed, by writer.

    `waiting` is how many digests are not in an anchor yet, `failures` why, by the anchor's name.
    """

    leads: bool
    number: int | None = None
    entries: int = 0
    more: bool = False
    refused: Mapping[str, str] = field(default_factory=dict)
    waiting: Mapping[str, int] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Sealed:
    """Where this sealer's work stands: the last digest, and for each writer what of its chain is in one."""

    last: SignedDigest | None
    digest: Digest | None
    heads: dict[str, tuple[int, str]]


class Sealer:
    """One process that seals, or waits for the one that does. Used by one thread.

    `log_keys` are the keys by which writers are certified, `key` signs digests. Where the last digest announces another
    key, `find_key` is asked for it: it may be at hand, and a rotation have broken off before it came into its place.
    Raises `SettingsError` where the database is no log, and `RecordUnavailableError` while it does not work.
    """

    def __init__(
        self,
        url: str,
        *,
        key: SigningKey,
        log_keys: Sequence[PublicKey],
        anchors: Sequence[Anchor],
        holder: str,
        interval_seconds: int = INTERVAL_SECONDS,
        timeout_seconds: float = 10.0,
        accept_new_key: bool = False,
        find_key: Callable[[PublicKey], SigningKey | None] = lambda _: None,
        clock_us: Callable[[], int] = lambda: time.time_ns() // 1000,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database_at(url)
        self._readers = self._database.read_engine(timeout_seconds=timeout_seconds)
        self._engine = self._database.write_engine()
        self._key = key
        self._trusted = {each.id: each for each in log_keys}
        self._anchors = tuple(anchors)
        self._interval = interval_seconds
        self._timeout = timeout_seconds
        self._accept_new_key = accept_new_key
        self._find_key = find_key
        self._clock_us = clock_us
        self._lease = Lease(holder, monotonic=monotonic)
        self._sealed: _Sealed | None = None
        self._is_new_epoch = False
        self._connection: Connection | None = None
        self._unchecked = {anchor.name for anchor in anchors}
        with opening(), self._readers.connect() as connection:
            check_version(connection)
            connection.execute(select(digests).limit(0))

    def step(self, *, is_last: bool = False) -> Step:
        """One turn; where it `is_last`, its digest says that no other is to be expected.

        Raises `SealerStoppedError` when there must not be another, `RecordUnavailableError` else.
        """
        try:
            if not self._lead():
                return Step(leads=False)
            return self._turn(STOP if is_last else RUN)
        except LeaseLostError:
            self._sealed = None
            return Step(leads=False)

    def lead(self) -> None:
        """Take the lead, if need be. Raises `SettingsError` where another sealer has it."""
        if not self._lead():
            raise SettingsError("another sealer leads: stop it, and rotate then")

    def rotate(self, new: SigningKey) -> int:
        """Announce a new key in a digest that the old one signs, its last, and sign with the new one from then on.

        Returns the number of the digest, which is durable then. Raises as `step`, and `SettingsError` where another
        sealer leads.
        """
        self.lead()
        step = self._turn(STOP, next_key=new.public)
        self._key = new
        return step.number or 0

    def close(self, *, finish: bool = False) -> None:
        """Let another lead at once; with `finish` after a last digest, which says that no other is to be expected."""
        try:
            if self._lease.epoch is not None:
                if finish and self._sealed is not None:
                    self._turn(STOP)
                with self._transaction() as connection:
                    self._lease.release(connection)
        except LeaseLostError:
            self._sealed = None
        finally:
            self._disconnect()
            self._engine.dispose()
            self._readers.dispose()

    def _lead(self) -> bool:
        if self._lease.epoch is None:
            with self._transaction() as connection:
                leads = self._lease.take(connection)
                epoch, self._lease.epoch = self._lease.epoch, None  # not before it is committed
            if not leads:
                return False
            self._lease.epoch, self._sealed, self._is_new_epoch = epoch, None, True
        if self._sealed is None:
            self._sealed = self._load()
        return True

    def _load(self) -> _Sealed:
        self._unchecked = {anchor.name for anchor in self._anchors}
        with _reading(), self._readers.connect() as connection:
            last = last_digest(connection)
            ends = select(digest_ranges.c.writer, func.max(digest_ranges.c.last).label("last")).group_by(
                digest_ranges.c.writer
            )
            found = connection.execute(
                select(digest_ranges.c.writer, digest_ranges.c.last, digest_ranges.c.head).join_from(
                    digest_ranges,
                    (latest := ends.subquery()),
                    (digest_ranges.c.writer == latest.c.writer) & (digest_ranges.c.last == latest.c.last),
                )
            )
            heads = {row.writer: (row.last + 1, row.head) for row in found}
        digest = None if last is None else self._accepted(last)
        return _Sealed(last, digest, heads)

    def _accepted(self, last: SignedDigest) -> Digest:
        digest = read_digest(last.content)
        if digest is None or digest.number != last.number:
            raise SealerStoppedError(f"digest {last.number} cannot be read; `ecs-admission log verify` says more")
        announced = next_public_key(digest)
        if announced is not None and announced.id != self._key.public.id:
            self._key = self._find_key(announced) or self._key
        if self._key.public.id == (announced.id if announced else digest.key) or self._accept_new_key:
            return digest
        raise SettingsError(
            "the sealer's key is not the one that the last digest was signed with or announces; "
            "give the old one back, or begin with a new one: log seal --accept-new-key"
        )

    def _turn(self, state: str, *, next_key: PublicKey | None = None) -> Step:
        sealed = self._sealed
        if sealed is None:
            raise LeaseLostError("nothing is loaded")
        self._check_anchors(sealed)
        harvest = self._harvest(sealed)
        digest = self._digest(sealed, harvest, START if self._is_new_epoch and state == RUN else state, next_key)
        self._append(sealed, digest)
        waiting, failures = self._anchor_all()
        return Step(
            leads=True,
            number=digest.number,
            entries=digest.entries,
            more=digest.more,
            refused=harvest.refused,
            waiting=waiting,
            failures=failures,
        )

    def _digest(self, sealed: _Sealed, harvest: Harvest, state: str, next_key: PublicKey | None) -> Digest:
        now, before = self._clock_us(), sealed.digest
        if before is None:
            begin = min(now, now if harvest.first_time is None else harvest.first_time)
        else:
            begin = before.from_time if before.more else before.to_time
        return Digest(
            number=0 if before is None else before.number + 1,
            previous=NO_DIGEST if sealed.last is None else sealed.last.hash,
            epoch=self._lease.epoch or 0,
            state=state,
            from_time=begin,
            to_time=max(now, begin if before is None else before.to_time),
            interval_seconds=self._interval,
            more=harvest.more,
            ranges=tuple(sorted(harvest.ranges, key=lambda each: each.writer)),
            counts=dict(sorted(harvest.counts.items())),
            outcomes=dict(sorted(harvest.outcomes.items())),
            refused=len(harvest.refused),
            key=self._key.public.id,
            next_key=None if next_key is None else next_key.raw.hex(),
        )

    def _append(self, sealed: _Sealed, digest: Digest) -> None:
        """Write a digest, if this process still leads and the log is still what it was."""
        signed = SignedDigest.of(digest, self._key)
        self._sealed = None  # until it is known what became of the commit
        with self._transaction() as connection:
            self._lease.renew(connection)
            found = last_digest(connection)
            if (found and (found.number, found.hash)) != (sealed.last and (sealed.last.number, sealed.last.hash)):
                raise SealerStoppedError(
                    "the log does not end with the digest that this sealer wrote last: somebody has restored or edited "
                    "it; see docs/how-to/keep-a-log.md"
                )
            connection.execute(
                insert(digests).values(
                    number=signed.number,
                    hash=signed.hash,
                    signature=signed.signature,
                    bytes=signed.content,
                    from_time=digest.from_time,
                    to_time=digest.to_time,
                )
            )
            if digest.ranges:
                connection.execute(insert(digest_ranges), [range_row(each, digest.number) for each in digest.ranges])
        heads = sealed.heads
        heads.update({each.writer: (each.last + 1, each.head) for each in digest.ranges})
        self._sealed, self._is_new_epoch = _Sealed(signed, digest, heads), False

    def _harvest(self, sealed: _Sealed) -> Harvest:
        with _reading(), self._readers.connect() as connection:
            return reap(connection, sealed.heads, self._trusted, room=MAX_ENTRIES)

    def _check_anchors(self, sealed: _Sealed) -> None:
        """Stop where an anchor has what the database does not: then this is an older copy. Once for each anchor."""
        last = sealed.last
        for anchor in self._anchors:
            if anchor.name not in self._unchecked:
                continue
            try:
                for found in anchor.listed(0 if last is None else last.number):
                    if last is None or found.number > last.number:
                        raise SealerStoppedError(
                            f"the log ends before digest {found.number}, which {anchor.name} holds: it is an older "
                            "copy; see docs/how-to/keep-a-log.md"
                        )
                    if found.hash != last.hash:
                        raise SealerStoppedError(f"{anchor.name} holds another digest {found.number} than the log")
            except AnchorError:
                continue
            self._unchecked.remove(anchor.name)

    def _anchor_all(self) -> tuple[dict[str, int], dict[str, str]]:
        """Bring to each anchor what it does not have yet, oldest first, and say how much is left and why."""
        waiting, failures = {}, {}
        newest = self._sealed.last.number if self._sealed and self._sealed.last else -1
        for anchor in self._anchors:
            with _reading(), self._readers.connect() as connection:
                state = connection.execute(select(anchor_states).where(anchor_states.c.anchor == anchor.name)).first()
                pending = connection.execute(_digests_from(state.next if state else 0, MAX_ANCHORED)).all()
            anchored, failure = state.next if state else 0, None
            try:
                for row in pending if anchor.name not in self._unchecked else ():
                    anchor.put(_signed(row))
                    anchored = row.number + 1
            except AnchorConflictError as error:
                raise SealerStoppedError(f"{error}; see docs/how-to/keep-a-log.md") from None
            except AnchorError as error:
                failure = str(error)
            if anchor.name in self._unchecked:
                failure = f"{anchor.name} cannot be read, so it is not known whether the log is an older copy"
            if failure is not None:
                failures[anchor.name] = failure
            waiting[anchor.name] = newest + 1 - anchored
            self._note(anchor.name, state, anchored, failure)
        return waiting, failures

    def _note(self, name: str, state: Row[Any] | None, anchored: int, failure: str | None) -> None:
        since = attempts = None
        if failure is not None:
            since = state.failing_since if state and state.failing_since else self._clock_us()
            attempts = state.attempts + 1 if state else 1
        values = {"next": anchored, "failure": failure, "failing_since": since, "attempts": attempts or 0}
        with self._transaction() as connection:
            self._lease.renew(connection)
            if state is None:
                connection.execute(insert(anchor_states).values(anchor=name, **values))
            else:
                connection.execute(update(anchor_states).where(anchor_states.c.anchor == name).values(values))

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """A transaction in which no other sealer writes; durable when the block has ended without an error."""
        deadline = time.monotonic() + self._timeout
        try:
            if self._connection is not None and self._database.is_lost(self._connection):
                self._disconnect()
            if self._connection is None:
                self._connection = self._database.connect(self._engine, deadline=deadline)
            self._database.begin(self._connection, _LOCK, deadline=deadline)
            yield self._connection
            self._connection.commit()
        except SQLAlchemyError as error:
            self._disconnect()
            raise RecordUnavailableError(f"the decision log cannot be sealed: {error_name(error)}") from None
        except AdmissionError:
            self._disconnect()
            raise

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()


def last_digest(connection: Connection) -> SignedDigest | None:
    """The newest digest of the log; None when there is none."""
    row = connection.execute(_DIGESTS.order_by(digests.c.number.desc()).limit(1)).first()
    return None if row is None else _signed(row)


def range_row(each: Range, number: int) -> dict[str, Any]:
    """The row of `digest_ranges` for a range of a digest."""
    return {"writer": each.writer, "first": each.first, "last": each.last, "number": number, "head": each.head}


_DIGESTS: Final = select(
    digests.c.number,
    digests.c.hash,
    cast(digests.c.bytes, LargeBinary).label("content"),
    cast(digests.c.signature, LargeBinary).label("signature"),
)


def _digests_from(number: int, limit: int) -> Any:
    return _DIGESTS.where(digests.c.number >= number).order_by(digests.c.number).limit(limit)


def _signed(row: Row[Any]) -> SignedDigest:
    return SignedDigest(row.number, row.hash, row.content, row.signature)


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise RecordUnavailableError(f"the decision log cannot be read: {error_name(error)}") from None
