"""Retention: bodies go after a time, and the log still proves that nothing else did.

A body is what the policies saw of a request: large, and of use for replay. Entries, digests and anchors stay, and so do
the hashes of the bodies. How old a body is its digest says, as an anchor holds it: not a column, and no clock of today.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import LargeBinary, cast, delete, select, tuple_
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from ecs_admission.decision_log.anchors import Anchor
from ecs_admission.decision_log.chain_rows import READING
from ecs_admission.decision_log.connections import database_at
from ecs_admission.decision_log.database import Database, error_name, translated
from ecs_admission.decision_log.digest_tables import digests
from ecs_admission.decision_log.digests import Digest, SignedDigest, read_digest
from ecs_admission.decision_log.entries import build_event_draft
from ecs_admission.decision_log.inventory import inventory_id
from ecs_admission.decision_log.keys import PublicKey
from ecs_admission.decision_log.queries import LogReader
from ecs_admission.decision_log.schema import bodies, entries, entry_terms
from ecs_admission.decision_log.store import DecisionLog
from ecs_admission.decision_log.terms import FINGERPRINT, derive_terms, term
from ecs_admission.decision_log.verify import RETENTION, signed_events, signed_events_on
from ecs_admission.errors import RecordUnavailableError, SettingsError
from ecs_admission.model import UserInfo, new_decision_id

LEGAL_HOLD: Final = "legal_hold"
FLOOR_DAYS: Final = 365
"""PCI DSS 10.5.1: twelve months. A log that keeps less needs two operators who want it so."""

_DAY_US: Final = 86_400 * 1_000_000
_BATCH: Final = 500
_PAGE: Final = 200
_MAX_REASON: Final = 500
_HOLD_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Hold:
    """A legal hold: while there is one, retention drops nothing."""

    id: str
    reason: str
    placed_by: str
    time_us: int


@dataclass(frozen=True, slots=True)
class Request:
    """What operators ask for. `floor_days` is that of the settings."""

    older_than_days: int
    operators: tuple[str, ...]
    floor_days: int = FLOOR_DAYS

    def check(self) -> None:
        """Raises `SettingsError` where this must not be done."""
        if not self.operators or not all(self.operators):
            raise SettingsError("say who asks for it: --operator NAME")
        if self.older_than_days < self.floor_days:
            raise SettingsError(
                f"bodies are kept for {self.floor_days} days at least; ECS_ADMISSION_RETENTION_FLOOR_DAYS lowers that"
            )
        if self.older_than_days < FLOOR_DAYS and len({name.casefold() for name in self.operators}) < 2:
            raise SettingsError(f"to keep bodies for less than {FLOOR_DAYS} days takes two operators: --operator twice")


@dataclass(frozen=True, slots=True)
class Plan:
    """Which bodies go: those of the digests after `done`, where an earlier run ended, up to `through`."""

    done: int
    through: int
    through_time_us: int


class Retention:
    """One run of it, by the owner of the tables. `log` is a writer of this process, which records what is done."""

    def __init__(
        self,
        log: DecisionLog,
        url: str,
        *,
        log_keys: Sequence[PublicKey],
        sealer_keys: Sequence[PublicKey],
        anchors: Sequence[Anchor],
        timeout_seconds: float = 30.0,
        clock_us: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self._log = log
        self._database = database_at(url)
        self._log_keys = log_keys
        self._sealer_keys = {key.id: key for key in sealer_keys}
        self._anchors = anchors
        self._timeout = timeout_seconds
        self._clock_us = clock_us

    def plan(self, request: Request) -> Plan | None:
        """What a request comes to; None when nothing is old enough. Raises `SettingsError` for what must not be."""
        request.check()
        if not self._log_keys:
            raise SettingsError("without the log's public key nothing shows which holds there are")
        if not self._anchors:
            raise SettingsError("the age of a body is that of its anchored digest, and there is no anchor")
        if holds := active_holds(self._log.reader, self._log_keys):
            raise SettingsError(f"a legal hold forbids it: {', '.join(hold.id for hold in holds)}")
        before = self._clock_us() - request.older_than_days * _DAY_US
        found = self._newest_before(before)
        done = _done(self._log.reader, self._log_keys)
        if found is None or found[0].number <= done:
            return None
        signed, digest = found
        key = self._sealer_keys.get(digest.key)
        if key is None or not signed.is_signed_by(key):
            raise SettingsError(f"digest {digest.number} is not signed by a key of the sealer; verify the log first")
        for anchor in self._anchors:
            held = next(iter(anchor.listed(digest.number)), None)
            if held is None or (held.number, held.hash, held.versions) != (digest.number, signed.hash, 1):
                raise SettingsError(f"{anchor.name} does not hold digest {digest.number}; verify the log first")
        return Plan(done, digest.number, digest.to_time)

    def run(self, request: Request, plan: Plan) -> int:
        """Record it, drop the bodies in batches, and record how many there were. Returns that number.

        What breaks off is taken up again by the next run: the end is recorded when it is reached.
        """
        self._record(request, plan, {"finished": False, "bodies": None})
        dropped = 0
        for digest in self._digests(plan.done + 1, plan.through):
            for each in digest.ranges:
                for first in range(each.first, each.last + 1, _BATCH):
                    dropped += self._drop(each.writer, first, min(each.last, first + _BATCH - 1))
        self._record(request, plan, {"finished": True, "bodies": dropped})
        return dropped

    def _record(self, request: Request, plan: Plan, outcome: Mapping[str, Any]) -> None:
        details = {
            "olderThanDays": request.older_than_days,
            "floorDays": request.floor_days,
            "operators": list(request.operators),
            "throughDigest": plan.through,
            "throughTime": plan.through_time_us,
            **outcome,
        }
        self._log.append(
            build_event_draft(
                RETENTION,
                entry_id=new_decision_id(),
                time_us=self._clock_us(),
                user=UserInfo(f"operator:{request.operators[0]}"),
                details=details,
            ),
            deadline_seconds=self._timeout,
        )

    def _drop(self, writer: str, first: int, last: int) -> int:
        """Drop the bodies of some entries, and the terms that came from them, in one transaction.

        Whether there is a hold is asked in it, under the lock that `place_hold` waits for: so after a hold is in force
        no batch begins, and none ends.
        """
        # The bodies of other kinds stay: they say which policies were in force.
        of_writer = (entries.c.writer == writer) & entries.c.sequence.between(first, last)
        of_writer &= entries.c.kind == "decision"
        query = select(
            entries.c.id, entries.c.time, cast(bodies.c.bytes, LargeBinary).label("body")
        ).join_from(entries, bodies, entries.c.id == bodies.c.id).where(of_writer)  # fmt: skip
        engine = self._database.write_engine()
        deadline = time.monotonic() + self._timeout
        try:
            with self._database.connect(engine, deadline=deadline) as connection:
                self._database.begin(connection, RETENTION, deadline=deadline)
                if _active(signed_events_on(connection, LEGAL_HOLD, self._log_keys)):
                    raise SettingsError("a legal hold was placed meanwhile; what is gone is gone, and the rest stays")
                found = connection.execute(query).all()
                if found:
                    _delete_terms(connection, [(each, row.time, row.id) for row in found for each in _terms(row.body)])
                    ids = [each for row in found for each in (row.id, inventory_id(row.id))]
                    connection.execute(delete(bodies).where(bodies.c.id.in_(ids)))
                connection.commit()
        except SQLAlchemyError as error:
            raise RecordUnavailableError(f"bodies cannot be dropped: {error_name(error)}") from None
        finally:
            engine.dispose()
        return len(found)

    def _newest_before(self, time_us: int) -> tuple[SignedDigest, Digest] | None:
        query = (
            _DIGESTS.where(digests.c.to_time < time_us)
            .order_by(digests.c.to_time.desc(), digests.c.number.desc())
            .limit(1)
        )
        with translated(READING), self._log.reader.connect() as connection:
            row = connection.execute(query).first()
        if row is None:
            return None
        digest = read_digest(row.content)
        if digest is None or digest.number != row.number or digest.to_time >= time_us:
            raise SettingsError(f"digest {row.number} is not what it was; verify the log first")
        return SignedDigest(row.number, row.hash, row.content, row.signature), digest

    def _digests(self, first: int, last: int) -> Iterator[Digest]:
        while first <= last:
            query = _DIGESTS.where(digests.c.number.between(first, last)).order_by(digests.c.number).limit(_PAGE)
            with translated(READING), self._log.reader.connect() as connection:
                rows = connection.execute(query).all()
            for row in rows:
                digest = read_digest(row.content)
                if digest is None:
                    raise SettingsError(f"digest {row.number} is not what it was; verify the log first")
                yield digest
            if not rows:
                return
            first = rows[-1].number + 1


def place_hold(log: DecisionLog, url: str, *, reason: str, operator: str, clock_us: Callable[[], int]) -> str:
    """Place a legal hold, and return its id when it is in force: retention drops nothing more.

    `url` is that of the database of `log`. Raises `RecordUnavailableError` when it is not in force, or where a batch of
    a retention run that began before is not known to have ended.
    """
    if not 1 <= len(reason) <= _MAX_REASON or not reason.isprintable():
        raise SettingsError(f"the reason of a hold is one line of at most {_MAX_REASON} characters")
    hold_id = new_decision_id()
    _record_hold(log, {"action": "place", "hold": hold_id, "reason": reason}, operator, clock_us())
    _await_batch(database_at(url), hold_id)
    return hold_id


def _await_batch(database: Database, hold_id: str) -> None:
    """Wait until a batch that did not see the hold has ended: by having its lock once."""
    engine = database.write_engine()
    deadline = time.monotonic() + _HOLD_SECONDS
    try:
        with database.connect(engine, deadline=deadline) as connection:
            database.begin(connection, RETENTION, deadline=deadline)
            connection.rollback()
    except SQLAlchemyError as error:
        raise RecordUnavailableError(
            f"the legal hold {hold_id} is in the log, and a batch of bodies may still be going: {error_name(error)}"
        ) from None
    finally:
        engine.dispose()


def release_hold(
    log: DecisionLog, hold_id: str, *, operator: str, log_keys: Sequence[PublicKey], clock_us: Callable[[], int]
) -> None:
    """Release a legal hold. Raises `SettingsError` when there is none of that id."""
    held = {hold.id: hold for hold in active_holds(log.reader, log_keys)}
    if hold_id not in held:
        raise SettingsError("there is no legal hold with this id")
    _record_hold(log, {"action": "release", "hold": hold_id, "reason": held[hold_id].reason}, operator, clock_us())


def active_holds(reader: LogReader, log_keys: Sequence[PublicKey]) -> list[Hold]:
    """The legal holds in force, oldest first: what the log's own signed entries say, and no table beside them."""
    return _active(signed_events(reader, LEGAL_HOLD, log_keys))


