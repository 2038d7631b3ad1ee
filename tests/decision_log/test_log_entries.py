from __future__ import annotations

import hashlib
import subprocess
import sys
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_admission.decision_log.certificates import Writer, certified_key, has_signed_entry
from ecs_admission.decision_log.chain import NO_PREVIOUS, Head, entry_hash, seal, seal_all
from ecs_admission.decision_log.entries import (
    MAX_DETAIL_CHARACTERS,
    MAX_ENTRY_BYTES,
    EntryDraft,
    build_event_draft,
    build_node_draft,
    canonical_bytes,
)
from ecs_admission.errors import RecordUnavailableError
from ecs_admission.model import Action, Decision, DeployContext, Finding, Notice, Outcome, Place, UserInfo

from .conftest import DENIED, LOG_KEY, make_draft, make_node_draft

WRITER = Writer.certified("writer-1", time_us=1, log_key=LOG_KEY)
LONGEST = Writer.certified("w" * 64, time_us=1, log_key=LOG_KEY)
FARTHEST = Head(2**53 - 1, NO_PREVIOUS)


def finding(number: int, *, action: Action = Action.WARN, name: str = "NAME") -> Finding:
    place = Place(container="web", field="environment", name=name)
    return Finding("plaintext/environment", f"/containerDefinitions/0/{number}", action, "high", place)


def decision(findings: list[Finding], notices: list[Notice] | None = None) -> Decision:
    return Decision(Outcome.DENIED, "NonCompliant", "m", findings=tuple(findings), notices=tuple(notices or ()))


def test_a_draft_says_who_asked_for_what_and_how_it_was_judged() -> None:
    document = make_draft(decision_id="id-1", time_us=7, context=DeployContext(environment="prod", run="12")).document

    assert document == {
        "kind": "decision",
        "id": "id-1",
        "time": 7,
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "operation": "RegisterTaskDefinition",
            "enforcementPoint": "api",
            "dryRun": False,
            "family": "web",
            "context": {
                "environment": "prod",
                "account": None,
                "region": None,
                "cluster": None,
                "service": None,
                "actor": None,
                "repository": None,
                "commit": None,
                "run": "12",
                "ticket": None,
                "now": 1_790_000_000,
            },
        },
        "caller": {"username": "system:anonymous", "groups": ["system:unauthenticated"]},
        "policy": {"engine": "embedded", "revision": "r" * 64},
        "outcome": "denied",
        "reason": "NonCompliant",
        "findings": [
            {
                "rule": "plaintext/environment",
                "pointer": "/containerDefinitions/0/environment/0/value",
                "action": "deny",
                "severity": "high",
                "field": "environment",
                "container": "web",
                "name": "DB_PASSWORD",
                "variant": None,
                "exception": None,
                "controls": ["ECS.8"],
            }
        ],
        "findingsTruncated": 0,
        "notices": [{"code": "unknown-field", "pointer": "/<0>"}],
        "noticesTruncated": 0,
        "error": {"code": "too-many", "pointer": "/containerDefinitions"},
        "timings": {"adapt": 41, "evaluate": 502},
        "body": hashlib.sha256(b'{"request":{},"object":{}}').hexdigest(),
        "inventory": None,
        "details": {},
        "detailsTruncated": 0,
    }


def test_messages_are_not_kept() -> None:
    assert b"prose" not in canonical_bytes(make_draft(DENIED).document)


def test_a_request_too_broken_to_have_an_operation_is_kept_as_well() -> None:
    broken = Decision(Outcome.INVALID, "InvalidRequest", "m", error_code="duplicate-key", status=422)

    document = make_draft(broken, uid=None, operation=None, family=None, engine=None, revision=None, body=None).document

    assert document["request"]["operation"] is None
    assert document["error"] == {"code": "duplicate-key", "pointer": None}
    assert document["body"] is None


def test_a_node_entry_has_the_keys_of_a_decision() -> None:
    assert make_node_draft().document.keys() == make_draft().document.keys()


def test_a_node_that_starts_says_what_its_policies_soften() -> None:
    draft = build_node_draft(
        "node_start", entry_id="n", time_us=1, engine="embedded", revision="r", weakened=["rule x is gone"],
        exceptions=["legacy-7"],
        authentication="required",
        keys={"signingKey": "k1"},
    )  # fmt: skip
    assert draft.document["details"] == {
        "weakened": ["rule x is gone"],
        "exceptions": ["legacy-7"],
        "authentication": "required",
        "signingKey": "k1",
    }


def event(details: dict[str, Any], user: UserInfo | None = None, kind: str = "log_read") -> EntryDraft:
    return build_event_draft(kind, entry_id="e", time_us=1, user=user, details=details)


def test_an_event_says_who_did_what() -> None:
    details = {"query": "outcome=denied", "count": 3, "whole": True, "until": None, "rules": ["a/b", "c/d"]}
    draft = event(details, UserInfo("token:audit", ("auditor",)))

    assert (draft.kind, draft.document["kind"], draft.body) == ("log_read", "log_read", None)
    assert draft.document["caller"] == {"username": "token:audit", "groups": ["auditor"]}
    assert draft.document["details"] == details
    assert draft.document.keys() == make_draft().document.keys()
    assert seal(draft, WRITER, Head()).document["details"] == details


@pytest.mark.parametrize(
    "details",
    [
        *({"a": value} for value in (1.5, b"", {}, {"b": 1}, ("x",), [1], [["x"]], [None], Outcome.DENIED)),
        *({name: 1} for name in ("", "A", "a b", "ä", "a" * 41)),
    ],
)  # fmt: skip
def test_details_are_flat(details: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="detail"):
        event(details)


