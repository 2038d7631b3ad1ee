"""Who may call which endpoint. Asked before each request; an endpoint that is not in the table is for nobody.

Where no authentication is configured the service is for this machine alone. So that no web page and no proxy makes it
everybody's, it then refuses a foreign Host, any Origin and any header that a proxy adds.
"""

from __future__ import annotations

import ipaddress
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from flask import Flask, Response, g, request

from ecs_admission.auth.authenticator import Authenticator, Shown
from ecs_admission.auth.bindings import ANONYMOUS, Principal, Scope
from ecs_admission.auth.roles import Permission, roles_with
from ecs_admission.decision_log.entries import EntryDraft, build_event_draft
from ecs_admission.errors import AdmissionError, ForbiddenError, UnauthorizedError
from ecs_admission.http.answers import problem_answer
from ecs_admission.model import JSONObject, UserInfo, new_decision_id
from ecs_admission.observation import AccessRefused, AuthenticationFailed, Observe, unobserved
from ecs_admission.telemetry import log_error

OPEN: Final = "open"
"""For everybody: what a probe asks, and what stands in the documentation anyway."""

ENDPOINTS: Final[Mapping[str, Permission | str]] = {
    "admission.operations": Permission.SUBMIT,
    "admission.reviews": Permission.SUBMIT,
    "bundles.policies": Permission.READ_POLICIES,
    "bundles.signed_policies": Permission.READ_POLICIES,
    "decisions.list_decisions": Permission.READ_DECISIONS,
    "decisions.show_decision": Permission.READ_DECISIONS,
    "decisions.count_decisions": Permission.READ_DECISIONS,
    "exports.export": Permission.EXPORT,
    "fingerprints.lookup": Permission.LOOK_UP_FINGERPRINTS,
    "health.healthz": OPEN,
    "health.readyz": OPEN,
    "openapi.openapi": OPEN,
}
"""What each endpoint asks for, by Flask's name of it."""

_FORWARDING: Final = re.compile(r"x-forwarded-.*|forwarded|x-real-ip", re.IGNORECASE)
_HOST: Final = re.compile(r"(\[[0-9a-fA-F:]+\]|[^:\[\]]+)(?::[0-9]{1,5})?")
_RETRY_SECONDS: Final = 60

Recorder = Callable[[EntryDraft], object]


