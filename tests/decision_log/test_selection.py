"""What a query finds is what looking at every entry would find, whichever way it goes."""

from __future__ import annotations

import random
from typing import Any

import pytest

from ecs_admission.decision_log import selection
from ecs_admission.decision_log.filters import PARAMETERS, Filters, read_filters
from ecs_admission.decision_log.schema import INDEX_PATHS
from ecs_admission.decision_log.store import DecisionLog
from ecs_admission.decision_log.terms import derive_terms, term
from ecs_admission.model import Action, Decision, DeployContext, Finding, JSONObject, Outcome, Place, UserInfo

from .conftest import make_draft, make_node_draft
from .databases import LogDatabase

RULES = ("plaintext/environment", "plaintext/field", "logging/secret-option")
CHOICES: dict[str, tuple[str | None, ...]] = {
    "outcome": tuple(Outcome),
    "operation": ("RegisterTaskDefinition", "RunTask", None),
    "enforcementPoint": ("api", "cli"),
    "environment": ("prod", "dev", None),
    "region": ("eu-west-1", "us-east-1", None),
    "account": ("123456789012", "210987654321", None),
    "family": ("web", "api", "job", None),
    "service": ("front", None),
    "repository": ("example/web", "example/api", None),
    "actor": ("ada", "ben", None),
    "caller": ("system:anonymous", "ci"),
    "revision": ("r1", "r2", None),
    "rule": RULES,
    "severity": ("critical", "high"),
    "control": ("PCI:8.6.2", "FSBP:ECS.8"),
    "container": ("web", "log"),
    "exception": ("legacy-1", "legacy-2"),
    "fingerprint": ("k01234567:" + "0" * 32, "k01234567:" + "1" * 32),
}


def finding(chance: random.Random) -> Finding:
    return Finding(
        rule=chance.choice(RULES),
        pointer="/x",
        action=Action.WARN,
        severity=str(chance.choice(CHOICES["severity"])),
        place=Place(container=chance.choice(["web", "log", None]), field="environment", name="X"),
        exception=chance.choice(["legacy-1", "legacy-2", None]),
        controls=tuple(control for control in map(str, CHOICES["control"]) if chance.random() < 0.5),
    )


