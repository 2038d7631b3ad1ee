"""The real service over HTTP, with each engine."""

from __future__ import annotations

import secrets
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.service.conftest import COMPLIANT, leaky
from tests.service.running_service import (
    OPERATION,
    REVIEWS,
    RunningService,
    clean_environment,
    run_command,
    run_service,
    runs,
    wait_until,
)

pytestmark = pytest.mark.service


def test_a_compliant_task_definition_is_allowed(service: RunningService) -> None:
    reply = service.post(f"{OPERATION}?environment=prod", COMPLIANT)
    assert [reply.status, reply.json["response"]["allowed"]] == [200, True]


def test_a_leaky_task_definition_is_denied(service: RunningService) -> None:
    reply = service.post(f"{OPERATION}?environment=prod", leaky())
    assert [reply.status, reply.json["response"]["allowed"]] == [403, False]
    assert {cause["reason"] for cause in reply.json["response"]["status"]["details"]["causes"]} == {
        "plaintext/environment",
        "plaintext/field",
        "references/invalid-value-from",
        "roles/execution-role-missing",
    }


def test_a_review_is_answered_like_an_operation(service: RunningService) -> None:
    document = leaky()
    request = {"uid": "build-17", "operation": "RegisterTaskDefinition", "object": document}
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    answered = service.post(REVIEWS, review)
    operation = service.post(OPERATION, document)
    assert [answered.status, answered.json["response"]["uid"]] == [200, "build-17"]
    assert answered.json["response"]["status"] == operation.json["response"]["status"]


