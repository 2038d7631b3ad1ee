"""The Flask application, given what it serves."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flask import Flask
from werkzeug.exceptions import HTTPException, InternalServerError

from ecs_admission.decision_log.queries import LogReader
from ecs_admission.errors import InputError, RecordUnavailableError
from ecs_admission.http import admission, bundles, decisions, exports, fingerprints, health, observing, openapi
from ecs_admission.http.answers import http_error, input_error, record_error, unreadable_body
from ecs_admission.http.auth import Access
from ecs_admission.http.bundles import ServedPolicies
from ecs_admission.model import Standing
from ecs_admission.observation import Observe, unobserved
from ecs_admission.project.fingerprints import FingerprintKey
from ecs_admission.review import Reviewer
from ecs_admission.telemetry import log_error
from ecs_admission.tracing import Trace, untraced


def create_flask(
    reviewer: Reviewer,
    reader: LogReader,
    unreadable: tuple[type[Exception], ...] = (),
    *,
    standing: Callable[[], Standing] = Standing,
    served: Callable[[], ServedPolicies] = ServedPolicies,
    is_draining: Callable[[], bool] = lambda: False,
    access: Access | None = None,
    fingerprint_keys: Sequence[FingerprintKey] = (),
    observe: Observe = unobserved,
    trace: Trace = untraced,
) -> Flask:
    """An application with every route, holding no state but what it is given.

    `unreadable` are the errors that the HTTP server raises for a body whose framing is broken, `standing` says how the
    policies stand and `served` gives their bundle; `is_draining` says that the service is about to end. `access` stands
    before every request; without it everybody may do everything, from this machine alone. Values are looked up with
    `fingerprint_keys`. `observe` is told of each request and review, and `trace` names the trace of a review.
    """
    app = Flask("ecs_admission", static_folder=None, template_folder=None)
    app.url_map.merge_slashes = False  # a redirect would repeat the path
    app.config["PROPAGATE_EXCEPTIONS"] = False
    observing.install(app, observe)
    (access or Access()).install(app)
    app.register_blueprint(admission.blueprint(reviewer, observe, trace))
    app.register_blueprint(decisions.blueprint(reader))
    app.register_blueprint(exports.blueprint(reader, lambda: reviewer.revision.governance.catalogue))
    app.register_blueprint(fingerprints.blueprint(reader, fingerprint_keys))
    app.register_blueprint(health.blueprint(reviewer, reader, standing, is_draining))
    app.register_blueprint(bundles.blueprint(served))
    app.register_blueprint(openapi.blueprint())
    for kind in unreadable:
        app.register_error_handler(kind, unreadable_body)
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(InputError, input_error)
    app.register_error_handler(RecordUnavailableError, record_error)
    app.log_exception = _log_exception  # type: ignore[method-assign]
    return app


def _log_exception(exc_info: object) -> None:
    """Flask would log the traceback with the text of the exception, which may hold what was sent."""
    error = exc_info[1] if isinstance(exc_info, tuple) else None
    log_error(error if isinstance(error, BaseException) else InternalServerError())
