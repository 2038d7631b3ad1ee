"""How findings become one patch, and where there is none."""

from __future__ import annotations

from typing import Any

import jsonpatch
import pytest

from ecs_admission.catalogue import FIXES, Rule
from ecs_admission.model import Action, Finding, Fix, JSONObject, Place
from ecs_admission.remediate.mend import PLACEHOLDER, Case, mend
from ecs_admission.remediate.proposals import Setting

SETTING = Setting("prod", "111122223333", "eu-central-1", "web", None)
ARN = "arn:aws:ssm:eu-central-1:111122223333:parameter/prod/web"
CATALOGUE = {
    fix: Rule(fix, "t", "d", "w", "high", Action.DENY, "m", "r", "https://example.com", fix=fix)
    for fix in (*FIXES, "none")
}
ENVIRONMENT = "/containerDefinitions/0/environment"
OF_THE_CONTAINER = ("add-execution-role", "add-task-role", "set-not-essential")
"""Ways to mend that change nothing at the place of the finding itself."""


def document(**members: Any) -> JSONObject:
    container = {"name": "app", "image": "x", **members}
    return {"family": "web", "executionRoleArn": "role", "containerDefinitions": [container]}


def finding(fix: str, at: str, name: str | None = "DB_PASSWORD", field: str = "environment") -> Finding:
    return Finding(fix, at, Action.DENY, "high", Place("app", field, name), at=at)


def mended(
    value: JSONObject, *findings: Finding, references: tuple[JSONObject, ...] = (), defines: bool = True
) -> tuple[tuple[Fix | None, ...], JSONObject]:
    """The fixes, and the document after the patch of all of them."""
    fixes, patch = mend(findings, Case(value, SETTING, references, defines), CATALOGUE, str)
    return fixes, jsonpatch.apply_patch(value, list(patch))


def variables(*names: str) -> list[JSONObject]:
    return [{"name": name, "value": f"value of {name}"} for name in names]


def test_findings_are_mended_together_as_each_alone() -> None:
    value = document(environment=variables("A_PASSWORD", "PORT", "B_PASSWORD"))
    findings = [
        finding("move-to-secrets", f"{ENVIRONMENT}/{i}/value", f"{n}_PASSWORD") for i, n in ((0, "A"), (2, "B"))
    ]
    for order in (findings, findings[::-1]):
        _, patched = mended(value, *order)
        (app,) = patched["containerDefinitions"]
        assert app["environment"] == variables("PORT")
        assert {secret["name"]: secret["valueFrom"] for secret in app["secrets"]} == {
            "A_PASSWORD": f"{ARN}/A_PASSWORD",
            "B_PASSWORD": f"{ARN}/B_PASSWORD",
        }


def test_two_findings_about_one_literal_make_one_secret_of_it() -> None:
    value = document(environment=variables("DB_PASSWORD"))
    at = f"{ENVIRONMENT}/0/value"
    _, patched = mended(value, finding("move-to-secrets", at), finding("move-to-secrets", at))
    (app,) = patched["containerDefinitions"]
    assert (app["environment"], len(app["secrets"])) == ([], 1)


def test_a_name_that_has_a_secret_already_gets_no_second() -> None:
    own = {"name": "DB_PASSWORD", "valueFrom": "/own"}
    value = document(environment=variables("DB_PASSWORD"), secrets=[own])
    ((fix,), patched) = mended(value, finding("move-to-secrets", f"{ENVIRONMENT}/0/value"))
    assert patched["containerDefinitions"][0]["secrets"] == [own]
    assert fix is not None
    assert fix.left == ("DB_PASSWORD stands under secrets already: see that it is the right one",)
    assert fix.commands == ()


@pytest.mark.parametrize("name", ["<redacted-1>", None])
@pytest.mark.parametrize("fix", ["move-to-secrets", "move-to-secret-options", "move-reference-to-secrets"])
def test_a_name_that_is_not_shown_is_not_written(fix: str, name: str | None) -> None:
    value = document(environment=variables("x"))
    assert mended(value, finding(fix, f"{ENVIRONMENT}/0/value", name)) == ((None,), value)


@pytest.mark.parametrize("fix", [fix for fix in FIXES if fix not in OF_THE_CONTAINER])
def test_a_place_with_a_key_that_is_not_shown_is_left_to_a_person(fix: str) -> None:
    """A patch could not name it."""
    value = document(dockerLabels={"secret key": "x"})
    at = "/containerDefinitions/0/dockerLabels/<0>"
    assert mended(value, finding(fix, at, "<redacted-1>", "dockerLabel")) == ((None,), value)


def test_what_has_no_fix_changes_nothing() -> None:
    value = document(environment=variables("x"))
    assert mended(value, finding("none", f"{ENVIRONMENT}/0/value")) == ((None,), value)


def test_a_text_is_replaced_as_a_whole() -> None:
    """Its harmless rest, too: what is submitted is not repeated."""
    value = document(command=["serve", "--password=x --verbose"])
    ((fix,), patched) = mended(
        value, finding("replace-by-placeholder", "/containerDefinitions/0/command/1", "password", "command")
    )
    assert patched["containerDefinitions"][0]["command"] == ["serve", PLACEHOLDER]
    assert fix is not None
    assert fix.left == ("write the text at /containerDefinitions/0/command/1 again, without its secret",)


