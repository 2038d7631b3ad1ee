"""Decisions as a large organisation would have them in a year, made from a fixed seed.

Most are allowed, few families, accounts and people have much and many have little, and what is rare is very rare: a
filter is asked for values of each sort.
"""

from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import Final

from ecs_admission.decision_log.entries import EntryDraft, build_draft
from ecs_admission.model import Action, Decision, DeployContext, Finding, Outcome, Place, UserInfo

YEAR_US: Final = 365 * 86_400_000_000
SEED: Final = 20261124

FAMILIES, REPOSITORIES, ACTORS, CALLERS, ACCOUNTS, REVISIONS, EXCEPTIONS = 5_000, 2_000, 800, 300, 60, 60, 40


class _Weighted:
    """A choice of words by their weights, in half a microsecond."""

    def __init__(self, weights: Mapping[str, float]) -> None:
        self._words = list(weights)
        self._bounds = list(accumulate(weights.values()))

    def pick(self, chance: random.Random) -> str:
        return self._words[bisect(self._bounds, chance.random() * self._bounds[-1], hi=len(self._words) - 1)]


_OUTCOMES: Final = _Weighted({"allowed": 92_000, "denied": 7_500, "invalid": 480, "undecided": 18, "failOpen": 2})
_OPERATIONS: Final = _Weighted(
    {"RegisterTaskDefinition": 88_000, "UpdateService": 9_000, "RunTask": 2_500, "CreateService": 495, "X": 5}
)
_POINTS: Final = _Weighted({"api": 96_000, "cli": 3_990, "hook": 10})
_REGIONS: Final = _Weighted(
    {
        "eu-central-1": 50,
        "eu-west-1": 30,
        "us-east-1": 15,
        "us-west-2": 4.5,
        "ap-southeast-2": 0.499,
        "sa-east-1": 0.001,
    }
)
_ENVIRONMENTS: Final = _Weighted({"dev": 60, "staging": 25, "prod": 14.9, "sandbox": 0.0995, "dr-test": 0.0005})
_SEVERITIES: Final = {
    "plaintext/environment": "critical",
    "plaintext/field": "critical",
    "logging/secret-option": "high",
    "references/invalid-value-from": "high",
    "roles/execution-role-missing": "medium",
    "registries/repository-credentials": "medium",
    "references/name-collision": "low",
    "bounds/exceeded": "low",
}
_RULES: Final = _Weighted(dict(zip(_SEVERITIES, (50, 20, 12, 8, 6, 3.9, 0.0999, 0.0001), strict=True)))
_CONTROLS: Final = {"critical": ("PCI:8.6.2", "FSBP:ECS.8"), "high": ("FSBP:ECS.9",), "medium": ("NIST:AC-6",)}
_USERS: Final = [UserInfo(f"repo:example/caller-{number}", ("system:authenticated",)) for number in range(CALLERS)]
_TIMINGS: Final = {"adapt": 130, "project": 310, "enrich": 21, "evaluate": 280, "decide": 7}


