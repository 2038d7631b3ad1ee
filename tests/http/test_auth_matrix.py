"""Every endpoint, by every role and every kind of bad credential: what is answered, recorded and never repeated."""

from __future__ import annotations

import json
import re
import secrets
import string
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from ecs_admission.auth.attempts import LIMIT, Attempts
from ecs_admission.auth.authenticator import Authenticator
from ecs_admission.auth.bindings import Grant, Principal, Scope
from ecs_admission.auth.jwks import KeySource, fetch_from
from ecs_admission.auth.oidc import Issuer, TokenVerifier
from ecs_admission.auth.proxies import TrustedProxies
from ecs_admission.auth.roles import PERMISSIONS, Permission, Role
from ecs_admission.auth.rules import read_rules
from ecs_admission.auth.tokens import Pepper, TokenRecord, make_token
from ecs_admission.decision_log.store import DecisionLog
from ecs_admission.decision_log.token_store import TokenReader, TokenWriter
from ecs_admission.enrich.inventory import NoInventory
from ecs_admission.http import create_flask
from ecs_admission.http.auth import ENDPOINTS, OPEN, Access
from ecs_admission.model import Refusal, Standing, new_decision_id
from ecs_admission.project.fingerprints import ephemeral_key
from ecs_admission.review import Reviewer
from ecs_admission.revision import Revision
from tests.auth.issuers import (
    AUDIENCE,
    ISSUER,
    KeyServer,
    claims,
    ec_key,
    rsa_key,
    serving_keys,
    sign,
    signed_with_the_public_key,
    tampered,
    unsigned,
)
from tests.http.conftest import COMPLIANT, SERVED, leaky
from tests.http.test_openapi import check

PROBLEM = "application/problem+json"
DAY_US = 86_400 * 1_000_000
CERTIFICATE = "CN=deployer,O=Example"
CERTIFICATE_HEADER = "X-Client-Subject"


@dataclass(frozen=True)
class Call:
    """A request to an endpoint that somebody who may make it gets `status` for."""

    method: str
    path: str
    body: Any = None
    status: int = 200


REVIEW = {
    "apiVersion": "admission.k8s.io/v1",
    "kind": "AdmissionReview",
    "request": {"uid": "u", "operation": "RegisterTaskDefinition", "object": COMPLIANT},
}
CALLS: dict[str, Call] = {
    "admission.operations": Call("POST", "/v1/operations/RegisterTaskDefinition?environment=prod", COMPLIANT),
    "admission.reviews": Call("POST", "/v1/admission/reviews", REVIEW),
    "bundles.policies": Call("GET", "/v1/bundles/policies.tar.gz"),
    "bundles.signed_policies": Call("GET", "/v1/bundles/signed/policies.tar.gz"),
    "decisions.list_decisions": Call("GET", "/v1/decisions"),
    "decisions.show_decision": Call("GET", "/v1/decisions/nothing", status=404),
    "decisions.count_decisions": Call("GET", "/v1/statistics"),
    "exports.export": Call("GET", "/v1/decisions:export"),
    "fingerprints.lookup": Call("POST", "/v1/fingerprints:lookup", {"value": "seen-nowhere"}),
    "health.healthz": Call("GET", "/healthz"),
    "health.readyz": Call("GET", "/readyz"),
    "openapi.openapi": Call("GET", "/openapi.json"),
}
CLOSED = sorted(name for name, needed in ENDPOINTS.items() if needed != OPEN)