@pytest.mark.parametrize("defines", [True, False])
def test_a_role_is_added_only_where_a_task_definition_is_made(*, defines: bool) -> None:
    value = document(environment=variables("DB_PASSWORD"))
    del value["executionRoleArn"]
    _, patched = mended(value, finding("move-to-secrets", f"{ENVIRONMENT}/0/value"), defines=defines)
    role = "arn:aws:iam::111122223333:role/web-execution"
    assert patched.get("executionRoleArn") == (role if defines else None)


class TestRemovingFromTheEnvironment:
    def test_every_variable_of_the_name_goes(self) -> None:
        secrets = [{"name": "A", "valueFrom": "/a"}]
        value = document(environment=variables("A", "B", "A"), secrets=secrets)
        _, patched = mended(value, finding("remove-from-environment", "/containerDefinitions/0/secrets/0/name"))
        assert patched["containerDefinitions"][0] == value["containerDefinitions"][0] | {"environment": variables("B")}

    @pytest.mark.parametrize("secrets", [[{"valueFrom": "/a"}], [{"name": None}], []])
    def test_without_a_name_nothing_goes(self, secrets: list[JSONObject]) -> None:
        """Least of all the variables that have none either."""
        value = document(environment=[{"value": "x"}, *variables("A")], secrets=secrets)
        at = "/containerDefinitions/0/secrets/0/name"
        assert mended(value, finding("remove-from-environment", at)) == ((None,), value)


class TestReferences:
    AT = f"{ENVIRONMENT}/0/value"

    def reference(self, **parts: Any) -> JSONObject:
        return {"pointer": self.AT, "problem": None, "resource": "db", "field": "environment", **parts}

    def test_its_text_is_copied_by_place_and_not_repeated(self) -> None:
        value = document(environment=variables("DB_PASSWORD"))
        ((fix,), patched) = mended(value, finding("move-reference-to-secrets", self.AT), references=(self.reference(),))
        secret = {"name": "DB_PASSWORD", "valueFrom": "value of DB_PASSWORD"}
        assert patched["containerDefinitions"][0]["secrets"] == [secret]
        assert fix is not None
        assert {"op": "copy", "from": self.AT, "path": "/containerDefinitions/0/secrets/0/valueFrom"} in fix.patch
        assert "value of" not in repr(fix)

    @pytest.mark.parametrize("parts", [{"problem": "malformed-arn"}, {"resource": "<redacted-1>"}, {"pointer": "/x"}])
    def test_what_ecs_cannot_resolve_or_may_be_the_secret_itself_stays(self, parts: JSONObject) -> None:
        value = document(environment=variables("DB_PASSWORD"))
        found = finding("move-reference-to-secrets", self.AT)
        assert mended(value, found, references=(self.reference(**parts),)) == ((None,), value)


class TestSidecars:
    def value(self, *writers: JSONObject, depends: list[JSONObject] | None = None) -> JSONObject:
        reader = {"name": "app", "mountPoints": [{"sourceVolume": "s", "readOnly": True}]}
        others = [{"mountPoints": [{"sourceVolume": "s"}], **writer} for writer in writers]
        return {"containerDefinitions": [reader | ({"dependsOn": depends} if depends else {}), *others]}

    @pytest.mark.parametrize(
        ("writer", "condition"),
        [
            ({"name": "w", "essential": False}, "SUCCESS"),
            ({"name": "w", "image": "x/aws-secrets-manager-secret-sidecar:v0.1.4"}, "SUCCESS"),
            ({"name": "w", "healthCheck": {"command": ["x"]}}, "HEALTHY"),
        ],
    )
    def test_one_that_stays_is_healthy_and_one_that_ends_has_success(self, writer: JSONObject, condition: str) -> None:
        container = "/containerDefinitions/0"
        waits = [{"containerName": "w", "condition": condition}]
        _, missing = mended(self.value(writer), finding("wait-for-sidecar", f"{container}/dependsOn", None))
        start = self.value(writer, depends=[{"containerName": "w", "condition": "START"}])
        _, early = mended(start, finding("wait-for-sidecar", f"{container}/dependsOn/0/condition", None))
        for patched in (missing, early):
            app, other = patched["containerDefinitions"]
            assert app["dependsOn"] == waits
            # ECS refuses to wait for the success of an essential container.
            assert condition == "HEALTHY" or other["essential"] is False

    def test_an_essential_container_that_may_stay_is_left_to_a_person(self) -> None:
        value = self.value({"name": "w"})
        assert mended(value, finding("wait-for-sidecar", "/containerDefinitions/0/dependsOn", None)) == ((None,), value)
        assert mended(value, finding("set-not-essential", "/containerDefinitions/1/essential", None)) == (
            (None,),
            value,
        )

    def test_some_container_stays_essential(self) -> None:
        value = self.value({"name": "w", "image": "x/aws-secrets-manager-secret-sidecar:v0.1.4"})
        value["containerDefinitions"][0]["essential"] = False
        assert mended(value, finding("set-not-essential", "/containerDefinitions/1/essential", None)) == (
            (None,),
            value,
        )

    @pytest.mark.parametrize("writers", [[], [{"name": "a"}, {"name": "b"}]])
    def test_where_it_is_not_clear_who_writes_a_person_decides(self, writers: list[JSONObject]) -> None:
        value = self.value(*writers)
        assert mended(value, finding("wait-for-sidecar", "/containerDefinitions/0", None)) == ((None,), value)
