"""What the values do not say or say wrongly is told in sentences, all at once."""

from __future__ import annotations

import pytest

from tests.chart.rendering import refusal

COMPLETE = "postgresql-values.yaml"


def test_without_values_everything_that_has_to_be_said_is_listed() -> None:
    starts = (
        "set environment to", "set image.repository to", "set image.digest", "set authentication.mode to required",
        "set database.kind to postgresql", "set keys.fingerprint.secretName", "set keys.signing.secretName",
        "set keys.sealer.secretName", "set anchors.s3 to",
    )  # fmt: skip
    told = [line for line in refusal(None) if line.startswith("set ")]
    assert len(starts) == len(told)
    assert all(line.startswith(start) for line, start in zip(told, starts, strict=True))


BAD = [
    (COMPLETE, "environment=", "set environment to what this installation guards, such as prod"),
    (COMPLETE, "image.tag=", "set image.digest (or image.tag): which build runs is your choice"),
    (COMPLETE, "image.tag=latest", "set an image tag that says which build it is: latest is another one tomorrow"),
    (COMPLETE, "engine=opa",
     "set opa.image.repository to where your registry keeps OPA's image, or engine to embedded"),
    ("opa-values.yaml", "opa.credential.audience=",
     "set opa.credential.audience (or opa.credential.secretName): the sidecar gets its bundle with a token of the "
     "role operator"),
    ("opa-values.yaml", "opa.credential.secretName=x",
     "opa.credential has an audience and a Secret: leave one of them out"),
    ("opa-values.yaml", "opa.credential.audience=x.example",
     "authentication.rules have no issuer with opa.credential.audience x.example"),
    (COMPLETE, "authentication.mode=", "set authentication.mode to required: callers show who they are"),
    (COMPLETE, "authentication.mode=none",
     "authentication.mode none lets everybody in who reaches the service: set required, or "
     "unsafe.bindWithoutAuthentication to true"),
    ("opa-values.yaml", "authentication.mode=none",
     "authentication.rules, jwks, trustedProxies and proxyIdentityHeader need authentication.mode required"),
    (COMPLETE, "authentication.tokenKey.secretName=",
     "set authentication.tokenKey.secretName to the Secret with the key of the API tokens"),
    (COMPLETE, "authentication.proxyIdentityHeader=X-Client",
     "set authentication.trustedProxies, or anybody could send authentication.proxyIdentityHeader"),
    (COMPLETE, r"authentication.jwks.x\.json=x",
     "authentication.jwks has x.json, and authentication.rules do not name it"),
    (COMPLETE, "database.kind=", "set database.kind to postgresql, or to sqlite for a single pod with a volume"),
    (COMPLETE, "database.urls.owner.secretName=",
     "set database.urls.owner.secretName to the Secret with the database URL of the owner"),
    (COMPLETE, "database.urls.sealer.secretName=ecs-admission-db-writer",
     "database.urls.writer and database.urls.sealer are the same: each has a database role of its own"),
    (COMPLETE, "sealer.logPublicKeys=null",
     "set sealer.logPublicKeys to the public half of keys.signing: openssl pkey -in signing.key -pubout"),
    (COMPLETE, "networkPolicy.database.to=null",
     "set networkPolicy.database.to to where the database is, or nothing reaches it"),
    (COMPLETE, "networkPolicy.https=null",
     "set networkPolicy.https to where AWS and OIDC issuers are, "
     "such as [10.0.0.0/16] for VPC endpoints or [0.0.0.0/0]"),
    (COMPLETE, "policies.bundleUrl=https://policies.example.com/p.tar.gz",
     "set policies.publicKeys to what policies.bundleUrl is signed with: ecs-admission bundle make-key"),
    ("opa-values.yaml", "policies.bundleUrl=", "policies.publicKeys are for policies.bundleUrl, which is not set"),
    (COMPLETE, "traces.endpoint=http://collector:4318",
     "set networkPolicy.traces.to to where the collector of traces.endpoint is"),
    (COMPLETE, "networkPolicy.clients=null", "set networkPolicy.clients to who may call the service"),
    (COMPLETE, "keys.sealer.secretName=ecs-admission-signing",
     "keys.sealer.secretName is the Secret of another key: "
     "the sealer vouches for the others, with a Secret of its own"),
    (COMPLETE, "unsafe.noAnchors=true", "unsafe.noAnchors is set beside anchors: leave one of them out"),
    (COMPLETE, "ingress.enabled=true", "set ingress.tlsSecretName: credentials do not travel in clear"),
    (COMPLETE, "autoscaling.enabled=true,autoscaling.minReplicas=9",
     "autoscaling.maxReplicas is less than autoscaling.minReplicas"),
    (COMPLETE, "extraEnv[0].name=OTEL_EXPORTER_OTLP_HEADERS,extraEnv[0].value=x",
     "extraEnv OTEL_EXPORTER_OTLP_HEADERS may hold a credential: name a Secret with secretName and key"),
    ("sqlite-values.yaml", "database.volume.size=",
     "set database.volume.size (or database.volume.existingClaim) for the decision log"),
    ("sqlite-values.yaml", "database.volume.existingClaim=audit-anchors",
     "anchors.existingClaim is the volume of the decision log: who changes the one changes the other"),
    ("sqlite-values.yaml", "autoscaling.enabled=true",
     "autoscaling.enabled needs database.kind postgresql: sqlite has one pod"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "option", "sentence"), BAD, ids=[f"{bad[0][:4]} {bad[1][:40]}" for bad in BAD])
def test_what_is_missing_or_contradicts_itself_is_told(values: str, option: str, sentence: str) -> None:
    assert sentence in refusal(values, "--set", option)


@pytest.mark.parametrize(
    ("option", "where"),
    [
        ("image.registry=x", "image"),
        ("unknown=x", "additional properties 'unknown'"),
        ("database.kind=mysql", "database/kind"),
        ("database.urls.writer.value=postgresql://x", "database/urls/writer"),
        ("keys.signing.value=x", "keys/signing"),
        ("image.digest=sha256:abc", "image/digest"),
        ("workers=0", "workers"),
        ("workers=many", "workers"),
        ("engineDeadlineSeconds=0", "engineDeadlineSeconds"),
        ("extraEnv[0].name=LD_PRELOAD,extraEnv[0].value=x", "extraEnv/0"),
        ("extraEnv[0].name=ECS_ADMISSION_ENGINE,extraEnv[0].value=x", "extraEnv/0"),
        ("extraEnv[0].name=AWS_SECRET_ACCESS_KEY,extraEnv[0].value=x", "extraEnv/0"),
        ("anchors.s3[0]=https://x/y", "anchors/s3/0"),
        ("policies.bundleUrl=http://policies.example.com/p", "policies/bundleUrl"),
        ("policies.bundleUrl=https://user@policies.example.com/p", "policies/bundleUrl"),
        ("anchors.s3[0]=s3://bucket", "anchors/s3/0"),
        ("sealer.logPublicKeys[0]=x", "sealer/logPublicKeys/0"),
        ("networkPolicy.https[0]=everywhere", "networkPolicy/https/0"),
        ("serviceAccounts.service.roleArn=admin", "serviceAccounts/service/roleArn"),
    ],
)
def test_what_has_another_form_is_refused_by_the_schema(option: str, where: str) -> None:
    told = " ".join(refusal(COMPLETE, "--set", option))
    assert "values don't meet the specifications of the schema" in told
    assert where in told
