"""From an engine's answer to a verdict. Pure: values in, value out.

Allow needs proof; each step of `decide` says what it proves.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from ecs_admission.errors import AdmissionError, CannotDecideError, InputError
from ecs_admission.governance import Governance
from ecs_admission.model import (
    FAILED_OPEN,
    Action,
    AdmissionRequest,
    CanonicalObject,
    Decision,
    Evaluation,
    Finding,
    JSONObject,
    Notice,
    Outcome,
    Place,
    PolicyInput,
    RawFinding,
)

MAX_FINDINGS = 200
BOUNDS_RULE = "bounds/exceeded"
UNSCANNED_RULE = "plaintext/unscanned"
UNEXCEPTABLE = frozenset({BOUNDS_RULE, UNSCANNED_RULE})
"""Rules that say that part of the request was not judged: they always deny, and no exception covers them."""

_TOKEN = re.compile(r"[0-9]{1,6}|<[0-9]{1,6}>")
_NOWHERE = Place(None, "request", None)


def decide(
    request: AdmissionRequest,
    policy_input: PolicyInput,
    evaluation: Evaluation,
    *,
    revision: str,
    governance: Governance,
    members: Collection[str],
) -> Decision:
    """The verdict on a request. `members` are the names of the API's own members, which a pointer may consist of.

    Raises `CannotDecideError` where the evaluation does not prove what an allow needs.
    """
    # 1. The answer is for this request, 2. from the revision that projected it, 3. by all of its rules.
    if evaluation.decision_id != policy_input.decision_id:
        raise CannotDecideError("the engine answered for another decision", code="wrong-decision")
    if evaluation.revision != revision:
        raise CannotDecideError("the engine judged by another policy revision", code="wrong-revision")
    if not evaluation.evaluated or evaluation.evaluated != governance.catalogue.keys():
        raise CannotDecideError("the engine did not evaluate exactly the rules of the catalogue", code="wrong-rules")
    # 4. Every finding is one that the catalogue can explain, at a place of this request.
    for raw in evaluation.findings:
        _check(raw, policy_input, governance, members)
    raws = sorted(
        set(evaluation.findings), key=lambda raw: (raw.rule not in UNEXCEPTABLE, raw.at, raw.rule, raw.variant or "")
    )
    if policy_input.overflow or len(raws) > MAX_FINDINGS:
        # 5. More than can be judged is a denial of its own.
        raws = [RawFinding(BOUNDS_RULE, ""), *(raw for raw in raws if raw.rule != BOUNDS_RULE)][:MAX_FINDINGS]
    findings = tuple(_finding(raw, request, policy_input, governance) for raw in raws)
    # 6. What was not scanned is reported as that.
    if policy_input.unscanned and not any(f.rule == UNSCANNED_RULE for f in findings):
        raise CannotDecideError("part of the request was not scanned and no rule says so", code="unscanned")
    # 7. No denial is left after actions and exceptions.
    denied = any(f.action is Action.DENY and f.exception is None for f in findings)
    return Decision(
        outcome=Outcome.DENIED if denied else Outcome.ALLOWED,
        reason="NonCompliant" if denied else "",
        message="the request does not comply" if denied else "the request complies",
        findings=findings,
        notices=request.canonical.notices,
        status=403 if denied else 200,
    )


def refused(error: AdmissionError) -> Decision:
    """The decision that an error amounts to: never an allow."""
    if isinstance(error, InputError):
        return Decision(
            outcome=Outcome.INVALID,
            reason=error.reason,
            message=str(error),
            error_code=error.code,
            error_pointer=error.pointer,
            status=error.status,
        )
    return Decision(
        outcome=Outcome.UNDECIDED, reason=error.reason, message=str(error), error_code=error.code, status=503
    )


def let_through(error: AdmissionError, request: AdmissionRequest) -> Decision:
    """The decision on a request that nobody judged, where the data of its environment ignores that."""
    notice = Notice(FAILED_OPEN, f"nobody judged this request: {error}; failurePolicy here is Ignore", "")
    return Decision(
        outcome=Outcome.FAIL_OPEN,
        reason=error.reason,
        message="let through without being judged",
        notices=(notice, *request.canonical.notices),
        error_code=error.code,
    )


def _check(raw: RawFinding, policy_input: PolicyInput, governance: Governance, members: Collection[str]) -> None:
    rule = governance.catalogue.get(raw.rule)
    if rule is None:
        raise CannotDecideError("a finding names a rule that the catalogue does not", code="unknown-rule")
    if raw.variant is not None and raw.variant not in rule.variants:
        raise CannotDecideError(f"a finding of {rule.id} has an unknown variant", code="unknown-variant")
    known_place = raw.at == "" or raw.at in policy_input.places or _is_pointer(raw.at, members)
    if not known_place:
        raise CannotDecideError(f"a finding of {rule.id} is at no place of the request", code="unknown-place")


def _is_pointer(pointer: str, members: Collection[str]) -> bool:
    """True where a pointer has only members of the API and indexes, so that it cannot carry a caller's text."""
    tokens = pointer.split("/")
    return tokens[0] == "" and all(token in members or _TOKEN.fullmatch(token) for token in tokens[1:])


