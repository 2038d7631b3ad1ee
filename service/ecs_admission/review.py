"""The pipeline: adapt -> project -> enrich -> evaluate -> decide -> record -> respond.

Each step takes values and returns a value; none reaches back. After `project` nothing here holds a literal. The one
broad `except` of the package is in this module: whatever goes wrong becomes a decision that is no allow.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

from ecs_admission.adapt.context import FREE
from ecs_admission.adapt.operations import DEFINING
from ecs_admission.adapt.submission import Adapted
from ecs_admission.decide import decide, family_of, let_through, refused, subject, submitted_pointer
from ecs_admission.decision_log.chain import Entry
from ecs_admission.decision_log.entries import EntryDraft, build_draft
from ecs_admission.enrich.inventory import Inventory, enrich
from ecs_admission.errors import AdmissionError, CannotDecideError, EngineUnreachableError, InputError
from ecs_admission.model import (
    AdmissionRequest,
    Decision,
    DeployContext,
    FailurePolicy,
    JSONObject,
    Notice,
    PolicyInput,
    UserInfo,
    new_decision_id,
)
from ecs_admission.project.policy_input import assemble
from ecs_admission.project.projection import Projection
from ecs_admission.remediate.mend import Case, mend
from ecs_admission.remediate.proposals import Setting
from ecs_admission.respond.admission_review import review_response
from ecs_admission.revision import Revision

_REVISION = re.compile(r"sha256:[0-9a-f]{64}")
"""What is recorded of a revision that an engine names: its text is the engine's, and could be anything."""

Recorder = Callable[[EntryDraft], object]
"""Makes an entry durable, or raises `RecordUnavailableError`. The `Entry` that it returns is what a receipt names."""


Permit = Callable[[DeployContext, str | None], None]
"""Raises `ForbiddenError` where a request for a place and a family (`decide.subject`) is not the caller's to make."""


Find = Callable[[str], Revision | None]
"""Gives a revision that passed every check, by its id, where an engine answered by that one and not by the active."""


def find_none(_: str) -> Revision | None:
    """For an engine that has one revision alone."""
    return None


def permit_everything(_: DeployContext, __: str | None) -> None:
    """For a caller whom nothing limits."""


def do_not_record(_: EntryDraft) -> None:
    """For advisory checks, whose answers say that they are not recorded."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a caller gets. `response` is that of an AdmissionReview, whatever the outcome.

    `operation` and `environment` are None where they are not known, the latter also where no data names it, so that all
    but `response` and `uid` is free of what a caller wrote.
    """

    decision: Decision
    decision_id: str
    uid: str
    response: JSONObject
    timings_us: dict[str, int]
    begins_us: dict[str, int]
    revision: str
    engine: str
    operation: str | None
    environment: str | None


class _AnotherRevisionError(Exception):
    """The engine answered by a revision that is known, and is not the one that projected."""

    def __init__(self, revision: Revision) -> None:
        super().__init__()
        self.revision = revision


@dataclass(slots=True)
class _Trail:
    """What is known of a review so far, for the record of one that breaks off."""

    decision_id: str
    revision: Revision
    judged_by: str | None = None
    request: AdmissionRequest | None = None
    adapted: Adapted | None = None
    policy_input: PolicyInput | None = None
    inventory: bytes | None = None
    family: str | None = None
    receipt: str | None = None
    timings_us: dict[str, int] = field(default_factory=dict)
    begins_us: dict[str, int] = field(default_factory=dict)
    began_ns: int = field(default_factory=time.perf_counter_ns)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        begin = time.perf_counter_ns()
        self.begins_us[name] = (begin - self.began_ns) // 1000
        try:
            yield
        finally:
            spent = (time.perf_counter_ns() - begin) // 1000
            self.timings_us[name] = self.timings_us.get(name, 0) + spent