def test_a_kind_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="no kind of entry"):
        event({}, kind="decision")


def test_what_is_too_long_for_an_entry_is_cut_and_counted() -> None:
    draft = event({"reason": "x" * 9_000, "weakened": ["y" * 9_000] * 50, "others": ["z"] * 9, "name": "\udc80"})

    details = draft.document["details"]
    assert len(details["reason"]) == len(details["weakened"][0]) == MAX_DETAIL_CHARACTERS
    assert details["reason"].endswith("x…")
    assert details["name"] == "?"
    assert draft.document["detailsTruncated"] == 50 - len(details["weakened"]) + 9 - len(details["others"]) > 0
    assert MAX_ENTRY_BYTES - 3_000 < len(seal(draft, LONGEST, FARTHEST).content) <= MAX_ENTRY_BYTES


def test_an_event_that_fits_only_without_its_caller_is_refused() -> None:
    with pytest.raises(RecordUnavailableError):
        event({}, UserInfo("x" * MAX_ENTRY_BYTES))


def test_canonical_bytes_sort_keys_and_hold_no_blanks() -> None:
    assert (
        canonical_bytes({"b": [1, None], "a": {"d": "ü", "c": True}})
        == '{"a":{"c":true,"d":"ü"},"b":[1,null]}'.encode()
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"timings_us": {"adapt": 0.5}},
        {"timings_us": {"adapt": 2**53}},
        {"timings_us": {"ädapt": 1}},
        {"timings_us": {1: 1}},
        {"family": "\ud800"},
        {"family": Outcome.DENIED},
        {"now": 1.5},
        {"user": UserInfo("x" * MAX_ENTRY_BYTES)},
    ],
)
def test_a_value_without_canonical_form_or_room_is_refused_without_being_shown(changes: dict[str, Any]) -> None:
    with pytest.raises(RecordUnavailableError) as caught:
        make_draft(**changes)

    assert "xxx" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_findings_are_cut_to_fit_and_the_denials_are_kept() -> None:
    findings = [finding(number) for number in range(600)] + [finding(600, action=Action.DENY)]

    document = make_draft(decision(findings)).document
    entry = seal(make_draft(decision(findings)), LONGEST, FARTHEST)

    assert document["findings"][0]["action"] == "deny"
    assert 0 < document["findingsTruncated"] == 601 - len(document["findings"])
    assert MAX_ENTRY_BYTES - 1_000 < len(entry.content) <= MAX_ENTRY_BYTES


def test_notices_are_cut_before_findings() -> None:
    notices = [Notice("unknown-field", "m", f"/{'x' * 100}/<{number}>") for number in range(2_000)]

    document = make_draft(decision([finding(1)], notices)).document

    assert len(document["findings"]) == 1
    assert document["noticesTruncated"] == 2_000 - len(document["notices"]) > 0


@given(st.lists(st.integers(0, 9_000), max_size=30), st.lists(st.integers(0, 9_000), max_size=30))
def test_no_entry_is_larger_than_the_cap(names: list[int], pointers: list[int]) -> None:
    findings = [finding(1, name="n" * length) for length in names]
    notices = [Notice("unknown-field", "m", "p" * length) for length in pointers]

    draft = make_draft(decision(findings, notices))

    assert len(seal(draft, LONGEST, FARTHEST).content) <= MAX_ENTRY_BYTES
    assert len(draft.document["findings"]) + draft.document["findingsTruncated"] == len(findings)
    assert len(draft.document["notices"]) + draft.document["noticesTruncated"] == len(notices)


def test_a_sealed_entry_names_its_place_inside_the_bytes_that_are_hashed() -> None:
    entry = seal(make_draft(), WRITER, Head(3, "a" * 64))

    document = orjson.loads(entry.content)
    assert {key: document[key] for key in ("v", "writer", "sequence", "previous")} == {
        "v": 1,
        "writer": "writer-1",
        "sequence": 3,
        "previous": "a" * 64,
    }
    assert document == entry.document
    assert entry.hash == hashlib.sha256(b"\x00" + entry.content).hexdigest() == entry_hash(entry.content)


def test_a_sealed_entry_is_signed_by_its_writer_and_no_other() -> None:
    entry = seal(make_draft(), WRITER, Head())
    key, other = (
        certified_key(writer.certificate, {LOG_KEY.public.id: LOG_KEY.public}) for writer in (WRITER, LONGEST)
    )

    assert key is not None
    assert other is not None
    assert has_signed_entry(key, entry.hash, entry.signature)
    assert not has_signed_entry(other, entry.hash, entry.signature)
    assert not has_signed_entry(key, entry_hash(b"other"), entry.signature)


def test_several_drafts_are_chained_in_their_order() -> None:
    drafts = [make_draft() for _ in range(3)]

    entries, head = seal_all(drafts, WRITER, Head())

    assert [entry.document["id"] for entry in entries] == [draft.id for draft in drafts]
    assert [entry.document["previous"] for entry in entries] == [NO_PREVIOUS, entries[0].hash, entries[1].hash]
    assert head == Head(next_sequence=3, hash=entries[2].hash)


@pytest.mark.parametrize("module", ["entries", "chain", "durability"])
def test_the_pure_modules_load_without_sqlalchemy(module: str) -> None:
    code = f"import sys, ecs_admission.decision_log.{module}; sys.exit('sqlalchemy' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