def _finding(raw: RawFinding, request: AdmissionRequest, policy_input: PolicyInput, governance: Governance) -> Finding:
    rule = governance.catalogue[raw.rule]
    place = policy_input.places.get(raw.at) or _place(raw.at)
    exceptable = rule.id not in UNEXCEPTABLE
    action = governance.action(rule, raw.variant, request.context.environment) if exceptable else Action.DENY
    exception = None
    if exceptable:
        family = subject(request.canonical.value)
        exception = governance.exception(rule.id, place, family=family, context=request.context, now=request.now)
    return Finding(
        rule=rule.id,
        pointer=submitted_pointer(raw.at, request),
        action=action,
        severity=rule.severity,
        place=place,
        variant=raw.variant,
        exception=exception,
        controls=rule.controls,
        at=raw.at,
    )


def subject(value: JSONObject) -> str | None:
    """What a request is about, as exceptions name it: a family, or else a service or the resource that is tagged."""
    names = (family_of(value), value.get("serviceName"), value.get("service"), value.get("resourceArn"))
    return next((name for name in names if isinstance(name, str) and name), None)


def family_of(value: JSONObject) -> str | None:
    """The family of the task definition that a request makes, or of the one that it starts.

    Of an ARN or `family:revision` the family alone, so that an exception outlives a revision.
    """
    family, definition = value.get("family"), value.get("taskDefinition")
    if isinstance(family, str) and family:
        return family
    started = definition.rpartition("/")[2].partition(":")[0] if isinstance(definition, str) else ""
    return started or None


def submitted_pointer(pointer: str, request: AdmissionRequest) -> str:
    """A pointer into the canonical object as one into the document that was submitted, which may wrap it."""
    if not pointer:
        return ""
    member, slash, below = pointer[1:].partition("/")
    return _top(member, request.canonical) + slash + below


def _top(member: str, canonical: CanonicalObject) -> str:
    """The place of a top-level member in the submitted document; one that is absent would stand beside the others."""
    if member.startswith("<"):
        number, names = int(member[1:-1]), list(canonical.value)
        # Of a record judged again the members that were not shown are missing.
        return canonical.pointers.get(names[number], f"/{member}") if number < len(names) else f"/{member}"
    known = canonical.pointers.get(member)
    if known is not None:
        return known
    prefixes = {place.removesuffix(f"/{name}") for name, place in canonical.pointers.items() if name == "family"}
    return f"{next(iter(prefixes), '')}/{member}"


def _place(pointer: str) -> Place:
    """A place that is neither literal nor reference, named by the last member in its pointer."""
    names = [token for token in pointer.split("/") if token and not _TOKEN.fullmatch(token)]
    return Place(None, names[-1], None) if names else _NOWHERE
