"""Makes decisions as a large organisation would have them, and loads them into PostgreSQL faster than they come.

Each is a real entry: chained, signed by a certified writer, with all its columns and terms, so that `verify` can walk
them. Bodies are left out, as after retention; the fingerprints that they would have had are among the terms.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
from sqlalchemy import create_engine
from sqlalchemy.schema import CreateIndex, DropIndex

from ecs_admission.decision_log.certificates import Writer
from ecs_admission.decision_log.chain import Head, seal
from ecs_admission.decision_log.entries import EntryDraft, build_draft, build_node_draft
from ecs_admission.decision_log.keys import SigningKey
from ecs_admission.decision_log.schema import entries, entry_row, entry_terms, writer_row, writers
from ecs_admission.decision_log.terms import derive_terms
from ecs_admission.model import Action, Decision, DeployContext, Finding, Outcome, Place, UserInfo

YEAR_US = 365 * 86_400_000_000
WRITERS = 8
SEED = 20261124

OUTCOMES = {"allowed": 92_000, "denied": 7_500, "invalid": 480, "undecided": 18, "failOpen": 2}
OPERATIONS = {"RegisterTaskDefinition": 88_000, "UpdateService": 9_000, "RunTask": 2_500, "CreateService": 495, "X": 5}
POINTS = {"api": 96_000, "cli": 3_990, "hook": 10}
REGIONS = {
    "eu-central-1": 50,
    "eu-west-1": 30,
    "us-east-1": 15,
    "us-west-2": 4.5,
    "ap-southeast-2": 0.499,
    "sa-east-1": 0.001,
}
ENVIRONMENTS = {"dev": 60, "staging": 25, "prod": 14.9, "sandbox": 0.0995, "dr-test": 0.0005}
RULES = {
    "plaintext/environment": ("critical", 50),
    "plaintext/field": ("critical", 20),
    "logging/secret-option": ("high", 12),
    "references/invalid-value-from": ("high", 8),
    "roles/execution-role-missing": ("medium", 6),
    "registries/repository-credentials": ("medium", 3.9),
    "references/name-collision": ("low", 0.0999),
    "bounds/exceeded": ("low", 0.0001),
}
CONTROLS = {"critical": ("PCI:8.6.2", "FSBP:ECS.8"), "high": ("FSBP:ECS.9",), "medium": ("NIST:AC-6",), "low": ()}
_COLUMNS = tuple(entries.columns.keys())

FAMILIES, REPOSITORIES, ACTORS, CALLERS, ACCOUNTS, REVISIONS, EXCEPTIONS = 5_000, 2_000, 800, 300, 60, 60, 40


@dataclass(slots=True)
class Generator:
    """Decisions in the order of time, over a year."""

    count: int
    first_us: int
    chance: random.Random = field(default_factory=lambda: random.Random(SEED))

    def drafts(self) -> Iterator[tuple[EntryDraft, bytes]]:
        """Each decision without its body, and of that the part that terms come from."""
        step = YEAR_US / self.count
        for number in range(self.count):
            time_us = self.first_us + int(number * step + self.chance.random() * step)
            yield self._draft(time_us, number)

    def _draft(self, time_us: int, number: int) -> tuple[EntryDraft, bytes]:
        chance = self.chance
        family = self._popular(FAMILIES)
        account = self._popular(ACCOUNTS)
        outcome = Outcome(self._pick(OUTCOMES))
        findings = self._findings(outcome, family)
        draft = build_draft(
            Decision(outcome, "" if outcome is Outcome.ALLOWED else "NonCompliant", "", findings),
            decision_id=_uuid7(time_us, chance),
            time_us=time_us,
            uid=_uuid7(time_us, chance),
            operation=self._pick(OPERATIONS),
            enforcement_point=self._pick(POINTS),
            dry_run=False,
            family=f"team-{family % 70}-service-{family}",
            context=DeployContext(
                environment=self._pick(ENVIRONMENTS),
                account=f"{100_000_000_000 + account}",
                region=self._pick(REGIONS),
                cluster="main",
                service=f"service-{family}",
                actor=f"person-{self._popular(ACTORS)}",
                repository=f"example/repository-{family % REPOSITORIES}",
                commit=f"{chance.getrandbits(160):040x}",
                run=str(number),
            ),
            now=time_us // 1_000_000,
            user=UserInfo(f"repo:example/caller-{self._popular(CALLERS)}", ("system:authenticated",)),
            engine="embedded",
            revision=f"sha256:{number * REVISIONS // self.count:064x}",
            timings_us={"adapt": 130, "project": 310, "enrich": 21, "evaluate": 280, "decide": 7},
            body=None,
        )
        marks = [f'"fingerprint":"k0badc0de:{family:016x}{index:016x}"' for index in range(len(findings))]
        return draft, ",".join(marks).encode()

    def _findings(self, outcome: Outcome, family: int) -> tuple[Finding, ...]:
        chance = self.chance
        is_denied = outcome is Outcome.DENIED
        count = chance.choice((1, 1, 2, 5)) if is_denied else chance.random() < 0.2
        found = []
        for index in range(count):
            rule = self._pick({rule: weight for rule, (_, weight) in RULES.items()})
            severity = RULES[rule][0]
            found.append(
                Finding(
                    rule=rule,
                    pointer=f"/containerDefinitions/0/environment/{index}/value",
                    action=Action.DENY if is_denied else Action.WARN,
                    severity=severity,
                    place=Place(
                        container=chance.choice(("app", "log", f"sidecar-{family}")), field="environment", name="X"
                    ),
                    exception=f"exception-{self._popular(EXCEPTIONS)}"
                    if not is_denied and chance.random() < 0.1
                    else None,
                    controls=CONTROLS[severity],
                )
            )
        return tuple(found)

    def _pick(self, weights: dict[str, Any]) -> str:
        return self.chance.choices(list(weights), list(weights.values()))[0]

    def _popular(self, count: int) -> int:
        """Few have much, many have little: the one of half the rank has twice as much."""
        return min(count - 1, int(count ** self.chance.random()) - 1)


def load(url: str, count: int, *, first_us: int, log_key: SigningKey) -> None:
    """Load `count` decisions into an empty log, as the owner of its tables, and have the database look at them."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    indexes = [index for index in entries.indexes if index.name != "entries_by_id"]
    with engine.begin() as connection:
        for index in indexes:
            connection.execute(DropIndex(index))
    with psycopg.connect(url) as connection, psycopg.connect(url) as other:
        _copy(connection, other, count, first_us, log_key)
    with engine.connect() as connection:
        connection = connection.execution_options(isolation_level="AUTOCOMMIT")
        for index in indexes:
            connection.execute(CreateIndex(index))
        connection.exec_driver_sql("VACUUM ANALYZE")
    engine.dispose()


