"""Which facts a request needs: one for each reference and for each role that its tasks would have."""

from __future__ import annotations

from ecs_admission.enrich.inventory import NoInventory, enrich


def subjects(shown: dict[str, object], *pointers: str) -> list[tuple[object, object]]:
    facts = enrich(NoInventory(), [{"pointer": pointer} for pointer in pointers], shown)
    assert {fact["status"] for fact in facts} <= {"unknown"}
    return [(fact["kind"], fact["pointer"]) for fact in facts]


def test_references_come_first_and_then_the_roles() -> None:
    shown = {"taskRoleArn": "a", "executionRoleArn": "b", "family": "web"}
    assert subjects(shown, "/x", "/y") == [
        ("reference", "/x"),
        ("reference", "/y"),
        ("role", "/executionRoleArn"),
        ("role", "/taskRoleArn"),
    ]


def test_an_override_of_a_role_is_a_role() -> None:
    shown = {"overrides": {"taskRoleArn": "a", "cpu": "256"}, "taskDefinition": "web:7"}
    assert subjects(shown) == [("role", "/overrides/taskRoleArn")]


def test_the_role_that_express_mode_builds_with_is_one() -> None:
    assert subjects({"infrastructureRoleArn": "a"}) == [("role", "/infrastructureRoleArn")]


def test_a_request_without_either_needs_no_fact() -> None:
    assert subjects({"overrides": "<redacted>", "cluster": "main"}) == []
