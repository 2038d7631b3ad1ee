"""What verification found, and what may be concluded from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

MAX_LISTED: Final = 1_000
"""Problems, and notices, listed one by one; all are counted."""

INCOMPLETE: Final = frozenset(
    {"gap", "missing-body", "missing-terms", "stray-term", "digest-missing", "anchor-missing", "receipt-missing"}
)
"""Problems that say something is not there. All others say that something is not what was written."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at one place. `digest` is the number of the digest that holds the place, where one does.

    At an entry, `sequence` of `writer` (of the first entry missing, for a gap): `unreadable`, `hash`, `previous`,
    `signature`, `columns`, `not-a-start`, `uncertified`, `gap`, `missing-body`, `body`, `head`, `outside-a-digest`,
    `missing-terms`. `uncertified` stands for the whole chain: without the writer's key no signature of it can be
    checked. `head`: another entry than the digest says. With an id as `writer`: `unexpected-body`,
    `unexpected-term`, `stray-term` (of an entry that is not there), `receipt-missing`, `receipt-differs`.

    At a digest: `digest-unreadable`, `digest-hash`, `digest-previous`, `digest-signature`, `digest-columns`,
    `digest-ranges`, `digest-window`, `digest-missing`; and, with the anchor as `writer`, `anchor-differs`,
    `anchor-versions`, `anchor-content`, `anchor-missing`. Of an export: `manifest`.
    """

    writer: str
    sequence: int
    problem: str
    digest: int | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """What is no proof of anything, and worth a question.

    Of a writer: `never-stopped`, `time` (an entry whose time is outside its digest's window). Of the sealer:
    `late-digest`, `sealer-died`, `key-changed`, `refused`.
    """

    notice: str
    writer: str = ""
    sequence: int | None = None
    digest: int | None = None


@dataclass(slots=True)
class Findings:
    """Collects problems and notices in bounded memory."""

    listed: list[Problem] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    notices: list[Notice] = field(default_factory=list)
    notice_counts: Counter[str] = field(default_factory=Counter)
    bad_digests: dict[int, str] = field(default_factory=dict)

    def add(self, writer: str, sequence: int, problem: str, *, digest: int | None = None) -> None:
        """A problem, which makes its digest a bad one."""
        self.counts[problem] += 1
        if len(self.listed) < MAX_LISTED:
            self.listed.append(Problem(writer, sequence, problem, digest))
        if digest is not None and (digest in self.bad_digests or len(self.bad_digests) < 100 * MAX_LISTED):
            self.bad_digests.setdefault(digest, problem)

    def notice(self, kind: str, writer: str = "", *, sequence: int | None = None, digest: int | None = None) -> None:
        """A notice."""
        self.notice_counts[kind] += 1
        if len(self.notices) < MAX_LISTED:
            self.notices.append(Notice(kind, writer, sequence, digest))


@dataclass(frozen=True, slots=True)
class DigestsSeen:
    """The digests that were looked at. `to_time` is when the last of them was made, UTC in microseconds."""

    first: int | None = None
    last: int | None = None
    checked: int = 0
    invalid: Mapping[int, str] = field(default_factory=dict)
    to_time: int | None = None


@dataclass(frozen=True, slots=True)
class AnchorSeen:
    """One anchor: how many digests were compared with it, and how many of the newest it does not have yet."""

    anchor: str
    compared: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Report:
    """What was looked at and what was found. `counts` has the number of each problem, `problems` the first of them.

    `log_keys` and `sealer_keys` are the ids of the keys by which certificates and digests were judged. `unsealed` is
    how many entries no digest holds yet, `receipts` how many receipts were compared, None without any. `filtered`: of
    an export that leaves entries out, which proves no more than that what is in it is genuine. `said_retained`: the
    digest up to which an export says that retention has dropped bodies.
    """

    writers: int
    entries: int
    unsealed: int
    problems: tuple[Problem, ...]
    counts: Mapping[str, int]
    notices: tuple[Notice, ...]
    notice_counts: Mapping[str, int]
    log_keys: tuple[str, ...]
    sealer_keys: tuple[str, ...]
    digests: DigestsSeen
    anchors: tuple[AnchorSeen, ...]
    receipts: int | None = None
    filtered: bool = False
    said_retained: int | None = None

    @property
    def exit_code(self) -> int:
        """0 whole, 1 tampered, 2 incomplete, 3 cannot tell; of several the first of 1, 2, 3."""
        if self.counts.keys() - INCOMPLETE:
            return 1
        if self.counts:
            return 2
        return 3 if self.doubts else 0

    @property
    def doubts(self) -> tuple[str, ...]:
        """What keeps this from being a proof. Empty when nothing does."""
        found = []
        if not self.log_keys:
            found.append("The log's public key was not given, so a chain may be one that somebody else made.")
        if self.digests.checked == 0:
            found.append(
                "There are no digests here, so the newest entries of a chain or a whole chain may have been removed, "
                "the service's own keys may have been used to compute a chain anew, or an older copy may have been "
                "restored."
            )
        elif not self.sealer_keys:
            found.append("The sealer's public key was not given, so digests may be ones that somebody else made.")
        if self.digests.checked and not any(each.compared for each in self.anchors):
            found.append(
                "No digest was compared with an anchor, so whoever had the keys of the service and of the sealer may "
                "have computed everything anew, or an older copy with its digests may have been restored."
            )
        if self.filtered:
            found.append("The export was filtered, so it shows that what is in it is genuine, not that it is all.")
        return tuple(found)

    @property
    def summary(self) -> str:
        """One paragraph for a person, which claims no more than was looked at."""
        seen, bad = self.digests, len(self.digests.invalid)
        what = f"{seen.checked - bad}/{seen.checked} digests valid, {self.entries} entries in {self.writers} chains"
        if not self.counts:
            verdict = f"{what}: no entry was edited, moved or taken from between others."
        else:
            found = ", ".join(f"{problem} {count}" for problem, count in sorted(self.counts.items()))
            verdict = f"{what}: {'TAMPERED' if self.exit_code == 1 else 'INCOMPLETE'} ({found})."
        return " ".join([verdict, *self.doubts, *self._remarks])

    @property
    def _remarks(self) -> list[str]:
        remarks = [
            f"{each.anchor} does not have the newest {each.waiting} digests yet."
            for each in self.anchors
            if each.waiting
        ]
        if self.said_retained is not None:
            remarks.append(
                f"By the word of the export retention has dropped bodies up to digest {self.said_retained}; the log "
                "has the entry that shows it."
            )
        if self.notice_counts:
            counted = ", ".join(f"{notice} {count}" for notice, count in sorted(self.notice_counts.items()))
            remarks.append(f"Worth a question: {counted}.")
        if self.digests.to_time is not None and not self.filtered:
            until = datetime.fromtimestamp(self.digests.to_time / 1_000_000, UTC).isoformat(timespec="seconds")
            with_receipts = "none were given" if self.receipts is None else f"{self.receipts} were compared"
            remarks.append(
                f"Entries newer than the last digest ({until}) that somebody has removed are found by nothing but the "
                f"receipts that callers kept; {with_receipts}."
            )
        return remarks