class World:
    """A service that asks for credentials, and everybody who could have one."""

    def __init__(self, log: DecisionLog, revision: Revision, url: str, keys: KeyServer) -> None:
        self.log = log
        self.revision = revision
        self.pepper = Pepper(b"p" * 32)
        self.keys = keys
        self.writer = TokenWriter(url, timeout_seconds=5)
        self.rules = read_rules(
            {
                "issuer": [{"issuer": ISSUER, "audience": AUDIENCE, "jwks_uri": keys.url}],
                "binding": [
                    *(
                        {
                            "issuer": ISSUER,
                            "claims": {"repository_id": "4711", "role": role.value},
                            "roles": [role.value],
                        }
                        for role in Role
                    ),
                    {"certificate": CERTIFICATE, "roles": ["submitter"]},
                ],
            },
            folder=Path("/"),
        )
        issuer = Issuer(ISSUER, AUDIENCE, KeySource(fetch_from(keys.url)))
        self.attempts = Attempts()
        self.authenticator = Authenticator(
            find_token=TokenReader(log.reader.connect, self.pepper).find,
            verify=TokenVerifier([issuer]).verify,
            rules=self.rules,
            proxies=TrustedProxies.read("127.0.0.1, 10.0.0.0/8", CERTIFICATE_HEADER),
            attempts=self.attempts,
        )
        self.access = Access(
            authenticator=self.authenticator, recorder=lambda draft: log.append(draft, deadline_seconds=5)
        )
        reviewer = Reviewer(
            revision,
            inventory=NoInventory(),
            recorder=lambda draft: log.append(draft, deadline_seconds=5),
            on_error=_raise,
        )
        self.client: FlaskClient = create_flask(
            reviewer,
            log.reader,
            access=self.access,
            fingerprint_keys=[ephemeral_key()],
            standing=lambda: Standing(refused=Refusal("policies/x.rego is broken", 1)),
            served=lambda: SERVED,
        ).test_client()

    def of_two_grants(self, *grants: Grant) -> FlaskClient:
        """A client of somebody who is one thing here and another there."""
        authenticator = Authenticator(
            find_token=lambda _: None,
            rules=self.rules,
            proxies=TrustedProxies.read("", None),
        )
        authenticator.authenticate = lambda _: Principal.known("ada", grants)  # type: ignore[method-assign]
        access = Access(authenticator=authenticator, recorder=lambda draft: self.log.append(draft, deadline_seconds=5))
        return _client(self.log, self.revision, access)

    def token(self, *roles: Role, scope: Scope | None = None, expires_us: int = DAY_US, revoked: bool = False) -> str:
        """A token in the database."""
        token, now = make_token(), time.time_ns() // 1000
        record = TokenRecord(
            id=new_decision_id(),
            name="ci",
            digest=self.pepper.digest(token),
            created=now,
            expires=now + expires_us,
            grant=Grant(frozenset(roles), scope or Scope()),
        )
        self.writer.add(record, self.pepper)
        if revoked:
            assert self.writer.revoke(record.id, time_us=now)
        return token

    def jwt(self, *roles: Role, **changes: Any) -> str:
        """A token of the issuer."""
        return sign(claims(role=roles[0].value, **changes), rsa_key("one"))

    def call(self, endpoint: str, credential: str | None, **headers: str) -> TestResponse:
        call = CALLS[endpoint]
        given = headers if credential is None else {"Authorization": f"Bearer {credential}", **headers}
        return self.client.open(
            call.path, method=call.method, json=call.body, headers={k.replace("_", "-"): v for k, v in given.items()}
        )

    def entries(self, kind: str) -> list[dict[str, Any]]:
        return self.log.reader.list_entries(kind=kind).items


def _raise(error: Exception) -> None:
    raise error


@pytest.fixture(scope="session")
def keys() -> Iterator[KeyServer]:
    with serving_keys(rsa_key("one"), ec_key("two")) as served:
        yield served


@pytest.fixture
def world(log: DecisionLog, revision: Revision, tmp_path: Path, keys: KeyServer) -> World:
    return World(log, revision, f"sqlite:///{tmp_path / 'decisions.sqlite3'}", keys)


def refused(answer: TestResponse, status: int, code: str) -> None:
    document = answer.get_json()
    assert [answer.status_code, answer.content_type, document["code"]] == [status, PROBLEM, code]
    assert [document["type"], document["status"]] == ["about:blank", status]
    assert answer.headers["Cache-Control"] == "no-store"


def test_every_endpoint_says_whom_it_is_for(world: World) -> None:
    served = {rule.endpoint for rule in world.client.application.url_map.iter_rules()}
    assert served == set(ENDPOINTS) == set(CALLS)


@pytest.mark.parametrize("kind", ["token", "jwt"])
@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("endpoint", sorted(CALLS))
def test_a_role_reaches_its_endpoints_and_no_other(world: World, endpoint: str, role: Role, kind: str) -> None:
    credential = world.token(role) if kind == "token" else world.jwt(role)
    answer = world.call(endpoint, credential)
    needed = ENDPOINTS[endpoint]
    if needed == OPEN or (isinstance(needed, Permission) and needed in PERMISSIONS[role]):
        assert answer.status_code == CALLS[endpoint].status
        assert world.entries("access_refuse") == []
        return
    refused(answer, 403, "role")
    (entry,) = world.entries("access_refuse")
    assert entry["caller"]["groups"] == ["system:authenticated", role.value]
    assert entry["details"]["endpoint"] == endpoint
    assert role.value not in entry["details"]["roles"]


