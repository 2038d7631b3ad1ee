"""A bundle in S3, against moto's server: by its tag, bounded, and with no proxy of the environment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from ecs_admission.engines.remote import open_source
from ecs_admission.engines.remote.s3 import S3Source
from ecs_admission.errors import PolicyUnavailableError
from ecs_admission.places import Remote

URL = Remote("s3://policies/prod/policies.tar.gz")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A server that speaks S3, on the loopback."""
    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An empty bucket, where a service's own boto3 looks."""
    for name, value in (("ACCESS_KEY_ID", "x"), ("SECRET_ACCESS_KEY", "x"), ("DEFAULT_REGION", "eu-central-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    client = boto3.client("s3", endpoint_url=server)
    client.create_bucket(Bucket="policies", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    yield client
    for item in client.list_objects_v2(Bucket="policies").get("Contents", ()):
        client.delete_object(Bucket="policies", Key=item["Key"])
    client.delete_bucket(Bucket="policies")


def refusal(source: Any) -> str:
    with pytest.raises(PolicyUnavailableError) as caught:
        source.fetch(None)
    return str(caught.value)


def test_a_bundle_is_got_once_and_then_by_its_tag(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    source = open_source(URL)
    bucket_put(bucket, b"one")
    got = source.fetch(None)
    assert got is not None
    assert (got.content, source.fetch(got.etag)) == (b"one", None)
    bucket_put(bucket, b"two")
    again = source.fetch(got.etag)
    assert again is not None
    assert again.content == b"two"


def bucket_put(client: Any, content: bytes) -> None:
    from botocore.config import Config

    put = boto3.client("s3", endpoint_url=client.meta.endpoint_url, config=Config(proxies={"none": ""}))
    put.put_object(Bucket="policies", Key="prod/policies.tar.gz", Body=content)


def test_what_is_not_there_is_told_by_code_alone(bucket: Any) -> None:
    assert refusal(open_source(URL)) == "s3://policies/prod/policies.tar.gz: cannot be read: NoSuchKey"
    assert refusal(open_source(Remote("s3://elsewhere/k"))) == "s3://elsewhere/k: cannot be read: NoSuchBucket"


def test_what_is_too_long_or_too_slow_is_not_taken(bucket: Any) -> None:
    bucket_put(bucket, bytes(2000))
    where = {"bucket": "policies", "key": "prod/policies.tar.gz"}
    assert "is longer than 1000 bytes" in refusal(S3Source(bucket, **where, max_bytes=1000))
    assert "no answer within 0 s" in refusal(S3Source(bucket, **where, deadline_seconds=0))


def test_a_server_that_is_away_is_told(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    assert "cannot be read: EndpointConnectionError" in refusal(open_source(URL))