class Access:
    """What stands before every request. Holds no state but that of the `authenticator`."""

    def __init__(
        self,
        *,
        authenticator: Authenticator | None = None,
        recorder: Recorder | None = None,
        is_for_this_machine: bool = True,
        has_host: bool = True,
        observe: Observe = unobserved,
    ) -> None:
        """Without an `authenticator` everybody may do everything; see `ANONYMOUS`.

        `recorder` makes an entry durable. `is_for_this_machine` says that only processes here can connect, and
        `has_host` that they do so by a host's name or address: on a unix socket the Host means nothing.
        """
        self._authenticator = authenticator
        self._recorder = recorder
        self._observe = observe
        self._is_gated = authenticator is None and is_for_this_machine
        self._has_host = has_host

    def install(self, app: Flask) -> None:
        """Have every request of an application pass here first."""
        app.before_request(self._admit)
        app.register_error_handler(UnauthorizedError, unauthorized)

    def record(self, kind: str, user: UserInfo | None, details: JSONObject) -> None:
        """Make an event durable. Raises `RecordUnavailableError`."""
        if self._recorder is not None:
            draft = build_event_draft(
                kind, entry_id=new_decision_id(), time_us=time.time_ns() // 1000, user=user, details=details
            )
            self._recorder(draft)

    def close(self) -> None:
        """Record the failures that no entry has counted yet."""
        self._report(now=True)

    def _admit(self) -> None:
        g.access, g.principal = self, None
        try:
            self._check()
        except UnauthorizedError as error:
            self._observe(AuthenticationFailed(str(error.code)))
            raise
        except ForbiddenError as error:
            self._observe(AccessRefused(str(error.code)))
            raise

    def _check(self) -> None:
        if "Origin" in request.headers:
            raise ForbiddenError("origin", "this service is not for pages of a browser: no Origin is accepted")
        if self._is_gated:
            self._check_gate()
        if self._authenticator is None:
            g.principal = ANONYMOUS
            return
        try:
            self._authorize(self._authenticator)
        finally:
            self._report()

    def _authorize(self, authenticator: Authenticator) -> None:
        if request.endpoint is None:
            return  # there is nothing at this path, which is not worth a secret
        needed = ENDPOINTS.get(request.endpoint)
        shown = _shown(authenticator)
        if needed == OPEN and not shown.authorization:
            return
        principal: Principal = authenticator.authenticate(shown)
        g.principal = principal
        if needed == OPEN or (isinstance(needed, Permission) and principal.may(needed)):
            return
        roles = roles_with(needed) if isinstance(needed, Permission) else ()
        self.record("access_refuse", principal.user, {"endpoint": request.endpoint, "roles": [str(r) for r in roles]})
        raise ForbiddenError("role", f"this needs one of the roles {', '.join(roles) or '(none)'}")

    def _check_gate(self) -> None:
        host = request.headers.get("Host")
        if self._has_host and host is not None and not _is_of_this_machine(host):
            raise _MisdirectedError(
                "foreign-host",
                "callers are not authenticated, so this service answers only where the Host is this machine: localhost",
            )
        if any(_FORWARDING.fullmatch(name) for name, _ in request.headers):
            raise ForbiddenError(
                "forwarded",
                "callers are not authenticated, so this service answers no proxy: set ECS_ADMISSION_AUTHENTICATION",
            )

    def _report(self, *, now: bool = False) -> None:
        if self._authenticator is None:
            return
        details = self._authenticator.attempts.report(now=now)
        if details is None:
            return
        try:
            self.record("authentication_failures", None, details)
        except AdmissionError as error:
            log_error(error)  # the answer is a refusal anyway


class _MisdirectedError(ForbiddenError):
    """The request was meant for another host, as far as its Host says (RFC 9110, 15.5.20)."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.status = 421


def principal() -> Principal:
    """Who sent the request that is being answered."""
    found: Principal = g.principal
    return found


def may(permission: Permission) -> bool:
    """Whether that is permitted to them; False for somebody who showed no credential at an open endpoint."""
    return g.principal is not None and g.principal.may(permission)


def reading_scopes(permission: Permission = Permission.READ_DECISIONS) -> tuple[Scope, ...]:
    """What of the log they may read: for `decision_log.scopes`."""
    return principal().scopes(permission)


def record_read(query: str, count: int, *, kind: str = "log_read", **details: Any) -> None:
    """Record that they read the log: one entry a query, before it is answered. `query` is what was asked for.

    Raises `RecordUnavailableError`: what cannot be recorded is not read.
    """
    access: Access = g.access
    access.record(kind, principal().user, {"query": query, "count": count, **details})


def unauthorized(error: UnauthorizedError) -> Response:
    """Problem details for a caller who did not show who they are. Repeats nothing of what they sent."""
    reason = "TooManyRequests" if error.status == 429 else error.reason
    answer = problem_answer(error.status, str(error), reason=reason, code=error.code)
    if error.status == 429:
        answer.headers["Retry-After"] = str(_RETRY_SECONDS)
    else:
        challenge = 'Bearer realm="ecs-admission"'
        is_told = error.code != "no-credential"
        answer.headers["WWW-Authenticate"] = challenge + (', error="invalid_token"' if is_told else "")
    return answer


def _shown(authenticator: Authenticator) -> Shown:
    header = authenticator.proxies.identity_header
    return Shown(
        peer=request.remote_addr or "",
        authorization=tuple(request.headers.getlist("Authorization")),
        identity=tuple(request.headers.getlist(header)) if header else (),
        forwarded=tuple(request.headers.getlist("X-Forwarded-For")),
    )


def _is_of_this_machine(host: str) -> bool:
    match = _HOST.fullmatch(host)
    if match is None:
        return False
    name = match[1].strip("[]")
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name.lower() == "localhost"