ALL = tuple(Role)
BAD: dict[str, tuple[Callable[[World], str | None], str]] = {
    "missing": (lambda _: None, "no-credential"),
    "unknown token": (lambda _: make_token(), "unknown-token"),
    "cut token": (lambda world: world.token(*ALL)[:-1], "unknown-token"),
    "mistyped token": (lambda world: _swapped(world.token(*ALL)), "unknown-token"),
    "expired token": (lambda world: world.token(*ALL, expires_us=-1), "expired"),
    "revoked token": (lambda world: world.token(*ALL, revoked=True), "revoked"),
    "token of another key": (lambda world: _of_another_key(world), "unknown-token"),
    "nonsense": (lambda _: "x", "malformed"),
    "expired": (lambda world: world.jwt(Role.AUDITOR, exp=int(time.time()) - 60), "expired"),
    "not yet": (lambda world: world.jwt(Role.AUDITOR, nbf=int(time.time()) + 600), "not-yet"),
    "no exp": (lambda world: world.jwt(Role.AUDITOR, exp=None), "no-expiry"),
    "exp that is none": (lambda world: world.jwt(Role.AUDITOR, exp="tomorrow"), "malformed"),
    "wrong audience": (lambda world: world.jwt(Role.AUDITOR, aud="https://other.example.com"), "wrong-audience"),
    "no audience": (lambda world: world.jwt(Role.AUDITOR, aud=None), "wrong-audience"),
    "wrong issuer": (lambda world: world.jwt(Role.AUDITOR, iss="https://issuer.example.com/"), "wrong-issuer"),
    "no issuer": (lambda world: world.jwt(Role.AUDITOR, iss=None), "wrong-issuer"),
    "no subject": (lambda world: world.jwt(Role.AUDITOR, sub=None), "no-subject"),
    "alg none": (lambda _: unsigned(claims(role="auditor")), "wrong-algorithm"),
    "alg None": (lambda _: unsigned(claims(role="auditor"), alg="None"), "wrong-algorithm"),
    "HS256 with the public key": (
        lambda _: signed_with_the_public_key(claims(role="auditor"), rsa_key("one")),
        "wrong-algorithm",
    ),
    "another key of the same name": (
        lambda _: sign(claims(role="auditor"), rsa_key("forged"), kid="one"),
        "bad-signature",
    ),
    "a key that is not the issuer's": (lambda _: sign(claims(role="auditor"), rsa_key("other")), "unknown-key"),
    "no key named, of two": (lambda _: sign(claims(role="auditor"), rsa_key("one"), kid=None), "unknown-key"),
    "key of another kind": (
        lambda _: sign(claims(role="auditor"), ec_key("x"), algorithm="ES256", kid="one"),
        "bad-signature",
    ),
    "other claims": (lambda world: tampered(world.jwt(Role.SUBMITTER), role="auditor"), "bad-signature"),
    "another repository": (lambda world: world.jwt(Role.AUDITOR, repository_id="4712"), "no-binding"),
    "no role that is bound": (lambda _: sign(claims(), rsa_key("one")), "no-binding"),
}  # fmt: skip


def _swapped(token: str) -> str:
    last = "a" if token[-1] != "a" else "b"
    return token[:-1] + last


def _of_another_key(world: World) -> str:
    """A token whose row somebody made who may insert, and has not the key."""
    token, now = make_token(), time.time_ns() // 1000
    record = TokenRecord(
        id=new_decision_id(),
        name="ci",
        digest=world.pepper.digest(token),
        created=now,
        expires=now + DAY_US,
        grant=Grant(frozenset(ALL)),
    )
    world.writer.add(record, Pepper(b"q" * 32))
    return token


@pytest.mark.parametrize("name", sorted(BAD))
@pytest.mark.parametrize("endpoint", CLOSED)
def test_a_bad_credential_reaches_nothing(world: World, endpoint: str, name: str) -> None:
    make, code = BAD[name]
    credential = make(world)
    answer = world.call(endpoint, credential)
    refused(answer, 401, code)
    assert answer.get_json()["reason"] == "Unauthorized"
    told = answer.headers["WWW-Authenticate"]
    assert told == 'Bearer realm="ecs-admission"' + ("" if credential is None else ', error="invalid_token"')
    assert world.entries("decision") == world.entries("log_read") == []
    if credential is not None:
        said = answer.get_data(as_text=True) + json.dumps([told, *world.entries("authentication_failures")])
        assert credential not in said
        assert all(part not in said for part in credential.split(".") if len(part) > 8)