def written(log: DecisionLog, chance: random.Random, count: int) -> list[tuple[JSONObject, bytes]]:
    """Decisions of all sorts, some with one time, in an order that is not that of time."""
    found = []
    for _ in range(count):
        pick = {name: chance.choice(values) for name, values in CHOICES.items()}
        marks = [mark for mark in map(str, CHOICES["fingerprint"]) if chance.random() < 0.2]
        body = b'{"literals":[' + b",".join(b'{"fingerprint":"%s"}' % mark.encode() for mark in marks) + b"]}"
        outcome = Outcome(str(pick["outcome"]))
        findings = tuple(finding(chance) for _ in range(chance.choice([0, 0, 1, 3])))
        context = {name: pick[name] for name in ("environment", "account", "region", "service", "actor", "repository")}
        draft = make_draft(
            Decision(outcome=outcome, reason="", message="", findings=findings),
            time_us=1_000 + chance.randrange(count // 2),
            operation=pick["operation"],
            enforcement_point=pick["enforcementPoint"],
            family=pick["family"],
            context=DeployContext(**context),
            user=UserInfo(str(pick["caller"])),
            revision=pick["revision"],
            body=body,
        )
        log.append(draft, deadline_seconds=5)
        found.append((draft.document, body))
    return found


def meets(document: JSONObject, body: bytes, filters: Filters) -> bool:
    """The meaning of a query, without an index."""
    if filters.since_us is not None and document["time"] < filters.since_us:
        return False
    if filters.until_us is not None and document["time"] >= filters.until_us:
        return False
    for clause in filters.clauses:
        if clause.column is None:
            terms = derive_terms(document, body)
            has = {value for value in (*clause.wanted, *clause.unwanted) if term(clause.name, value) in terms}
        else:
            value: Any = document
            for key in INDEX_PATHS[clause.column]:
                value = value[key]
            has = {value}
        if (clause.wanted and not has & set(clause.wanted)) or has & set(clause.unwanted):
            return False
    return True


def queries(chance: random.Random) -> list[list[tuple[str, str]]]:
    """Each parameter alone, wanted and not wanted, and some together."""
    alone = [[(name, sign + str(values[0]))] for name, values in CHOICES.items() for sign in ("", "!")]
    together = []
    for _ in range(30):
        names = chance.sample(sorted(CHOICES), chance.choice([1, 2, 3]))
        query = []
        for name in names:
            values = [value for value in CHOICES[name] if value is not None]
            chosen = chance.sample(values, chance.randint(1, min(2, len(values))))
            query.append((name, ",".join(chance.choice(["", "", "!"]) + value for value in chosen)))
        if chance.random() < 0.3:
            query.append(("since", "1970-01-01T00:00:00.00101Z"))
        together.append(query)
    return [*alone, *together]


def paged(log: DecisionLog, filters: Filters, limit: int) -> list[str]:
    found: list[str] = []
    cursor = None
    while True:
        page = log.reader.list_entries(filters, limit=limit, cursor=cursor)
        found += [item["id"] for item in page.items]
        if page.next is None:
            return found
        assert len(page.items) == limit
        cursor = page.next


@pytest.mark.parametrize("looked_through", [0, 5, 2_000])
def test_a_query_finds_what_looking_at_each_entry_finds(
    log: DecisionLog, monkeypatch: pytest.MonkeyPatch, looked_through: int
) -> None:
    monkeypatch.setattr(selection, "_LOOKED_THROUGH", looked_through)
    monkeypatch.setattr(selection, "_BRANCHES", 3)
    monkeypatch.setattr(selection, "_AT_ONCE", 2)
    chance = random.Random(20261124)
    log.append(make_node_draft("node_start"), deadline_seconds=5)
    documents = written(log, chance, 60)
    assert CHOICES.keys() == PARAMETERS.keys() - {"kind"}

    for query in queries(chance):
        filters = read_filters(query, now=1_790_000_000)
        expected = [document for document, body in documents if meets(document, body, filters)]
        expected.sort(key=lambda document: (document["time"], document["id"]), reverse=True)
        assert paged(log, filters, 7) == [document["id"] for document in expected], query


@pytest.mark.parametrize("bound", ["_MOST_VALUES", "_MOST_OTHERS"])
def test_a_column_with_too_many_values_is_read_by_time(
    log: DecisionLog, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(selection, "_LOOKED_THROUGH", 0)
    monkeypatch.setattr(selection, bound, 1)
    documents = written(log, random.Random(1), 20)

    for query in ([("outcome", "denied")], [("family", "!web")]):
        filters = read_filters(query, now=1_790_000_000)
        expected = {document["id"] for document, body in documents if meets(document, body, filters)}
        assert set(paged(log, filters, 3)) == expected


def test_kinds_beside_decisions_are_found(log: DecisionLog) -> None:
    log.append(make_draft(), deadline_seconds=5)
    log.append(make_node_draft("node_stop"), deadline_seconds=5)

    def kinds(text: str) -> list[str]:
        filters = read_filters([("kind", text)], now=0)
        return [item["kind"] for item in log.reader.list_entries(filters).items]

    assert kinds("node_stop") == ["node_stop"]
    assert kinds("node_stop,node_start") == ["node_stop", "node_start"]
    assert kinds("decision,node_start") == ["decision", "node_start"]
    assert kinds("!decision") == ["node_stop", "node_start"]


def plan(database: LogDatabase, log: DecisionLog, query: list[tuple[str, str]]) -> str:
    """How the database goes about the first branch of a query."""
    filters = read_filters(query, now=1_790_000_000)
    with log.reader.connect() as connection:
        branches = selection._branches(connection, filters, selection.Bounds(), filters.clauses, 50)
        assert branches
        text = str(branches[0].limit(50).compile(connection.engine, compile_kwargs={"literal_binds": True}))
    explain = "EXPLAIN QUERY PLAN" if "sqlite" in database.url else "EXPLAIN"
    return "\n".join(str(row[-1]) for row in database.rows(f"{explain} {text}".replace(":", r"\:")))


@pytest.mark.parametrize("name", [name for name in CHOICES if name != "kind"])
def test_each_parameter_goes_by_its_index(log: DecisionLog, database: LogDatabase, name: str) -> None:
    written(log, random.Random(2), 40)
    if "postgresql" in database.url:
        database.tamper("SET enable_seqscan = off", "ANALYZE")
    column = PARAMETERS[name].column
    index = "entry_terms" if column is None else f"entries_by_{'profile' if column in selection.PROFILE else column}"

    found = plan(database, log, [(name, str(CHOICES[name][0]))])

    assert index in found
    assert "decisions_by_time" not in found