def _active(events: Iterable[dict[str, Any]]) -> list[Hold]:
    found: dict[str, Hold] = {}
    released = set()
    for document in events:
        details, caller = document["details"], document.get("caller") or {}
        hold_id = details.get("hold")
        if details.get("action") == "release":
            released.add(hold_id)
        elif isinstance(hold_id, str):
            found[hold_id] = Hold(hold_id, str(details.get("reason")), str(caller.get("username")), document["time"])
    return [hold for hold_id, hold in found.items() if hold_id not in released]


_DIGESTS: Final = select(
    digests.c.number,
    digests.c.hash,
    cast(digests.c.bytes, LargeBinary).label("content"),
    cast(digests.c.signature, LargeBinary).label("signature"),
)


def _done(reader: LogReader, log_keys: Sequence[PublicKey]) -> int:
    finished = [
        document["details"]["throughDigest"]
        for document in signed_events(reader, RETENTION, log_keys)
        if document["details"].get("finished") is True and type(document["details"].get("throughDigest")) is int
    ]
    return max(finished, default=-1)


def _record_hold(log: DecisionLog, details: dict[str, Any], operator: str, time_us: int) -> None:
    if not operator:
        raise SettingsError("say who asks for it: --operator NAME")
    draft = build_event_draft(
        LEGAL_HOLD, entry_id=new_decision_id(), time_us=time_us, user=UserInfo(f"operator:{operator}"), details=details
    )
    log.append(draft, deadline_seconds=_HOLD_SECONDS)


def _terms(body: bytes) -> list[str]:
    """What an entry was found by that came from its body, and goes with it."""
    return [each for each in derive_terms({}, body) if each.startswith(term(FINGERPRINT, ""))]


def _delete_terms(connection: Connection, keys: list[tuple[str, int, str]]) -> None:
    for begin in range(0, len(keys), _BATCH):
        connection.execute(
            delete(entry_terms).where(
                tuple_(entry_terms.c.term, entry_terms.c.time, entry_terms.c.id).in_(keys[begin : begin + _BATCH])
            )
        )