@pytest.mark.parametrize("endpoint", CLOSED)
def test_what_is_refused_has_the_form_that_is_documented(world: World, endpoint: str) -> None:
    (rule,) = (rule for rule in world.client.application.url_map.iter_rules() if rule.endpoint == endpoint)
    path, method = re.sub(r"<([a-z_]+)>", r"{\1}", rule.rule), CALLS[endpoint].method.lower()
    outsider = next(role for role in Role if ENDPOINTS[endpoint] not in PERMISSIONS[role])
    for credential, status in ((None, 401), (world.token(outsider), 403)):
        answer = world.call(endpoint, credential)
        assert answer.status_code == status
        check(answer, path, method)


@pytest.mark.parametrize("name", sorted(set(BAD) - {"missing"}))
def test_a_bad_credential_is_told_at_an_open_endpoint_too(world: World, name: str) -> None:
    make, code = BAD[name]
    refused(world.call("health.readyz", make(world)), 401, code)


@pytest.mark.parametrize("endpoint", sorted(set(CALLS) - set(CLOSED)))
def test_an_open_endpoint_needs_no_credential(world: World, endpoint: str) -> None:
    assert world.call(endpoint, None).status_code == 200
    assert world.attempts.report(now=True) is None


@pytest.mark.parametrize(
    "value", ["Basic eDp5", "bearer", "Bearer a b", "Bearer ä", "Token x", "Bearer " + "x" * 30_000]
)
def test_an_authorization_of_another_form_is_no_credential(world: World, value: str) -> None:
    answer = world.client.get("/v1/decisions", headers={"Authorization": value})
    refused(answer, 401, "malformed")


def test_a_token_that_was_accepted_is_refused_as_soon_as_it_is_revoked(world: World) -> None:
    token = world.token(Role.AUDITOR)
    assert world.call("decisions.list_decisions", token).status_code == 200
    (stored,) = TokenReader(world.log.reader.connect, world.pepper).all()
    assert world.writer.revoke(stored.record.id, time_us=1)
    assert not world.writer.revoke(stored.record.id, time_us=2)
    refused(world.call("decisions.list_decisions", token), 401, "revoked")


class TestWho:
    def test_a_token_is_who_the_record_says_it_was(self, world: World) -> None:
        body = {**REVIEW, "request": {**REVIEW["request"], "userInfo": {"username": "root", "groups": ["operator"]}}}  # type: ignore[dict-item]
        headers = {"Authorization": f"Bearer {world.token(Role.SUBMITTER)}"}
        assert world.client.post("/v1/admission/reviews", json=body, headers=headers).status_code == 200
        (entry,) = world.entries("decision")
        assert entry["caller"] == {"username": "token:ci", "groups": ["system:authenticated", "submitter"]}

    def test_a_pipeline_is_its_subject(self, world: World) -> None:
        world.call("admission.operations", world.jwt(Role.SUBMITTER))
        (entry,) = world.entries("decision")
        assert entry["caller"]["username"] == f"oidc:{ISSUER}:repo:example/web:ref:refs/heads/main"

    def test_a_subject_in_odd_characters_is_encoded(self, world: World) -> None:
        world.call("admission.operations", world.jwt(Role.SUBMITTER, sub="a b\n\u00e9%"))
        (entry,) = world.entries("decision")
        assert entry["caller"]["username"] == f"oidc:{ISSUER}:a%20b%0A%C3%A9%25"

    def test_a_certificate_is_its_name(self, world: World) -> None:
        answer = world.call("admission.operations", None, **{CERTIFICATE_HEADER: CERTIFICATE})
        assert answer.status_code == 200
        (entry,) = world.entries("decision")
        assert entry["caller"] == {
            "username": f"certificate:{CERTIFICATE}",
            "groups": ["system:authenticated", "submitter"],
        }

    @pytest.mark.parametrize("name", ["CN=other", f"{CERTIFICATE},CN=x", f"{CERTIFICATE}, {CERTIFICATE}", ""])
    def test_another_certificate_is_nobody(self, world: World, name: str) -> None:
        refused(world.call("admission.operations", None, **{CERTIFICATE_HEADER: name}), 401, "no-binding")

    def test_a_certificate_that_anybody_reports_is_none(self, world: World) -> None:
        answer = world.client.get(
            "/v1/decisions", headers={CERTIFICATE_HEADER: CERTIFICATE}, environ_base={"REMOTE_ADDR": "192.0.2.7"}
        )
        refused(answer, 401, "untrusted-proxy")

    def test_a_credential_counts_before_a_certificate(self, world: World) -> None:
        answer = world.call("decisions.list_decisions", world.token(Role.AUDITOR), **{CERTIFICATE_HEADER: CERTIFICATE})
        assert answer.status_code == 200
        refused(
            world.call("admission.operations", make_token(), **{CERTIFICATE_HEADER: CERTIFICATE}), 401, "unknown-token"
        )


