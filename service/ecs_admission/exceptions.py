"""Exceptions as a whole: which are in force and used, and which a team needs to start. Pure: values in, value out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from ecs_admission.decide import UNEXCEPTABLE
from ecs_admission.governance import PolicyException
from ecs_admission.model import REDACTED, DeployContext, Finding, JSONObject

ENDING_DAYS = 14
"""How long before its end an exception is listed as ending: time to mend what it covers, or to ask again."""

_DAY_SECONDS = 86_400
_MAX_ID_CHARS = 120
MATCH_ORDER = ("rule", "family", "container", "name", "account", "environment")
"""The parts of a match as a person reads them."""

_ID_ORDER = ("family", "container", "name", "rule", "environment", "account")


class State(StrEnum):
    """Where an exception stands in its time."""

    ACTIVE = "active"
    ENDING = "ending"
    EXPIRED = "expired"


class Use(StrEnum):
    """Whether an exception has lifted a denial lately."""

    USED = "used"
    UNUSED = "unused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Uses:
    """What a log says of exceptions: when each was last applied (seconds since the epoch).

    `problem` says why an exception that is not in it may have been applied all the same.
    """

    last: Mapping[str, int] = field(default_factory=dict)
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """An exception at some time."""

    exception: PolicyException
    state: State
    use: Use
    last_applied: int | None

    @property
    def conditions(self) -> frozenset[str]:
        """What may be asked for: its state, and of one that can still apply its use."""
        may_apply = self.state is not State.EXPIRED
        return frozenset({self.state.value, *([self.use.value] if may_apply else [])})


@dataclass(frozen=True, slots=True)
class Denial:
    """A finding that denies, with what an exception can match of its request.

    `family` is None where the request names none, or one that may not be shown. `source` is the file it was found in.
    """

    source: str
    finding: Finding
    family: str | None
    context: DeployContext


@dataclass(frozen=True, slots=True)
class Terms:
    """What somebody answers for, the same for every exception that is generated at once."""

    owner: str
    approver: str
    issue: str
    reason: str
    expires: int


@dataclass(frozen=True, slots=True)
class Proposal:
    """Exceptions, and the denials that none of them may cover, each with why.

    `broad` are the ids of those that leave out a name which may not be shown, and so cover more than was found.
    """

    exceptions: tuple[PolicyException, ...]
    uncovered: tuple[tuple[Denial, str], ...]
    broad: tuple[str, ...]


def last_day(exception: PolicyException) -> date:
    """The last day (UTC) on which an exception holds: what `expires` says in its file."""
    return datetime.fromtimestamp(exception.expires - 1, UTC).date()


def end_after(days: int, *, now: float) -> int:
    """The first second after the day that is `days` after today (UTC), in seconds since the epoch."""
    today = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return int((today + timedelta(days=days + 1)).timestamp())


def take_stock(exceptions: Iterable[PolicyException], uses: Uses, *, now: float) -> tuple[Standing, ...]:
    """How each exception stands at `now` (seconds since the epoch), the one that ends first in front."""
    standings = (_standing(exception, uses, now) for exception in exceptions)
    return tuple(sorted(standings, key=lambda standing: (standing.exception.expires, standing.exception.id)))


def read_uses(entries: Iterable[JSONObject], wanted: Iterable[str]) -> Uses:
    """When the exceptions `wanted` were last applied, from entries of the decision log, newest first.

    Reads no further than until each has been seen.
    """
    missing, last, cut = set(wanted), dict[str, int](), False
    for entry in entries:
        cut = cut or entry["findingsTruncated"] > 0
        seen = missing.intersection(finding["exception"] for finding in entry["findings"])
        last |= dict.fromkeys(seen, entry["time"] // 1_000_000)
        missing -= seen
        if not missing:
            break
    return Uses(last, "the log has entries from which findings were cut" if cut and missing else None)


def propose(denials: Iterable[Denial], terms: Terms, *, taken: Iterable[str]) -> Proposal:
    """One exception for each denial that one may cover, as narrow as what is known and shown allows.

    Denials that no exception could tell apart share one. The narrowest come first, since the first that covers a
    finding is the one that counts as used. `taken` are ids that are in use.
    """
    is_broad: dict[tuple[tuple[str, str], ...], bool] = {}
    uncovered: list[tuple[Denial, str]] = []
    for denial in denials:
        why_not = _why_not(denial)
        if why_not is not None:
            uncovered.append((denial, why_not))
            continue
        match = tuple(_match(denial).items())
        is_broad[match] = is_broad.get(match, False) or _has_hidden_name(denial)
    ids = set(taken)
    ordered = sorted(is_broad, key=lambda match: (-len(match), match))
    exceptions = {match: _exception(dict(match), terms, ids) for match in ordered}
    broad = tuple(exceptions[match].id for match in ordered if is_broad[match])
    return Proposal(tuple(exceptions.values()), tuple(uncovered), broad)


def _standing(exception: PolicyException, uses: Uses, now: float) -> Standing:
    last = uses.last.get(exception.id)
    unseen = Use.UNUSED if uses.problem is None else Use.UNKNOWN
    return Standing(exception, _state(exception, now), unseen if last is None else Use.USED, last)


def _state(exception: PolicyException, now: float) -> State:
    if now >= exception.expires:
        return State.EXPIRED
    return State.ENDING if exception.expires - now <= ENDING_DAYS * _DAY_SECONDS else State.ACTIVE


def _why_not(denial: Denial) -> str | None:
    if denial.finding.rule in UNEXCEPTABLE:
        return "no exception covers what could not be judged"
    if denial.family is None:
        return "an exception needs a family, and that of this request is missing or may not be shown"
    return None


def _match(denial: Denial) -> dict[str, str]:
    place, context = denial.finding.place, denial.context
    known = {
        "rule": denial.finding.rule,
        "family": denial.family,
        "container": place.container,
        "name": place.name,
        "account": context.account,
        "environment": context.environment,
    }
    return {key: text for key in MATCH_ORDER if (text := known[key]) is not None and not _is_hidden(text)}


def _has_hidden_name(denial: Denial) -> bool:
    place = denial.finding.place
    return any(_is_hidden(name) for name in (place.container, place.name) if name is not None)


def _is_hidden(text: str) -> bool:
    """True for what stands in the place of a name that may not be shown (`model.REDACTED` and its aliases)."""
    return text.startswith(REDACTED.rstrip(">"))


def _exception(match: Mapping[str, str], terms: Terms, ids: set[str]) -> PolicyException:
    return PolicyException(
        _new_id(match, ids), match, terms.expires, reason=terms.reason, owner=terms.owner, approver=terms.approver,
        issue=terms.issue,
    )  # fmt: skip


def _new_id(match: Mapping[str, str], ids: set[str]) -> str:
    """An id that says what is excepted, and that is in `ids` from now on."""
    words = "-".join(match[key] for key in _ID_ORDER if key in match)
    slug = re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")[:_MAX_ID_CHARS].rstrip("-")
    found = next(candidate for candidate in _numbered(slug) if candidate not in ids)
    ids.add(found)
    return found


def _numbered(slug: str) -> Iterator[str]:
    yield slug
    number = 2
    while True:
        yield f"{slug}-{number}"
        number += 1
