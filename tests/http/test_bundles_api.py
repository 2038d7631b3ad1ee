"""The bundles that the service gives to OPA servers: what judges, with a tag, and nothing where there is nothing."""

from __future__ import annotations

import orjson
from flask.testing import FlaskClient

from ecs_admission.engines.archives import unpack
from ecs_admission.engines.bundles.served import serve_merged, serve_signed
from ecs_admission.engines.pack import Pack, read_pack
from ecs_admission.enrich.inventory import NoInventory
from ecs_admission.http import create_flask
from ecs_admission.http.bundles import ServedPolicies
from ecs_admission.review import Reviewer, do_not_record
from ecs_admission.revision import Revision
from tests.engines.bundles.released import released

MERGED, SIGNED = "/v1/bundles/policies.tar.gz", "/v1/bundles/signed/policies.tar.gz"


def client(revision: Revision, served: ServedPolicies) -> FlaskClient:
    reviewer = Reviewer(revision, inventory=NoInventory(), recorder=do_not_record, on_error=lambda _: None)
    return create_flask(reviewer, None, served=lambda: served).test_client()  # type: ignore[arg-type]


def test_a_bundle_is_served_once_and_then_by_its_tag(revision: Revision, pack: Pack) -> None:
    asking = client(revision, ServedPolicies(serve_merged(pack)))
    answer = asking.get(MERGED)
    assert (answer.status_code, answer.content_type) == (200, "application/gzip")
    assert answer.headers["Cache-Control"] == "no-cache"
    files = unpack(answer.data)
    assert {name for name in files if name.endswith(".rego")} == pack.rego.keys()
    assert sorted(name for name in files if not name.endswith(".rego")) == [".manifest", "data.json"]
    tag = answer.headers["ETag"]
    again = asking.get(MERGED, headers={"If-None-Match": tag})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag)
    assert asking.get(MERGED, headers={"If-None-Match": '"other"'}).status_code == 200
    assert asking.head(MERGED).headers["ETag"] == tag


def test_what_was_signed_is_served_byte_for_byte(revision: Revision) -> None:
    bundle = released(7)
    pack = read_pack(unpack(bundle), bundle)
    assert client(revision, ServedPolicies(serve_merged(pack), serve_signed(pack))).get(SIGNED).data == bundle


def test_what_is_not_signed_is_not_served_as_that(revision: Revision, pack: Pack) -> None:
    assert serve_signed(pack) is None
    answer = client(revision, ServedPolicies(serve_merged(pack))).get(SIGNED)
    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")
    assert answer.get_json()["code"] == "no-bundle"


def test_a_served_bundle_owns_what_it_has_and_not_what_guards_the_server(pack: Pack) -> None:
    manifest = orjson.loads(unpack(serve_merged(pack).content)[".manifest"])
    assert ["admission", "catalogue", "config", "exceptions", "revision"] == manifest["roots"]