TEAM = Scope(accounts=("111122223333",), environments=("prod", "dev"), families=("web", "pay-*"))
WITHIN = {"account": "111122223333", "environment": "prod"}


class TestScopes:
    def submit(self, world: World, token: str, family: str = "web", **context: str) -> TestResponse:
        return world.client.post(
            "/v1/operations/RegisterTaskDefinition",
            json=COMPLIANT | {"family": family},
            query_string=context,
            headers={"Authorization": f"Bearer {token}"},
        )

    @pytest.mark.parametrize("family", ["web", "pay-", "pay-api"])
    def test_a_request_within_the_binding_is_judged(self, world: World, family: str) -> None:
        assert self.submit(world, world.token(Role.SUBMITTER, scope=TEAM), family, **WITHIN).status_code == 200

    @pytest.mark.parametrize(
        ("family", "context", "told"),
        [
            ("web", {**WITHIN, "account": "444455556666"}, "account"),
            ("web", {**WITHIN, "environment": "test"}, "environment"),
            ("web", {"environment": "prod"}, "account"),
            ("web", {"account": "111122223333"}, "environment"),
            ("webs", WITHIN, "family"),
            ("pay", WITHIN, "family"),
            ("WEB", WITHIN, "family"),
            ("other", {}, "account and environment and family"),
        ],
    )
    def test_a_request_outside_is_refused_and_recorded(
        self, world: World, family: str, context: dict[str, str], told: str
    ) -> None:
        answer = self.submit(world, world.token(Role.SUBMITTER, scope=TEAM), family, **context)
        refused(answer, 403, "outside-binding")
        assert f"does not cover the {told} of" in answer.get_json()["title"]
        check(answer, "/v1/operations/{operation}", "post")
        (entry,) = world.entries("decision")
        assert [entry["outcome"], entry["reason"], entry["error"]["code"], entry["body"]] == [
            "invalid",
            "Forbidden",
            "outside-binding",
            None,
        ]
        assert entry["id"] == answer.get_json()["decisionId"]
        assert entry["request"]["family"] == family

    def test_what_a_service_runs_counts_as_its_family(self, world: World) -> None:
        token = world.token(Role.SUBMITTER, scope=Scope(families=("web",)))
        headers = {"Authorization": f"Bearer {token}"}
        for definition, status in (("web:3", 200), ("other:3", 403)):
            answer = world.client.post("/v1/operations/RunTask", json={"taskDefinition": definition}, headers=headers)
            assert answer.status_code == status

    def test_a_role_counts_only_where_it_was_granted(self) -> None:
        grant = Grant(frozenset({Role.SUBMITTER}), Scope(environments=("dev",)))
        wide = Grant(frozenset({Role.AUDITOR}))
        principal = Principal.known("x", (grant, wide))
        assert principal.scopes(Permission.SUBMIT) == (Scope(environments=("dev",)),)
        assert principal.scopes(Permission.READ_DECISIONS) == (Scope(),)


