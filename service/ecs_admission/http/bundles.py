"""`GET /v1/bundles/...`: the policies that judge, as a bundle that OPA servers follow.

Served whether or not the service is ready: it may be waiting for the very server that asks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import Blueprint, Response, request

from ecs_admission.engines.bundles.served import ServedBundle
from ecs_admission.http.answers import problem_answer


@dataclass(frozen=True, slots=True)
class ServedPolicies:
    """The newest revision that passed every check: with all that was laid over it, and as it was signed."""

    merged: ServedBundle | None = None
    signed: ServedBundle | None = None


def blueprint(served: Callable[[], ServedPolicies]) -> Blueprint:
    """The routes of the bundles."""
    routes = Blueprint("bundles", __name__)

    @routes.get("/v1/bundles/policies.tar.gz")
    def policies() -> Response:
        return _answer(served().merged, "this service has no policies of its own")

    @routes.get("/v1/bundles/signed/policies.tar.gz")
    def signed_policies() -> Response:
        why = "the policies that judge are not signed, or something was laid over them: /v1/bundles/policies.tar.gz"
        return _answer(served().signed, why)

    return routes


def _answer(bundle: ServedBundle | None, why_not: str) -> Response:
    if bundle is None:
        return problem_answer(404, why_not, reason="NotFound", code="no-bundle")
    # Kept and asked for again each time: that is what the tag is for.
    answer = Response(bundle.content, headers={"Content-Type": "application/gzip", "Cache-Control": "no-cache"})
    answer.set_etag(bundle.etag)
    answer.make_conditional(request)
    return answer