def _copy(
    connection: psycopg.Connection[Any], other: psycopg.Connection[Any], count: int, first_us: int, log_key: SigningKey
) -> None:
    """Write entries through one connection and their terms through another, so that nothing is kept in memory."""
    chains = [Writer.certified(f"writer-{number}", time_us=first_us, log_key=log_key) for number in range(WRITERS)]
    heads = [Head()] * WRITERS
    starts = [
        build_node_draft(
            "node_start",
            entry_id=_uuid7(first_us, random.Random(number)),
            time_us=first_us,
            engine="embedded",
            revision="r",
        )
        for number in range(WRITERS)
    ]
    with connection.cursor() as cursor, other.cursor() as for_terms:
        with _copying(cursor, writers) as copy:
            for chain in chains:
                copy.write_row(list(writer_row(chain.certificate).values()))
        with _copying(cursor, entries) as copy, _copying(for_terms, entry_terms) as copy_terms:
            for number, start in enumerate(starts):
                heads[number] = _write(copy, start, chains[number], heads[number])
            for number, (draft, marks) in enumerate(Generator(count, first_us).drafts()):
                which = number * 7919 % WRITERS
                heads[which] = _write(copy, draft, chains[which], heads[which])
                for term in sorted(derive_terms(draft.document, marks)):
                    copy_terms.write_row((term, draft.document["time"], draft.id))
    connection.commit()
    other.commit()


def _copying(cursor: psycopg.Cursor[Any], table: Any) -> Any:
    return cursor.copy(f"COPY {table.name} ({', '.join(table.columns.keys())}) FROM STDIN".encode())


def _write(copy: Any, draft: EntryDraft, chain: Writer, head: Head) -> Head:
    entry = seal(draft, chain, head)
    row = entry_row(entry)
    copy.write_row([row[name] for name in _COLUMNS])
    return Head(next_sequence=entry.sequence + 1, hash=entry.hash)


def _uuid7(time_us: int, chance: random.Random) -> str:
    value = (time_us // 1000 << 80) | chance.getrandbits(80)
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    return str(uuid.UUID(int=(value & ~(0x3 << 62)) | (0x2 << 62)))