class TestReading:
    """An author reads what their binding covers, and nothing of another team's."""

    @pytest.fixture
    def ids(self, world: World) -> dict[str, str]:
        """Decisions about two teams' families, and one about none."""
        token = world.token(Role.SUBMITTER)
        found = {}
        for name in ("pay-api", "pay_api", "web", "PAY-api", ""):
            body = (
                COMPLIANT | {"family": name}
                if name
                else {"resourceArn": "arn:aws:ecs:eu-west-1:111122223333:cluster/a", "tags": []}
            )
            operation = "RegisterTaskDefinition" if name else "TagResource"
            answer = world.client.post(
                f"/v1/operations/{operation}?environment=prod", json=body, headers={"Authorization": f"Bearer {token}"}
            )
            found[name] = answer.get_json()["response"]["auditAnnotations"]["decision-id"]
        return found

    def read(self, world: World, path: str, role: Role, scope: Scope | None = None) -> TestResponse:
        headers = {"Authorization": f"Bearer {world.token(role, scope=scope)}"}
        return world.client.get(path, headers=headers)

    @pytest.mark.parametrize(
        ("scope", "seen"),
        [
            (Scope(families=("pay-*",)), ["pay-api"]),
            (Scope(families=("pay-*", "web")), ["pay-api", "web"]),
            (Scope(families=("pay-*",), environments=("dev",)), []),
            (Scope(families=("pay-*",), environments=("dev", "prod")), ["pay-api"]),
            (Scope(accounts=("111122223333",)), []),
            (Scope(environments=("prod",)), ["", "PAY-api", "pay-api", "pay_api", "web"]),
            (Scope(), ["", "PAY-api", "pay-api", "pay_api", "web"]),
        ],
    )
    @pytest.mark.parametrize("role", [Role.AUTHOR, Role.AUDITOR])
    def test_only_what_is_covered_is_read(
        self, world: World, ids: dict[str, str], scope: Scope, seen: list[str], role: Role
    ) -> None:
        listed = self.read(world, "/v1/decisions", role, scope).get_json()["items"]
        assert sorted(ids[name] for name in seen) == sorted(item["id"] for item in listed)
        counted = self.read(world, "/v1/statistics", role, scope).get_json()["total"]
        assert counted == len(seen)
        for name, entry_id in ids.items():
            status = 200 if name in seen else 404
            assert self.read(world, f"/v1/decisions/{entry_id}", role, scope).status_code == status

    def test_a_team_reads_nothing_but_decisions(self, world: World, ids: dict[str, str]) -> None:
        self.read(world, "/v1/decisions", Role.AUDITOR)
        (read,) = world.entries("log_read")
        assert self.read(world, f"/v1/decisions/{read['id']}", Role.AUTHOR, Scope(families=("web",))).status_code == 404
        assert self.read(world, f"/v1/decisions/{read['id']}", Role.AUDITOR).status_code == 200

    def test_who_reads_what_is_an_entry(self, world: World, ids: dict[str, str]) -> None:
        self.read(world, "/v1/decisions?family=web", Role.AUTHOR)
        (entry,) = world.entries("log_read")
        assert entry["caller"] == {"username": "token:ci", "groups": ["system:authenticated", "author"]}
        assert entry["details"]["count"] == 1
        assert "family=web" in entry["details"]["query"]

    def test_an_author_reads_no_event_also_by_its_id(self, world: World) -> None:
        self.read(world, "/v1/decisions", Role.AUDITOR)
        (read,) = world.entries("log_read")
        assert self.read(world, f"/v1/decisions/{read['id']}", Role.AUTHOR).status_code == 404
        assert self.read(world, "/v1/decisions?kind=log_read", Role.AUTHOR).status_code == 403

    def test_an_id_that_is_not_found_is_an_entry_and_not_repeated(self, world: World, ids: dict[str, str]) -> None:
        scope = Scope(families=("pay-*",))
        self.read(world, f"/v1/decisions/{ids['web']}", Role.AUDITOR, scope)
        self.read(world, "/v1/decisions/some-literal", Role.AUDITOR, scope)
        unknown, outside = world.entries("log_read")
        assert outside["details"] == {"query": f"id={ids['web']}", "count": 0}
        assert unknown["details"] == {"query": "id=<redacted>", "count": 0}

    def test_what_an_auditor_may_is_limited_to_where_they_are_one(self, world: World) -> None:
        """Somebody who is an author everywhere and the auditor of one team."""
        token, fingerprints, found = world.token(Role.SUBMITTER), {}, {}
        for family in ("pay-api", "web"):
            answer = world.client.post(
                "/v1/operations/RegisterTaskDefinition",
                json=leaky(secrets.token_hex(16)) | {"family": family},
                headers={"Authorization": f"Bearer {token}"},
            )
            found[family] = answer.get_json()["response"]["auditAnnotations"]["decision-id"]
            shown = world.log.reader.show(found[family])
            assert shown is not None
            fingerprints[family] = shown["policyInput"]["literals"][0]["fingerprint"]
        client = world.of_two_grants(
            Grant(frozenset({Role.AUTHOR})), Grant(frozenset({Role.AUDITOR}), Scope(families=("pay-*",)))
        )

        def listed(**query: str) -> list[str]:
            return sorted(item["id"] for item in client.get("/v1/decisions", query_string=query).get_json()["items"])

        assert listed() == sorted(found.values())
        assert listed(fingerprint=fingerprints["pay-api"]) == [found["pay-api"]]
        assert listed(fingerprint=fingerprints["web"]) == []
        assert listed(fingerprint="!" + fingerprints["web"]) == [found["pay-api"]]
        assert listed(kind="decision,log_read") == [found["pay-api"]]
        assert listed(kind="node_start") == []
        count = client.get("/v1/statistics", query_string={"fingerprint": fingerprints["web"]}).get_json()["total"]
        assert count == 0
        for family, shows in (("pay-api", True), ("web", False)):
            answer = client.get(f"/v1/decisions/{found[family]}")
            assert ('"fingerprint":' in answer.get_data(as_text=True)) is shows
        (start,) = world.entries("node_start")
        assert client.get(f"/v1/decisions/{start['id']}").status_code == 404

    def test_only_an_auditor_sees_fingerprints(self, world: World) -> None:
        value = "".join(secrets.choice(string.ascii_letters) for _ in range(24))
        token = world.token(Role.SUBMITTER)
        answer = world.client.post(
            "/v1/operations/RegisterTaskDefinition", json=leaky(value), headers={"Authorization": f"Bearer {token}"}
        )
        entry_id = answer.get_json()["response"]["auditAnnotations"]["decision-id"]
        path = f"/v1/decisions/{entry_id}"
        assert '"fingerprint":' not in self.read(world, path, Role.AUTHOR).get_data(as_text=True)
        assert '"fingerprint":' in self.read(world, path, Role.AUDITOR).get_data(as_text=True)