class Reviewer:
    """Judges requests, one call each. Thread-safe.

    `find` gives the revision that an engine answered by where that is not the active one: an OPA server follows in its
    own time. The request is then judged anew by that one, since the revision that projects is the one that judges.
    """

    def __init__(
        self,
        revision: Revision,
        *,
        inventory: Inventory,
        recorder: Recorder,
        on_error: Callable[[Exception], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.revision = revision
        self.find: Find = find_none
        self._inventory = inventory
        self._recorder = recorder
        self._on_error = on_error
        self._clock = clock

    def review(
        self,
        read: Callable[[], Adapted],
        *,
        operation: str | None,
        user: UserInfo,
        enforcement_point: str,
        permit: Permit = permit_everything,
    ) -> Answer:
        """Judge what `read` returns. Never raises for what a caller sent, and never allows on an error.

        `operation` is what is known of the request before it is read, for the record of one that cannot be read.
        `permit` says whether `user` may submit it at all, before anything is asked about it.
        """
        # Another revision may become active meanwhile; a review is by the one that it began with.
        trail = _Trail(new_decision_id(), self.revision)
        now = self._clock()
        decision = self._decided(
            lambda: self._judge(
                read, trail, user=user, enforcement_point=enforcement_point, now=int(now), permit=permit
            )
        )
        recorded = self._decided(
            lambda: self._record(
                decision, trail, operation=operation, user=user, enforcement_point=enforcement_point, now=now
            )
        )
        return self._respond(recorded, trail)

    def _decided(self, step: Callable[[], Decision]) -> Decision:
        """What a step decides; an error of any kind is a decision too, and no allow."""
        try:
            return step()
        except AdmissionError as error:
            return refused(error)
        except Exception as error:  # noqa: BLE001 - fail closed
            self._on_error(error)
        return refused(CannotDecideError("an internal error kept us from a decision", code="internal"))

    def _judge(
        self,
        read: Callable[[], Adapted],
        trail: _Trail,
        *,
        user: UserInfo,
        enforcement_point: str,
        now: int,
        permit: Permit,
    ) -> Decision:
        with trail.step("adapt"):
            trail.adapted = read()
        judge = partial(self._judge_by, trail, user=user, enforcement_point=enforcement_point, now=now, permit=permit)
        try:
            return judge(trail.adapted)
        except _AnotherRevisionError as error:
            trail.revision = error.revision
        # Once: an engine that goes back and forth between two proves nothing about either.
        return judge(trail.adapted, may_switch=False)

    def _judge_by(
        self,
        trail: _Trail,
        adapted: Adapted,
        *,
        user: UserInfo,
        enforcement_point: str,
        now: int,
        permit: Permit,
        may_switch: bool = True,
    ) -> Decision:
        revision = trail.revision
        with trail.step("adapt"):
            request = trail.request = self._settle(adapted, trail, user, enforcement_point, now)
        with trail.step("project"):
            location = revision.locations[request.operation]
            projection = revision.projector.project(request.canonical.value, location)
            trail.family = family_of(projection.object)
        permit(request.context, subject(request.canonical.value))
        with trail.step("enrich"):
            facts = enrich(self._inventory, projection.references, projection.object)
            policy_input = trail.policy_input = assemble(request, projection, facts)
            trail.inventory = projection.inventory
        with trail.step("evaluate"):
            try:
                evaluation = revision.engine.evaluate(policy_input)
            except EngineUnreachableError as error:
                # One that has answered for this request already, by another revision, is not away for it.
                if trail.judged_by is None and _is_ignored(request, policy_input, revision):
                    return let_through(error, request)
                raise
            if evaluation.revision != revision.id and _REVISION.fullmatch(evaluation.revision):
                trail.judged_by = evaluation.revision
                other = self.find(evaluation.revision) if may_switch else None
                if other is not None:
                    raise _AnotherRevisionError(other)
        with trail.step("decide"):
            decision = decide(
                request,
                policy_input,
                evaluation,
                revision=revision.id,
                governance=revision.governance,
                members=revision.members,
            )
            return _mended(decision, request, projection, revision) if decision.denials else decision

    def _settle(
        self, adapted: Adapted, trail: _Trail, user: UserInfo, enforcement_point: str, now: int
    ) -> AdmissionRequest:
        """Turn what a caller claims into what is judged."""
        context, revision = adapted.context, trail.revision
        governance = revision.governance
        claims = {"uid": adapted.uid, **{name: getattr(context, name) for name in FREE}}
        if context.environment not in governance.environments:
            claims["environment"] = context.environment
        for name, claim in claims.items():
            if claim is not None and revision.projector.suspects(claim, is_name=name == "environment"):
                raise InputError("suspicious-parameter", f"{name} looks like a secret", status=400)
        context = replace(context, environment=governance.settle_environment(context.account, context.environment))
        canonical = adapted.canonical
        if context.environment not in governance.environments:
            canonical = replace(canonical, notices=(*canonical.notices, _unknown_environment(governance.environments)))
        return AdmissionRequest(
            decision_id=trail.decision_id,
            uid=adapted.uid or trail.decision_id,
            operation=adapted.operation,
            canonical=canonical,
            context=context,
            user=user,
            enforcement_point=enforcement_point,
            now=now,
            dry_run=adapted.dry_run,
        )

    def _record(
        self,
        decision: Decision,
        trail: _Trail,
        *,
        operation: str | None,
        user: UserInfo,
        enforcement_point: str,
        now: float,
    ) -> Decision:
        request, policy_input, revision = trail.request, trail.policy_input, trail.revision
        with trail.step("record"):
            draft = build_draft(
                decision,
                decision_id=trail.decision_id,
                time_us=int(now * 1_000_000),
                uid=request.uid if request else None,
                operation=request.operation if request else operation,
                enforcement_point=enforcement_point,
                dry_run=request.dry_run if request else False,
                family=trail.family,
                context=request.context if request else DeployContext(),
                now=int(now),
                user=user,
                engine=revision.engine.name,
                revision=trail.judged_by or revision.id,
                timings_us=trail.timings_us,
                body=policy_input.body if policy_input else None,
                inventory=trail.inventory,
            )
            recorded = self._recorder(draft)
            trail.receipt = recorded.receipt if isinstance(recorded, Entry) else None
        return decision

    def _respond(self, decision: Decision, trail: _Trail) -> Answer:
        uid = trail.request.uid if trail.request else trail.decision_id
        response = review_response(
            decision,
            uid=uid,
            decision_id=trail.decision_id,
            revision=trail.judged_by or trail.revision.id,
            catalogue=trail.revision.governance.catalogue,
            receipt=trail.receipt,
        )
        environment = trail.request.context.environment if trail.request else None
        return Answer(
            decision=decision,
            decision_id=trail.decision_id,
            uid=uid,
            response=response,
            timings_us=trail.timings_us,
            begins_us=trail.begins_us,
            revision=trail.revision.id,
            engine=trail.revision.engine.name,
            operation=trail.request.operation if trail.request else None,
            environment=environment if environment in trail.revision.governance.environments else None,
        )


def _is_ignored(request: AdmissionRequest, policy_input: PolicyInput, revision: Revision) -> bool:
    """Whether a request that could not be sent to the engine is let through: its environment has to say so, and the
    engine has to be away for anybody. What is too much to be judged would have been denied anyway.
    """
    policy = revision.governance.failure_policy(request.context.environment)
    is_whole = not policy_input.unscanned and not policy_input.overflow
    return policy is FailurePolicy.IGNORE and is_whole and revision.engine.is_unreachable()


def _mended(decision: Decision, request: AdmissionRequest, projection: Projection, revision: Revision) -> Decision:
    """The decision with how to get to allow. Of names only those go in that the projection shows."""
    shown, context = projection.object, request.context
    setting = Setting(
        environment=context.environment,
        account=context.account,
        region=context.region,
        subject=subject(shown),
        role=shown.get("executionRoleArn"),
    )
    case = Case(request.canonical.value, setting, projection.references, request.operation in DEFINING)
    resolve = partial(submitted_pointer, request=request)
    fixes, patch = mend(decision.denials, case, revision.governance.catalogue, resolve)
    return replace(decision, fixes=fixes, patch=patch)


def _unknown_environment(known: Iterable[str]) -> Notice:
    names = ", ".join(sorted(known))
    return Notice("unknown-environment", f"judged by the strictest environment; known are {names}", "")
