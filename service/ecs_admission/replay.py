"""Recorded decisions judged again by a draft of the policies: which would be others, and what no record can tell.

The engine gets the recorded bytes, `decide` the recorded time and the draft's own actions and exceptions. Nothing is
looked up and nothing is recorded. How to read the result: `docs/how-to/preview-policies.md`.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, Final

import orjson

from ecs_admission.adapt.wrappers import WRAPPERS
from ecs_admission.decide import decide, refused, subject
from ecs_admission.decision_log.records import Record
from ecs_admission.engines.embedded import EmbeddedEngine
from ecs_admission.engines.pack import Pack
from ecs_admission.errors import AdmissionError, CannotDecideError
from ecs_admission.governance import Governance
from ecs_admission.model import (
    REDACTED,
    Action,
    AdmissionRequest,
    CanonicalObject,
    Decision,
    DeployContext,
    Finding,
    JSONObject,
    Outcome,
    Place,
    PolicyInput,
    UserInfo,
)
from ecs_admission.places import PolicyPlace
from ecs_admission.policies import load_policies
from ecs_admission.project.detectors.kingfisher import KingfisherDetector
from ecs_admission.project.fingerprints import ephemeral_key
from ecs_admission.revision import Revision, prepare
from ecs_admission.tripwires import check_revision

_DEADLINE_SECONDS: Final = 10.0
_CONTEXT: Final = tuple(each.name for each in fields(DeployContext))

READ_BY: Final = ("words", "tokens", "disclosed", "accounts")
"""The parts of `config` that say what a request is read as, before any rule judges it."""


class Doubt(StrEnum):
    """Why a record cannot tell what the draft would have decided."""

    FAMILY = "family"
    """An exception depends on a family that may not be shown, and so was not kept."""
    ENVIRONMENT = "environment"
    """The account is listed under another environment, which a caller may have contradicted."""


class Kind(StrEnum):
    """How a decision would be another."""

    NEWLY_DENIED = "newlyDenied"
    NEWLY_ALLOWED = "newlyAllowed"
    MORE_DENIALS = "moreDenials"
    NEW_WARNINGS = "newWarnings"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Draft:
    """Policies to judge by. `config` is theirs."""

    revision: Revision
    config: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a draft says of a record, what that is about, and why it may be wrong."""

    decision: Decision
    family: str | None = None
    doubts: tuple[Doubt, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """A decision that would be another, and the rules that make it so."""

    kind: Kind
    rules: tuple[str, ...]
    after: Outcome
    entry: JSONObject = field(repr=False)
    family: str | None = None
    doubts: tuple[Doubt, ...] = ()

    def document(self) -> JSONObject:
        """The change for a program."""
        request = self.entry["request"]
        return {
            "id": self.entry["id"],
            "time": self.entry["time"],
            "change": self.kind.value,
            "rules": list(self.rules),
            "before": self.entry["outcome"],
            "after": self.after.value,
            "operation": request["operation"],
            "family": self.family,
            "environment": request["context"]["environment"],
            "revision": self.entry["policy"]["revision"],
            "doubts": [doubt.value for doubt in self.doubts],
        }


@dataclass(slots=True)
class Preview:
    """What came out of a replay."""

    revision: str
    judged: int = 0
    without_body: int = 0
    damaged: int = 0
    not_decided: Counter[Outcome] = field(default_factory=Counter)
    """Records that had no decision of a policy then, by what the draft decides."""
    doubts: Counter[Doubt] = field(default_factory=Counter)
    readings: Counter[tuple[str | None, tuple[str, ...] | None]] = field(default_factory=Counter)
    """Records by the revision that read them, and what of that the draft reads otherwise; None for not known."""
    changes: list[Change] = field(default_factory=list)

    def document(self) -> JSONObject:
        """All of it for a program."""
        return {
            "revision": self.revision,
            "records": {
                "judged": self.judged,
                "withoutBody": self.without_body,
                "damaged": self.damaged,
                "undecidedThen": {outcome.value: count for outcome, count in sorted(self.not_decided.items())},
            },
            "changes": {kind.value: sum(each.kind is kind for each in self.changes) for kind in Kind},
            "byRule": [
                {"change": kind.value, "rule": rule, "family": family, "decisions": count}
                for (kind, rule, family), count in self.by_rule()
            ],
            "decisions": [change.document() for change in self.changes],
            "readings": [
                {"revision": revision, "records": count, "otherwise": None if parts is None else list(parts)}
                for (revision, parts), count in self.readings.most_common()
            ],
            "doubts": {doubt.value: self.doubts[doubt] for doubt in Doubt},
            "cannotTell": list(self.cannot_tell()),
        }

    def by_rule(self) -> list[tuple[tuple[Kind, str, str | None], int]]:
        """How many decisions change, by how, rule and family: most first."""
        counts = Counter((each.kind, rule, each.family) for each in self.changes for rule in each.rules or ("",))
        order = {kind: number for number, kind in enumerate(Kind)}
        return sorted(counts.items(), key=lambda item: (order[item[0][0]], -item[1], item[0][1], item[0][2] or ""))

    def cannot_tell(self) -> Iterator[str]:
        """What the records do not say, in words."""
        for (revision, parts), count in self.readings.most_common():
            if parts is None:
                yield (
                    f"{count} records were read by revision {revision}, which is not at hand (--known): whether the "
                    "draft would have found the same in them the record cannot tell"
                )
            elif parts:
                yield (
                    f"the draft reads {count} records of revision {revision} otherwise ({', '.join(parts)}): what it "
                    "would have found in them the record cannot tell"
                )
        if self.doubts[Doubt.FAMILY]:
            yield (
                f"{self.doubts[Doubt.FAMILY]} records are of a family that may not be shown: whether an exception for "
                "a family covers them the record cannot tell"
            )
        if self.doubts[Doubt.ENVIRONMENT]:
            yield (
                f"{self.doubts[Doubt.ENVIRONMENT]} records are of accounts that the draft lists under another "
                "environment: whether the caller claimed another, which is refused, the record cannot tell"
            )
        if self.without_body:
            yield f"{self.without_body} records have no body: no engine was asked, or retention has dropped it"
        if self.damaged:
            yield f"{self.damaged} records are not what was written; `ecs-admission log verify` says which"


def prepare_draft(places: Sequence[PolicyPlace], *, clock: Callable[[], float] = time.time) -> Draft:
    """The policies of `places`, tried as the service tries them before they judge. Raises `AdmissionError`."""
    pack = load_policies(places, now=clock()).pack
    engine = EmbeddedEngine(pack, threads=1, deadline_seconds=_DEADLINE_SECONDS)
    try:
        revision = prepare(pack, engine=engine, detectors=(KingfisherDetector(),), key=ephemeral_key(), now=clock())
        check_revision(revision)
    except AdmissionError:
        engine.close()
        raise
    return Draft(revision, pack.config)


def replay(records: Iterable[Record], draft: Draft, known: Iterable[Pack]) -> Preview:
    """Judge records by a draft. `known` are the packs at hand, to tell which of them read a record as the draft would.

    Raises what reading the records raises.
    """
    preview = Preview(draft.revision.id)
    configs = {pack.revision: pack.config for pack in known} | {draft.revision.id: draft.config}
    compared: dict[str | None, tuple[str, ...] | None] = {}
    for record in records:
        if record.body is None:
            preview.without_body += 1
            continue
        if not record.is_whole:
            preview.damaged += 1
            continue
        verdict = judge_record(record, draft.revision)
        preview.judged += 1
        preview.doubts.update(verdict.doubts)
        before = record.entry["policy"]["revision"]
        if before not in compared:
            compared[before] = _read_otherwise(configs.get(before), draft.config)
        preview.readings[before, compared[before]] += 1
        if record.entry["outcome"] not in _JUDGED:
            preview.not_decided[verdict.decision.outcome] += 1
            continue
        change = _change(record.entry, verdict)
        if change is not None:
            preview.changes.append(change)
    return preview


def judge_record(record: Record, revision: Revision) -> Verdict:
    """What a revision decides of a record, at the time that policies saw then. Never raises.

    A record that is no PolicyInput, or that the engine fails on, is undecided. The place of a finding is named as the
    record names it. Of part of a text, such as a value in a list of options, a finding that was not made then goes by
    the word that was found in it, since the name of the whole was not kept.
    """
    try:
        request, policy_input, doubts = _read(record, revision.governance)
    except (LookupError, TypeError, ValueError, AttributeError):
        return Verdict(refused(CannotDecideError("the record is not a PolicyInput", code="damaged-record")))
    try:
        decision = decide(
            request,
            policy_input,
            revision.engine.evaluate(policy_input),
            revision=revision.id,
            governance=revision.governance,
            members=revision.members,
        )
    except AdmissionError as error:
        decision = refused(error)
    family = subject(request.canonical.value)
    if family is not None and family.startswith(_HIDDEN):
        family = REDACTED
        if any(_hinges_on_family(finding, request, revision.governance) for finding in decision.findings):
            doubts = (*doubts, Doubt.FAMILY)
    return Verdict(decision, family, doubts)


_HIDDEN: Final = REDACTED.rstrip(">")
_JUDGED: Final = frozenset({Outcome.ALLOWED, Outcome.DENIED, Outcome.FAIL_OPEN})


def _read(record: Record, governance: Governance) -> tuple[AdmissionRequest, PolicyInput, tuple[Doubt, ...]]:
    """What `decide` needs, from the bytes that the engine saw; names that those leave out from the entry's findings."""
    body = record.body or b""
    document = orjson.loads(body)
    recorded, shown = document["request"], document["object"]
    claimed = recorded["context"]
    context = DeployContext(**{name: claimed[name] for name in _CONTEXT})
    if not isinstance(shown, dict) or not isinstance(claimed["now"], int) or not _are_texts(context, recorded):
        raise TypeError
    environment, doubts = _settle(context, governance)
    if environment != context.environment:
        context = replace(context, environment=environment)
        recorded["context"] = claimed | {"environment": environment}
        body = orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    prefix = _prefix(recorded["operation"], record.entry["findings"])
    user = recorded["userInfo"]
    request = AdmissionRequest(
        decision_id=recorded["uid"],
        uid=recorded["uid"],
        operation=recorded["operation"],
        canonical=CanonicalObject(shown, pointers={"family": f"{prefix}/family"} if prefix else {}),
        context=context,
        user=UserInfo(user["username"], tuple(user["groups"])),
        enforcement_point=recorded["enforcementPoint"],
        now=claimed["now"],
        dry_run=recorded["dryRun"],
    )
    literals = document["literals"]
    policy_input = PolicyInput(
        decision_id=recorded["uid"],
        body=body,
        places=_places(literals, document["references"])
        | {
            found["pointer"].removeprefix(prefix): Place(found["container"], found["field"], found["name"])
            for found in record.entry["findings"]
        },
        unscanned=any(signal["detector"] == "unscanned" for literal in literals for signal in literal["signals"]),
        overflow=document["counts"]["left_out"] > 0,
    )
    return request, policy_input, doubts


def _are_texts(context: DeployContext, recorded: JSONObject) -> bool:
    claims = [getattr(context, name) for name in _CONTEXT]
    return isinstance(recorded["uid"], str) and all(claim is None or isinstance(claim, str) for claim in claims)


def _settle(context: DeployContext, governance: Governance) -> tuple[str | None, tuple[Doubt, ...]]:
    """The environment that the draft judges by, as `Governance.settle_environment` has it; the claim was not kept."""
    listed = governance.accounts.get(context.account) if context.account is not None else None
    if listed is not None:
        return listed, () if listed == context.environment else (Doubt.ENVIRONMENT,)
    return (None if governance.accounts else context.environment), ()


def _prefix(operation: str, findings: Sequence[JSONObject]) -> str:
    """Where in the submitted document the object stood, as far as findings tell; see `adapt.wrappers`."""
    wrapper = WRAPPERS.get(operation)
    if wrapper is None:
        return ""
    prefix = f"/{wrapper.member}"
    return prefix if any(found["pointer"].startswith(f"{prefix}/") for found in findings) else ""


def _places(literals: Sequence[JSONObject], references: Sequence[JSONObject]) -> dict[str, Place]:
    """The places of a projection, see there."""
    places: dict[str, Place] = {}
    for found in references:
        place = Place(found["container"], found["field"], found["name"])
        places[found["pointer"]] = place
        places.setdefault(found["pointer"].rpartition("/")[0] + "/name", place)
    for literal in literals:
        places.setdefault(literal["pointer"], Place(literal["container"], literal["field"], literal["name"]))
    return places


def _hinges_on_family(finding: Finding, request: AdmissionRequest, governance: Governance) -> bool:
    """Whether an exception would cover a finding if the family were the one that it names."""
    return any(
        "family" in exception.match
        and exception.covers(
            finding.rule,
            finding.place,
            family=exception.match["family"],
            context=request.context,
            now=request.now,
        )
        for exception in governance.exceptions
    )


def _read_otherwise(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> tuple[str, ...] | None:
    return None if before is None else tuple(part for part in READ_BY if before.get(part) != after.get(part))


def _change(entry: JSONObject, verdict: Verdict) -> Change | None:
    decision = verdict.decision
    found = _difference(entry, decision)
    if found is None:
        return None
    kind, rules = found
    return Change(kind, tuple(sorted(rules)), decision.outcome, entry, verdict.family, verdict.doubts)


def _difference(entry: JSONObject, decision: Decision) -> tuple[Kind, set[str]] | None:
    """How a decision differs from what was recorded, and by which rules; None where it does not."""
    denied = Counter(f["rule"] for f in entry["findings"] if f["action"] == Action.DENY and f["exception"] is None)
    denials = Counter(f.rule for f in decision.denials)
    was_denied = entry["outcome"] == Outcome.DENIED
    if decision.outcome not in (Outcome.ALLOWED, Outcome.DENIED):
        return Kind.UNDECIDED, set()
    if was_denied != (decision.outcome is Outcome.DENIED):
        return (Kind.NEWLY_ALLOWED, set(denied)) if was_denied else (Kind.NEWLY_DENIED, set(denials))
    if entry["findingsTruncated"]:
        return None  # what is not in the entry cannot be told from what is new
    if more := denials - denied:
        return Kind.MORE_DENIALS, set(more)
    warned = Counter(
        f["rule"]
        for f in entry["findings"]
        if f["action"] == Action.WARN or (f["action"] == Action.DENY and f["exception"] is not None)
    )
    # What denied and now only warns is milder, and no news to anybody.
    if new := Counter(f.rule for f in decision.warnings) - warned - denied:
        return Kind.NEW_WARNINGS, set(new)
    return None
