"""The file of who may do what: what it grants, and what it may not say."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from ecs_admission.auth.bindings import Grant, Scope
from ecs_admission.auth.roles import Role
from ecs_admission.auth.rules import AuthRules, load_rules, read_rules
from ecs_admission.errors import SettingsError

GITHUB = "https://token.actions.githubusercontent.com"
AWS = "https://aws.example.com"

FILE = f"""
[[issuer]]
issuer = "{GITHUB}"
audience = "https://admission.example.com"
jwks_uri = "{GITHUB}/.well-known/jwks"

[[issuer]]
issuer = "{AWS}"
audience = "https://admission.example.com"
jwks_file = "aws.json"

[[binding]]
issuer = "{GITHUB}"
claims = {{ repository_id = "4711", ref = ["refs/heads/main", "refs/heads/release"] }}
roles = ["submitter"]
families = ["web"]

[[binding]]
issuer = "{GITHUB}"
claims = {{ repository_id = "4711" }}
roles = ["author"]

[[binding]]
issuer = "{AWS}"
claims.sub = "arn:aws:iam::111122223333:role/ci"
claims."https://sts.amazonaws.com/".aws_account = "111122223333"
roles = ["submitter"]

[[binding]]
certificate = "CN=ci"
roles = ["submitter"]
accounts = ["111122223333"]