class TestFailures:
    def test_failures_are_counted_and_recorded_together(self, world: World) -> None:
        for _ in range(3):
            world.call("decisions.list_decisions", make_token())
        world.call("decisions.list_decisions", None)
        world.access.close()
        rest, first = world.entries("authentication_failures")
        assert first["details"] == {"count": 1, "reasons": ["unknown-token 1"], "addresses": ["127.0.0.1 1"]}
        assert rest["details"] == {
            "count": 3,
            "reasons": ["no-credential 1", "unknown-token 2"],
            "addresses": ["127.0.0.1 3"],
        }
        assert rest["caller"] is None

    def test_who_goes_on_failing_is_told_to_wait_and_who_has_a_token_is_not(self, world: World) -> None:
        known, fresh = world.token(Role.AUDITOR), world.token(Role.AUDITOR)
        assert world.call("decisions.list_decisions", known).status_code == 200
        for _ in range(LIMIT):
            refused(world.call("decisions.list_decisions", make_token()), 401, "unknown-token")
        answer = world.call("decisions.list_decisions", make_token())
        refused(answer, 429, "too-many-failures")
        assert [answer.headers["Retry-After"], answer.get_json()["reason"]] == ["60", "TooManyRequests"]
        refused(world.call("decisions.list_decisions", fresh), 429, "too-many-failures")
        assert world.call("decisions.list_decisions", known).status_code == 200
        assert world.call("decisions.list_decisions", world.jwt(Role.AUDITOR)).status_code == 200
        elsewhere = world.client.get(
            "/v1/decisions",
            headers={"Authorization": f"Bearer {fresh}"},
            environ_base={"REMOTE_ADDR": "192.0.2.1"},
        )
        assert elsewhere.status_code == 200

    def test_clients_behind_a_proxy_are_told_apart(self, world: World) -> None:
        for _ in range(LIMIT):
            world.call("decisions.list_decisions", make_token(), **{"X-Forwarded-For": "198.51.100.9, 10.1.2.3"})
        limited = {"X-Forwarded-For": "203.0.113.5, 198.51.100.9"}
        refused(world.call("decisions.list_decisions", make_token(), **limited), 429, "too-many-failures")
        other = {"X-Forwarded-For": "198.51.100.9, 203.0.113.5"}
        refused(world.call("decisions.list_decisions", make_token(), **other), 401, "unknown-token")


def test_only_an_operator_reads_why_policies_were_refused(world: World) -> None:
    assert "refused" not in world.call("health.readyz", None).get_json()
    assert "refused" not in world.call("health.readyz", world.token(Role.AUDITOR)).get_json()
    assert "x.rego" in world.call("health.readyz", world.token(Role.OPERATOR)).get_json()["refused"]["reason"]