class Generator:
    """One `part` of `parts` of `count` decisions, in the order of time, over the year from `first_us` on.

    With `whole_bodies` each has a PolicyInput and an inventory, 3 KB of a request with twelve literals. Without, those
    with findings have a PolicyInput with nothing but what the findings are about, so that ten million fit on a disk.
    """

    def __init__(self, count: int, first_us: int, *, part: int = 0, parts: int = 1, whole_bodies: bool = False) -> None:
        self._numbers = range(part, count, parts)
        self._count = count
        self._first_us = first_us
        self._whole_bodies = whole_bodies
        self._chance = random.Random(SEED + part)

    def drafts(self) -> Iterator[EntryDraft]:
        """Each decision."""
        step = YEAR_US / self._count
        for number in self._numbers:
            yield self._draft(self._first_us + int((number + self._chance.random()) * step), number)

    def _draft(self, time_us: int, number: int) -> EntryDraft:
        chance = self._chance
        family, account = _popular(FAMILIES, chance), _popular(ACCOUNTS, chance)
        outcome = Outcome(_OUTCOMES.pick(chance))
        findings = self._findings(outcome, family)
        return build_draft(
            Decision(outcome, "" if outcome is Outcome.ALLOWED else "NonCompliant", "", findings),
            decision_id=uuid7(time_us, chance),
            time_us=time_us,
            uid=uuid7(time_us, chance),
            operation=_OPERATIONS.pick(chance),
            enforcement_point=_POINTS.pick(chance),
            dry_run=False,
            family=f"team-{family % 70}-service-{family}",
            context=DeployContext(
                environment=_ENVIRONMENTS.pick(chance),
                account=f"{100_000_000_000 + account}",
                region=_REGIONS.pick(chance),
                cluster="main",
                service=f"service-{family}",
                actor=f"person-{_popular(ACTORS, chance)}",
                repository=f"example/repository-{family % REPOSITORIES}",
                commit=f"{chance.getrandbits(160):040x}",
                run=str(number),
            ),
            now=time_us // 1_000_000,
            user=_USERS[_popular(CALLERS, chance)],
            engine="embedded",
            revision=f"sha256:{number * REVISIONS // self._count:064x}",
            timings_us=_TIMINGS,
            body=self._body(family, len(findings)) if findings or self._whole_bodies else None,
            inventory=self._inventory() if self._whole_bodies else None,
        )

    def _findings(self, outcome: Outcome, family: int) -> tuple[Finding, ...]:
        chance = self._chance
        is_denied = outcome is Outcome.DENIED
        count = chance.choice((1, 1, 2, 5)) if is_denied else chance.random() < 0.2
        return tuple(self._finding(index, family, is_denied=is_denied) for index in range(count))

    def _finding(self, index: int, family: int, *, is_denied: bool) -> Finding:
        chance = self._chance
        rule = _RULES.pick(chance)
        severity = _SEVERITIES[rule]
        is_excepted = not is_denied and chance.random() < 0.1
        return Finding(
            rule=rule,
            pointer=f"/containerDefinitions/0/environment/{index}/value",
            action=Action.DENY if is_denied else Action.WARN,
            severity=severity,
            place=Place(container=chance.choice(("app", "log", f"sidecar-{family}")), field="environment", name="X"),
            exception=f"exception-{_popular(EXCEPTIONS, chance)}" if is_excepted else None,
            controls=_CONTROLS.get(severity, ()),
        )

    def _body(self, family: int, findings: int) -> bytes:
        literals = b",".join(
            b'{"fingerprint":"k0badc0de:%016x%016x","pointer":"/containerDefinitions/0/environment/%d/value"}'
            % (family, index, index)
            for index in range(findings)
        )
        names = _NAMES if self._whole_bodies else b""
        return b'{"literals":[%s],"object":{"environmentNames":[%s]}}' % (literals, names)

    def _inventory(self) -> bytes:
        return b'{"fingerprints":"%0384x","key":"k0badc0de","leftOut":0,"names":[%s],"pointers":[%s]}' % (
            self._chance.getrandbits(12 * 128),
            _NAMES_OF_TWELVE,
            _POINTERS_OF_TWELVE,
        )


_NAMES: Final = b",".join(b'"SOME_VARIABLE_%d"' % number for number in range(75))
_NAMES_OF_TWELVE: Final = b",".join(b'"SOME_VARIABLE_%d"' % number for number in range(12))
_POINTERS_OF_TWELVE: Final = b",".join(b'"/containerDefinitions/0/environment/%d/value"' % each for each in range(12))


def uuid7(time_us: int, chance: random.Random) -> str:
    """An id of RFC 9562, version 7, without the ceremony of `uuid.UUID`."""
    rest = f"{chance.getrandbits(76):019x}"
    moment = f"{time_us // 1000:012x}"
    return f"{moment[:8]}-{moment[8:]}-7{rest[:3]}-{'89ab'[int(rest[3], 16) & 3]}{rest[4:7]}-{rest[7:]}"


def _popular(count: int, chance: random.Random) -> int:
    """Few have much, many have little: the one of half the rank has twice as much."""
    return min(count - 1, int(count ** chance.random()) - 1)