def test_an_answer_is_on_record_when_it_is_given(service: RunningService) -> None:
    decision_id = service.post(OPERATION, COMPLIANT).json["response"]["auditAnnotations"]["decision-id"]
    with closing(sqlite3.connect(f"file:{service.database}?mode=ro", uri=True)) as database:
        assert database.execute("SELECT count(*) FROM entries WHERE id = ?", (decision_id,)).fetchone() == (1,)
    listed = service.get("/v1/decisions").json["items"]
    assert listed[0]["id"] == decision_id
    assert service.get(f"/v1/decisions/{decision_id}").json["policyInput"]["object"]["family"] == "web"


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"]
)
def test_a_chunked_body_is_read_whatever_its_type(service: RunningService, content_type: str) -> None:
    body = orjson.dumps(leaky())
    half = len(body) // 2
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:half], body[half:], b""))
    head = (
        f"POST {OPERATION} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    )
    assert service.send(head.encode() + chunks).startswith(b"HTTP/1.1 403 ")


def test_a_chunked_body_of_more_than_a_mebibyte_is_refused(service: RunningService) -> None:
    chunks = (b"10000\r\n" + b" " * 0x10000 + b"\r\n") * 17 + b"0\r\n\r\n"
    head = f"POST {OPERATION} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    assert service.send(head.encode() + chunks).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_arrives_in_part_is_not_judged(service: RunningService) -> None:
    body = orjson.dumps(COMPLIANT)
    head = (
        f"POST {OPERATION} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body) + 1}\r\nConnection: close\r\n\r\n"
    )
    answer = service.send(head.encode() + body)
    assert not answer or answer.startswith(b"HTTP/1.1 400 ")
    assert b"allowed" not in answer


@pytest.mark.parametrize("rest", [b"", b"0", b"0\r\n", b"5\r\nab", b"zz\r\nab\r\n0\r\n\r\n", b"-1\r\n\r\n"])
def test_chunks_that_break_off_are_not_judged(service: RunningService, rest: bytes) -> None:
    body = orjson.dumps(COMPLIANT)
    head = f"POST {OPERATION} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    answer = service.send(head.encode() + b"%x\r\n%s\r\n" % (len(body), body) + rest)
    assert not answer or answer.startswith(b"HTTP/1.1 400 ")
    assert b"allowed" not in answer


@pytest.mark.parametrize("path", ["//v1/decisions", "/v1//operations/RegisterTaskDefinition", "//WORD//WORD"])
def test_no_redirect_repeats_a_url(service: RunningService, path: str) -> None:
    word = secrets.token_hex(12)
    for method in ("GET", "POST"):
        reply = service.call(method, path.replace("WORD", word) + f"?{word}", b"{}")
        assert 400 <= reply.status < 500
        assert "Location" not in reply.headers
        assert word not in repr(reply)


def test_expectations_are_met(service: RunningService) -> None:
    body = orjson.dumps(COMPLIANT)
    head = (
        f"POST {OPERATION} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
        "Expect: 100-continue\r\nConnection: close\r\n\r\n"
    )
    answer = service.send(head.encode() + body)
    assert b"HTTP/1.1 200 OK\r\n" in answer


def test_the_command_line_agrees_with_the_service(service: RunningService, tmp_path: Path) -> None:
    files = {"leaky.json": leaky(), "compliant.json": COMPLIANT}
    for name, document in files.items():
        (tmp_path / name).write_bytes(orjson.dumps(document))
    arguments = ["check", "--output", "json", "--environment", "prod", *(tmp_path / name for name in files)]
    asked = run_command(*arguments, "--server", service.url, environment=clean_environment())
    judged = run_command(*arguments, environment=clean_environment())
    assert [asked.returncode, judged.returncode] == [1, 1]
    assert _verdicts(asked.stdout) == _verdicts(judged.stdout)
    assert orjson.loads(asked.stdout)["summary"] == {
        "allowed": 1,
        "failOpen": 0,
        "denied": 1,
        "undecided": 0,
        "invalid": 0,
    }


def _verdicts(output: str) -> list[tuple[bool, Any]]:
    results = orjson.loads(output)["results"]
    return [(r["response"]["allowed"], r["response"]["status"].get("details")) for r in results]


def test_a_check_needs_a_service_that_answers(tmp_path: Path) -> None:
    (tmp_path / "compliant.json").write_bytes(orjson.dumps(COMPLIANT))
    done = run_command(
        "check", "--server", "http://127.0.0.1:1", tmp_path / "compliant.json", environment=clean_environment()
    )
    assert done.returncode == 3


def test_a_stopped_service_leaves_a_log_that_is_whole(tmp_path: Path) -> None:
    with run_service(tmp_path) as service:
        for _ in range(20):
            assert service.post(OPERATION, COMPLIANT).status == 200
        assert len(service.workers()) == 2
        assert service.stop() == 0
        done = service.verify_log()
        assert [done.returncode, done.stderr] == [0, ""]
        assert _ends(service.database) == [("node_start", "node_stop")] * 2
        assert b"Traceback" not in service.stderr.read_bytes()
        (data,) = [path for path in tmp_path.iterdir() if path.is_dir()]
        files = {"anchors", "decisions.sqlite3", "fingerprint.key", "sealer.key", "signing.key"}
        assert {path.name for path in data.iterdir()} == files
        assert data.stat().st_mode & 0o077 == 0


def test_what_a_service_wrote_is_sealed_and_anchored_to_its_last_word(tmp_path: Path) -> None:
    with run_service(tmp_path) as service:
        (sealer,) = service.sealers()
        wait_until(lambda: service.log_problems() == [] and any((service.data_dir / "anchors").iterdir()), "it seals")
        receipt = service.post(OPERATION, COMPLIANT).json["response"]["auditAnnotations"]["receipt"]
        assert service.stop() == 0
        assert not runs(sealer)
        (tmp_path / "receipts").write_text(receipt + "\n")
        done = run_command(
            "log", "verify", "--output", "json", "--receipts", tmp_path / "receipts", environment=service.environment
        )
        report = orjson.loads(done.stdout)
        assert [done.returncode, report["unsealed"], report["receipts"], report["notices"]] == [0, 0, 1, []]


def test_nobody_seals_where_a_setting_says_so(tmp_path: Path) -> None:
    with run_service(tmp_path, sealer="off") as service:
        assert service.post(OPERATION, COMPLIANT).status == 200
        assert service.sealers() == []


def _ends(database: Path) -> list[tuple[str, str]]:
    """The kinds of the first and last entry of each chain."""
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("SELECT writer, kind FROM entries ORDER BY writer, sequence").fetchall()
    chains: dict[str, list[str]] = {}
    for writer, kind in rows:
        chains.setdefault(writer, []).append(kind)
    return [(chain[0], chain[-1]) for chain in chains.values()]