def test_no_page_of_a_browser_is_answered(world: World) -> None:
    answer = world.call("decisions.list_decisions", world.token(Role.AUDITOR), Origin="https://admission.example.com")
    refused(answer, 403, "origin")


def test_a_proxy_and_a_host_are_no_matter_where_callers_are_authenticated(world: World) -> None:
    headers = {"Host": "admission.example.com", "X-Forwarded-Proto": "https", "Forwarded": "for=192.0.2.1"}
    assert world.call("decisions.list_decisions", world.token(Role.AUDITOR), **headers).status_code == 200


def test_nothing_is_said_of_a_path_that_does_not_exist(world: World) -> None:
    assert world.client.get("/v1/nothing").status_code == 404
    assert world.client.delete("/v1/decisions").status_code == 405


class TestWithoutAuthentication:
    @pytest.mark.parametrize(
        "host", ["localhost", "localhost:8080", "127.0.0.1:80", "127.9.9.9", "[::1]:8080", "LOCALHOST"]
    )
    @pytest.mark.parametrize("endpoint", sorted(CALLS))
    def test_this_machine_is_answered(self, client: FlaskClient, endpoint: str, host: str) -> None:
        call = CALLS[endpoint]
        answer = client.open(call.path, method=call.method, json=call.body, headers={"Host": host})
        assert answer.status_code == call.status

    @pytest.mark.parametrize(
        "host",
        ["attacker.example", "localhost.attacker.example", "127.0.0.1.nip.example", "10.0.0.1", "[::2]", "192.0.2.1",
         "localhost:8080:1", "2130706433", "localhost@attacker.example"],
    )  # fmt: skip
    @pytest.mark.parametrize("endpoint", sorted(CALLS))
    def test_another_host_is_misdirected(self, client: FlaskClient, endpoint: str, host: str) -> None:
        call = CALLS[endpoint]
        answer = client.open(call.path, method=call.method, json=call.body, headers={"Host": host})
        refused(answer, 421, "foreign-host")
        assert host not in answer.get_data(as_text=True)

    @pytest.mark.parametrize("origin", ["null", "http://localhost:8080", "https://attacker.example"])
    @pytest.mark.parametrize("endpoint", sorted(CALLS))
    def test_a_page_of_a_browser_is_refused(self, client: FlaskClient, endpoint: str, origin: str) -> None:
        call = CALLS[endpoint]
        answer = client.open(call.path, method=call.method, json=call.body, headers={"Origin": origin})
        refused(answer, 403, "origin")

    @pytest.mark.parametrize(
        "header", ["X-Forwarded-For", "x-forwarded-host", "X-Forwarded-Proto", "Forwarded", "X-Real-IP"]
    )
    @pytest.mark.parametrize("endpoint", sorted(CALLS))
    def test_what_comes_through_a_proxy_is_refused(self, client: FlaskClient, endpoint: str, header: str) -> None:
        call = CALLS[endpoint]
        answer = client.open(call.path, method=call.method, json=call.body, headers={header: "127.0.0.1"})
        refused(answer, 403, "forwarded")

    def test_a_credential_is_not_looked_at(self, client: FlaskClient) -> None:
        assert client.get("/v1/decisions", headers={"Authorization": "Bearer x"}).status_code == 200

    def test_on_a_unix_socket_the_host_means_nothing_and_a_proxy_does(
        self, log: DecisionLog, revision: Revision
    ) -> None:
        client = _client(log, revision, Access(has_host=False))
        assert client.get("/v1/decisions", headers={"Host": "admission.example.com"}).status_code == 200
        refused(client.get("/v1/decisions", headers={"X-Forwarded-For": "192.0.2.1"}), 403, "forwarded")

    def test_who_opens_it_to_everybody_gets_no_gate_but_for_browsers(
        self, log: DecisionLog, revision: Revision
    ) -> None:
        client = _client(log, revision, Access(is_for_this_machine=False))
        headers = {"Host": "admission.example.com", "X-Forwarded-For": "192.0.2.1"}
        assert client.get("/v1/decisions", headers=headers).status_code == 200
        refused(client.get("/v1/decisions", headers={"Origin": "https://x.example"}), 403, "origin")


def _client(log: DecisionLog, revision: Revision, access: Access) -> FlaskClient:
    reviewer = Reviewer(revision, inventory=NoInventory(), recorder=lambda _: None, on_error=_raise)
    return create_flask(reviewer, log.reader, access=access).test_client()
