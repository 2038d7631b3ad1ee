"""What an append costs, on both databases: `python -m bench.log_append [ROUNDS]`. Needs PostgreSQL's programs.

One thread, one decision with five findings and an 8 KB body each time, as `DecisionLog.append` takes it.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from typing import Any

import orjson
from tests.decision_log.postgresql_server import READER, WRITER, run_postgresql

from bench.scratch import scratch
from ecs_admission.decision_log.entries import EntryDraft, build_draft, build_node_draft
from ecs_admission.decision_log.keys import make_signing_key
from ecs_admission.decision_log.store import DecisionLog
from ecs_admission.model import Action, Decision, DeployContext, Finding, Outcome, Place, UserInfo, new_decision_id

_WARM_UP = 200
_BODY_BYTES = 8_000
_NAMES = ("DB_PASSWORD", "API_TOKEN", "SMTP_SECRET", "AUTH_KEY", "SIGNING_SECRET")


def main(rounds: int) -> None:
    """Print the median and the 95th percentile of each database."""
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        _measure("SQLite", f"sqlite:///{folder}/decisions.db", None, rounds)
    with run_postgresql() as server:
        name = server.create_database()
        _measure("PostgreSQL", server.url(WRITER, name), server.url(READER, name), rounds)


def _measure(title: str, url: str, read_url: str | None, rounds: int) -> None:
    log = DecisionLog.open(
        url,
        writer=new_decision_id(),
        start=build_node_draft(
            "node_start", entry_id=new_decision_id(), time_us=time.time_ns() // 1000, engine="embedded", revision="r"
        ),
        log_key=make_signing_key(),
        timeout_seconds=10,
        read_url=read_url,
    )
    times = []
    for number in range(rounds + _WARM_UP):
        draft = _draft(number)
        start = time.perf_counter()
        log.append(draft, deadline_seconds=10)
        times.append((time.perf_counter() - start) * 1e3)
    log.close()
    times = sorted(times[_WARM_UP:])
    print(f"{title}: p50 {statistics.median(times):.3f} ms, p95 {times[int(len(times) * 0.95)]:.3f} ms")


def _draft(number: int) -> EntryDraft:
    findings = tuple(
        Finding(
            rule="plaintext/environment",
            pointer=f"/containerDefinitions/0/environment/{index}/value",
            action=Action.DENY,
            severity="critical",
            place=Place(container="web", field="environment", name=name),
        )
        for index, name in enumerate(_NAMES)
    )
    return build_draft(
        Decision(outcome=Outcome.DENIED, reason="NonCompliant", message="", findings=findings),
        decision_id=new_decision_id(),
        time_us=time.time_ns() // 1000,
        uid=new_decision_id(),
        operation="RegisterTaskDefinition",
        enforcement_point="api",
        dry_run=False,
        family=f"family-{number % 500}",
        context=DeployContext(
            environment="prod",
            account="123456789012",
            region="eu-west-1",
            cluster="main",
            service=f"service-{number % 500}",
            actor=f"person-{number % 40}",
            repository=f"example/repository-{number % 300}",
            commit="0" * 40,
            run=str(number),
        ),
        now=1_790_000_000,
        user=UserInfo("system:anonymous", ("system:unauthenticated",)),
        engine="embedded",
        revision="sha256:" + "0" * 64,
        timings_us={"adapt": 41, "project": 300, "enrich": 1, "evaluate": 502, "decide": 9},
        body=_body(number),
    )


def _body(number: int) -> bytes:
    literals: list[Any] = [
        {
            "pointer": f"/containerDefinitions/0/environment/{index}/value",
            "container": "web",
            "name": name,
            "fingerprint": f"k00000000:{number:016x}{index:016x}",
        }
        for index, name in enumerate(_NAMES)
    ]
    body: dict[str, Any] = {"literals": literals, "object": {"family": "web", "environmentNames": []}}
    names = body["object"]["environmentNames"]
    while len(orjson.dumps(body)) < _BODY_BYTES:
        names += [f"SOME_VARIABLE_{len(names)}" for _ in range(20)]
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3000)
