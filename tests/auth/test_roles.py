"""What each role may do is what the reference says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ecs_admission.auth.bindings import ANONYMOUS, Grant, Principal, Scope
from ecs_admission.auth.roles import PERMISSIONS, Permission, Role, roles_with
from ecs_admission.errors import ForbiddenError
from ecs_admission.http.auth import ENDPOINTS, OPEN
from ecs_admission.http.openapi import description
from ecs_admission.model import DeployContext

PAGE = (Path(__file__).parents[2] / "docs/reference/roles.md").read_text()


def rows() -> list[list[str]]:
    lines = [line for line in PAGE.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if not line.startswith("|---")]


def test_the_page_says_what_each_role_may_do() -> None:
    head, *table = rows()
    assert head[1:5] == [role.value for role in Role]
    documented = {row[0].strip("`"): {role for role, cell in zip(Role, row[1:5], strict=True) if cell} for row in table}
    assert documented == {permission.value: set(roles_with(permission)) for permission in Permission}


def test_the_page_names_every_endpoint_by_what_it_needs() -> None:
    documented = {row[0].strip("`"): set(re.findall(r"`(?:GET|POST) (/[^`]+)`", row[5])) for row in rows()[1:]}
    submit, read = documented["submit"], documented["read-decisions"]
    closed = {path for path in description()["paths"] if path.startswith("/v1/")}
    others = documented["look-up-fingerprints"] | documented["export"] | documented["read-policies"]
    assert closed == submit | read | others
    assert len(submit | read | others) == sum(needed != OPEN for needed in ENDPOINTS.values())


def test_an_auditor_submits_nothing_and_an_author_reads_no_fingerprint() -> None:
    assert Permission.SUBMIT not in PERMISSIONS[Role.AUDITOR]
    assert Permission.LOOK_UP_FINGERPRINTS not in PERMISSIONS[Role.AUTHOR]
    assert PERMISSIONS[Role.SUBMITTER] == {Permission.SUBMIT}


def test_nobody_may_do_anything_without_a_grant() -> None:
    nobody = Principal.known("x", ())
    assert not any(nobody.may(permission) for permission in Permission)
    assert nobody.scopes(Permission.READ_DECISIONS) == ()
    with pytest.raises(ForbiddenError):
        nobody.permit(DeployContext(), "web")


def test_everybody_may_do_everything_where_nobody_is_asked() -> None:
    assert all(ANONYMOUS.may(permission) for permission in Permission)
    ANONYMOUS.permit(DeployContext(), None)


def test_any_of_several_bindings_is_enough() -> None:
    grants = [Grant(frozenset({Role.SUBMITTER}), Scope(families=(family,))) for family in ("web", "pay-*")]
    principal = Principal.known("x", grants)
    principal.permit(DeployContext(), "pay-1")
    with pytest.raises(ForbiddenError, match="cover the family of this"):
        principal.permit(DeployContext(), "other")
    with pytest.raises(ForbiddenError, match="or the request does not say it"):
        principal.permit(DeployContext(), None)