[[binding]]
certificate = "CN=ci"
roles = ["author"]
"""


def rules(text: str = FILE) -> AuthRules:
    return read_rules(tomllib.loads(text), folder=Path("/etc/admission"))


def roles(issuer: str, **claims: Any) -> set[Role]:
    return {role for grant in rules().grants(issuer, claims) for role in grant.roles}


def test_what_is_granted_is_what_every_claim_agrees_with() -> None:
    assert roles(GITHUB, repository_id="4711", ref="refs/heads/main") == {Role.SUBMITTER, Role.AUTHOR}
    assert roles(GITHUB, repository_id="4711", ref="refs/heads/release") == {Role.SUBMITTER, Role.AUTHOR}
    assert roles(GITHUB, repository_id="4711", ref="refs/heads/mai") == {Role.AUTHOR}
    assert roles(GITHUB, repository_id="4711") == {Role.AUTHOR}
    assert roles(GITHUB, repository_id=4711) == {Role.AUTHOR}
    assert roles(GITHUB, repository_id="47110", ref="refs/heads/main") == set()
    assert roles(AWS, repository_id="4711", ref="refs/heads/main") == set()


@pytest.mark.parametrize("value", [None, ["4711"], {"4711": 1}, 4711.0, True, ""])
def test_a_claim_of_another_form_agrees_with_nothing(value: Any) -> None:
    assert roles(GITHUB, repository_id=value) == set()


def test_claims_may_lie_inside_others() -> None:
    subject = "arn:aws:iam::111122223333:role/ci"
    assert roles(AWS, sub=subject, **{"https://sts.amazonaws.com/": {"aws_account": "111122223333"}}) == {
        Role.SUBMITTER
    }
    assert roles(AWS, sub=subject, **{"https://sts.amazonaws.com/": {"aws_account": "444455556666"}}) == set()
    assert roles(AWS, sub=subject, **{"https://sts.amazonaws.com/": "111122223333"}) == set()
    assert roles(AWS, sub=subject) == set()


def test_a_certificate_has_all_that_its_bindings_grant() -> None:
    assert rules().certificates == {
        "CN=ci": (
            Grant(frozenset({Role.SUBMITTER}), Scope(accounts=("111122223333",))),
            Grant(frozenset({Role.AUTHOR})),
        )
    }


def test_keys_lie_beside_the_file() -> None:
    assert [issuer.jwks_file for issuer in rules().issuers] == [None, Path("/etc/admission/aws.json")]


ISSUER = '[[issuer]]\nissuer = "i"\naudience = "a"\njwks_uri = "https://i"\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('x = 1', "the file has no x"),
        ('[issuer]\nissuer = "i"', r"write \[\[issuer\]\]"),
        ('[[issuer]]\nissuer = "i"\njwks_uri = "https://i"', "an issuer needs audience"),
        ('[[issuer]]\nissuer = "i"\naudience = "a"', "either jwks_uri or jwks_file"),
        (ISSUER + 'jwks_file = "x"', "either jwks_uri or jwks_file"),
        (ISSUER + 'secret = "x"', "an issuer has no secret"),
        (ISSUER + ISSUER, "stands there twice"),
        ('[[binding]]\nissuer = "i"\nclaims = {a = "b"}\nroles = ["author"]', "does not have"),
        (ISSUER + '[[binding]]\nissuer = "i"\nroles = ["author"]', "claims of a binding must be a table"),
        (ISSUER + '[[binding]]\nissuer = "i"\nclaims = {}\nroles = ["author"]', "everybody with a token"),
        (ISSUER + '[[binding]]\nissuer = "i"\nclaims = {a = {}}\nroles = ["author"]', "everybody with a token"),
        (ISSUER + '[[binding]]\nissuer = "i"\nclaims = {a = []}\nroles = ["author"]', "a text or a list of texts"),
        (ISSUER + '[[binding]]\nissuer = "i"\nclaims = {a = 1}\nroles = ["author"]', "a text or a list of texts"),
        (ISSUER + '[[binding]]\nissuer = "i"\nclaims = {a = "b"}', "needs roles"),
        (ISSUER + '[[binding]]\nissuer = "i"\nclaims = {a = "b"}\nroles = []', "needs roles"),
        (ISSUER + '[[binding]]\nissuer = "i"\nclaims = {a = "b"}\nroles = ["root"]', "needs roles"),
        (ISSUER + '[[binding]]\nissuer = "i"\nclaims = {a = "b"}\nroles = "author"', "needs roles"),
        ('[[binding]]\ncertificate = ""\nroles = ["author"]', "needs certificate"),
        ('[[binding]]\ncertificate = "c"\nclaims = {a = "b"}\nroles = ["author"]', "has no claims"),
        ('[[binding]]\ncertificate = "c"\nroles = ["author"]\nclusters = ["x"]', "has no clusters"),
        *(
            (f'[[binding]]\ncertificate = "c"\nroles = ["author"]\n{limit}', "of a binding")
            for limit in ('accounts = []', 'accounts = "1"', 'accounts = [1]', 'accounts = [""]', 'accounts = ["1*"]',
                          'families = ["*"]', 'families = ["a*b"]', 'families = ["a\\nb"]')
        ),
    ],
)  # fmt: skip
def test_what_could_mean_something_else_is_an_error(text: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        rules(text)


@pytest.mark.parametrize(
    ("issuer", "claims"),
    [(GITHUB, '{repository = "example/web"}'), (GITHUB, '{sub = "repo:example/web"}'),
     ("https://gitlab.com", '{project_path = "example/web"}')],
)  # fmt: skip
def test_a_name_that_can_change_hands_is_not_enough(issuer: str, claims: str) -> None:
    text = (
        f'[[issuer]]\nissuer = "{issuer}"\naudience = "a"\njwks_uri = "https://i"\n'
        f'[[binding]]\nissuer = "{issuer}"\nclaims = {claims}\nroles = ["author"]'
    )
    with pytest.raises(SettingsError, match="names can change hands"):
        rules(text)


def test_the_file_is_named_where_it_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "auth.toml"
    with pytest.raises(SettingsError, match=r"auth\.toml cannot be read"):
        load_rules(path)
    path.write_text("[[")
    with pytest.raises(SettingsError, match=r"auth\.toml is not TOML"):
        load_rules(path)
    path.write_text("x = 1")
    with pytest.raises(SettingsError, match=r"auth\.toml: the file has no x"):
        load_rules(path)
    path.write_text("")
    assert load_rules(path) == AuthRules()


def test_the_examples_of_the_guide_are_valid() -> None:
    page = (Path(__file__).parents[2] / "docs/how-to/authenticate.md").read_text()
    blocks = [block.partition("```")[0] for block in page.split("```toml\n")[1:]]
    read = rules("\n".join(blocks))
    assert len(read.issuers) == 4
    assert len(read.bindings) >= 4
    assert read.certificates
