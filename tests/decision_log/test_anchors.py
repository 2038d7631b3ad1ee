"""Anchors in S3, against moto's server on loopback: what is written there stays as it was."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

from ecs_admission.decision_log.anchor_places import anchor_at
from ecs_admission.decision_log.anchors import AnchorConflictError, Anchored, AnchorError
from ecs_admission.decision_log.anchors_s3 import S3Anchor
from ecs_admission.decision_log.digests import SignedDigest, read_line
from ecs_admission.decision_log.sealer import SealerStoppedError
from ecs_admission.decision_log.store import DecisionLog
from ecs_admission.errors import SettingsError

from .conftest import make_draft
from .sealing import SEALER_KEY, Sealing, problems
from .test_digests import DIGEST

BUCKET = "anchors"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def client(endpoint: str) -> Iterator[Any]:
    """S3 with one bucket that locks and one, `plain`, that does not."""
    made = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )
    requests.post(f"{endpoint}/moto-api/reset", timeout=10).close()
    made.create_bucket(Bucket=BUCKET, ObjectLockEnabledForBucket=True)
    made.create_bucket(Bucket="plain")
    yield made
    made.close()


@pytest.fixture
def anchor(client: Any) -> S3Anchor:
    return S3Anchor(client, bucket=BUCKET, prefix="log/", retention_days=400, now=lambda: NOW)


def signed(number: int, **changes: Any) -> SignedDigest:
    return SignedDigest.of(replace(DIGEST, number=number, **changes), SEALER_KEY)


def test_a_digest_is_locked_so_that_nobody_deletes_it_early(anchor: S3Anchor, client: Any) -> None:
    digest = signed(7)
    anchor.put(digest)

    assert list(anchor.listed(0)) == [Anchored(7, digest.hash)]
    assert read_line(anchor.read(Anchored(7, digest.hash))) == digest
    (version,) = client.list_object_versions(Bucket=BUCKET)["Versions"]
    assert version["Key"] == f"log/00000000/000000000007-{digest.hash}.json"
    head = client.head_object(Bucket=BUCKET, Key=version["Key"])
    assert head["ObjectLockMode"] == "COMPLIANCE"
    assert head["ObjectLockRetainUntilDate"] == NOW + timedelta(days=400)
    with pytest.raises(ClientError, match="Access Denied"):
        client.delete_object(Bucket=BUCKET, Key=version["Key"], VersionId=version["VersionId"])


def test_a_digest_is_written_once(anchor: S3Anchor, client: Any) -> None:
    for _ in range(3):
        anchor.put(signed(7))

    assert len(client.list_object_versions(Bucket=BUCKET)["Versions"]) == 1


def test_another_digest_of_one_number_is_a_conflict(anchor: S3Anchor) -> None:
    anchor.put(signed(7))

    with pytest.raises(AnchorConflictError, match="another digest 7"):
        anchor.put(signed(7, epoch=3))


def test_something_else_under_the_name_of_a_digest_is_a_conflict(anchor: S3Anchor, client: Any) -> None:
    digest = signed(7)
    client.put_object(Bucket=BUCKET, Key=f"log/00000000/000000000007-{digest.hash}.json", Body=b"{}")

    with pytest.raises(AnchorConflictError, match="something else"):
        anchor.put(digest)


def test_a_second_version_and_a_deletion_are_seen(anchor: S3Anchor, client: Any) -> None:
    digests = [signed(number) for number in (7, 8, 9)]
    for digest in digests:
        anchor.put(digest)
    keys = [each["Key"] for each in client.list_object_versions(Bucket=BUCKET)["Versions"]]
    client.put_object(Bucket=BUCKET, Key=keys[0], Body=b"{}")
    client.delete_object(Bucket=BUCKET, Key=keys[1])

    assert [each.versions for each in anchor.listed(0)] == [2, 2, 1]


def test_a_list_begins_where_it_is_told_and_goes_over_pages(
    anchor: S3Anchor, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (0, 1, 2, 3, 9_999, 10_000):
        anchor.put(signed(number))
    client.put_object(Bucket=BUCKET, Key="log/readme.txt", Body=b"")
    client.put_object(Bucket=BUCKET, Key="other/00000000/000000000003-" + "0" * 64 + ".json", Body=b"")
    get_paginator = client.get_paginator

    class Small:
        def paginate(self, **arguments: Any) -> Any:
            return get_paginator("list_object_versions").paginate(**arguments, PaginationConfig={"PageSize": 2})

    monkeypatch.setattr(client, "get_paginator", lambda _: Small())

    assert [each.number for each in anchor.listed(0)] == [0, 1, 2, 3, 9_999, 10_000]
    assert [each.number for each in anchor.listed(2)] == [2, 3, 9_999, 10_000]
    assert [each.number for each in anchor.listed(10_001)] == []


def test_a_bucket_that_does_not_lock_gets_nothing(client: Any) -> None:
    anchor = S3Anchor(client, bucket="plain", prefix="")

    with pytest.raises(AnchorError, match="does not take a digest: InvalidRequest"):
        anchor.put(signed(7))

    assert "Versions" not in client.list_object_versions(Bucket="plain")


def test_a_bucket_that_is_not_there_is_told(client: Any) -> None:
    anchor = S3Anchor(client, bucket="nowhere", prefix="")

    for call in (lambda: anchor.put(signed(7)), lambda: list(anchor.listed(0)), lambda: anchor.read(Anchored(7, "x"))):
        with pytest.raises(AnchorError, match="NoSuchBucket"):
            call()


def test_an_s3_that_does_not_answer_is_told() -> None:
    client = boto3.client(
        "s3",
        endpoint_url="http://127.0.0.1:1",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(connect_timeout=1, retries={"total_max_attempts": 1}),
    )
    anchor = S3Anchor(client, bucket=BUCKET, prefix="")

    for call in (lambda: anchor.put(signed(7)), lambda: list(anchor.listed(0))):
        with pytest.raises(AnchorError, match="EndpointConnectionError"):
            call()
    client.close()


@pytest.mark.parametrize("where", ["s3://", "s3://B", "s3://ab", "s3://bucket/a b", "s3:///key", "s3://bucket?x"])
def test_a_place_in_s3_has_a_form(where: str) -> None:
    with pytest.raises(SettingsError, match="s3://BUCKET/PREFIX"):
        anchor_at(where, retention_days=400)


def test_a_setting_names_a_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")

    assert anchor_at("s3://bucket/some/prefix/", retention_days=400).name == "s3://bucket/some/prefix"
    assert anchor_at("s3://bucket", retention_days=400).name == "s3://bucket"


def test_a_log_is_sealed_to_s3_and_verified_by_it(log: DecisionLog, sealing: Sealing, anchor: S3Anchor) -> None:
    sealer = sealing.sealer(anchors=[anchor])
    for _ in range(3):
        log.append(make_draft(), deadline_seconds=5)
        assert sealer.step().waiting == {anchor.name: 0}

    report = sealing.verify(anchor)

    assert (report.exit_code, report.anchors[0].compared) == (0, 3)


def test_a_restored_copy_is_found_by_s3(log: DecisionLog, sealing: Sealing, anchor: S3Anchor, database: Any) -> None:
    sealer = sealing.sealer(anchors=[anchor])
    for _ in range(3):
        sealer.step()
    sealer.close()
    database.tamper("DELETE FROM digest_ranges WHERE number > 0", "DELETE FROM digests WHERE number > 0")

    assert problems(sealing.verify(anchor)) == {("digest-missing", 1), ("digest-missing", 2)}
    with pytest.raises(SealerStoppedError, match="older copy"):
        sealing.sealer(holder="b", anchors=[anchor]).step()


def test_a_second_version_in_s3_is_found(log: DecisionLog, sealing: Sealing, anchor: S3Anchor, client: Any) -> None:
    sealer = sealing.sealer(anchors=[anchor])
    for _ in range(3):
        sealer.step()
    versions = client.list_object_versions(Bucket=BUCKET)["Versions"]
    client.put_object(Bucket=BUCKET, Key=versions[0]["Key"], Body=b"{}")
    client.delete_object(Bucket=BUCKET, Key=versions[1]["Key"])

    report = sealing.verify(anchor)

    assert {("anchor-versions", 0), ("anchor-versions", 1)} <= problems(report)
    assert report.exit_code == 1
