"""Which entries are asked for: the parameters of a query of the decision log, read and checked.

Values of one parameter are alternatives, parameters add up, and a value after `!` is one that an entry must not have.
A parameter is given again or holds several values with commas between them; a backslash takes a comma or `!` that
follows it as it is. What is wrong is told by the parameter's name and never by what was given. Pure, but for the
clock that is passed in. Parameters: `docs/reference/query.md`.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import orjson

from ecs_admission.catalogue import SEVERITIES
from ecs_admission.decision_log.entries import EVENT_KINDS
from ecs_admission.errors import InputError
from ecs_admission.model import REDACTED, JSONObject, Outcome

MAX_VALUES: Final = 50
"""Values that one parameter may have."""

KINDS: Final = ("decision", *sorted(EVENT_KINDS))

_ANY: Final = re.compile(r"[^\x00-\x1f\x7f]{1,512}")


@dataclass(frozen=True, slots=True)
class Parameter:
    """What one parameter means: the column or the terms it goes by, and what a value of it looks like."""

    column: str | None
    form: str
    grammar: re.Pattern[str] = _ANY


def _one_of(words: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, words)))


PARAMETERS: Final[Mapping[str, Parameter]] = {
    "outcome": Parameter("outcome", f"one of {', '.join(Outcome)}", _one_of(Outcome)),
    "rule": Parameter(
        None, "a rule id, such as plaintext/environment", re.compile(r"[A-Za-z0-9._-]{1,128}/[A-Za-z0-9._/-]{1,128}")
    ),
    "severity": Parameter(None, f"one of {', '.join(SEVERITIES)}", _one_of(SEVERITIES)),
    "control": Parameter(None, "a control of a framework, such as AWS-FSBP:ECS.8"),
    "operation": Parameter(
        "operation", "an ECS API operation, such as RegisterTaskDefinition", re.compile("[A-Za-z]{1,64}")
    ),
    "family": Parameter("family", "a task definition's family"),
    "container": Parameter(None, "the name of a container that a finding is in"),
    "account": Parameter("account", "an AWS account id of 12 digits", re.compile("[0-9]{12}")),
    "region": Parameter("region", "an AWS Region", re.compile(r"[a-z]{2,5}(?:-[a-z]{1,12}){1,3}-[0-9]{1,2}")),
    "environment": Parameter("environment", "an environment's name"),
    "service": Parameter("service", "an ECS service"),
    "repository": Parameter("repository", "a source repository"),
    "actor": Parameter("actor", "who started a pipeline, by the pipeline's word"),
    "caller": Parameter("username", "who asked, as the service established it"),
    "enforcementPoint": Parameter("enforcement_point", "where a request came in, such as api"),
    "revision": Parameter("revision", "a policy revision, such as sha256:..."),
    "exception": Parameter(None, "the id of an exception that applied"),
    "fingerprint": Parameter(
        None, "a fingerprint: a key id, a colon and 32 hex digits", re.compile(r"k[0-9a-f]{8}:[0-9a-f]{32}")
    ),
    "kind": Parameter("kind", "a kind of entry, such as decision", _one_of(KINDS)),
}
"""Every parameter but the times. Those without a column go by terms of the same name."""

TIMES: Final = ("since", "until")

_TIME_FORM: Final = "a time such as 2026-11-24T13:00:00Z, a day such as 2026-11-24, or how long ago, such as 24h or 7d"
_AGO: Final = re.compile(r"([0-9]{1,6})([smhdw])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
# The `+` of an offset is a blank where nobody encoded it for a query.
_DAY: Final = r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
_CLOCK: Final = r"([0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]{1,9})?"
_MOMENT: Final = re.compile(rf"{_DAY}(?:[Tt ]{_CLOCK}(?:[Zz]|([ +-])([0-9]{{2}}:[0-9]{{2}})))?")
_DIGEST: Final = re.compile(r"[0-9]{1,15}")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Clause:
    """What a parameter asks for: one of the values `wanted`, where there are any, and none of those `unwanted`."""

    name: str
    wanted: tuple[str, ...] = ()
    unwanted: tuple[str, ...] = ()

    @property
    def column(self) -> str | None:
        """The column that it goes by, None where it goes by terms."""
        return PARAMETERS[self.name].column


@dataclass(frozen=True, slots=True)
class Filters:
    """What is asked for. Times are in microseconds since the epoch, the first inclusive and the second exclusive.

    `given` is what was given, for a record of the query and to know it again.
    """

    since_us: int | None = None
    until_us: int | None = None
    clauses: tuple[Clause, ...] = ()
    given: tuple[tuple[str, str], ...] = ()

    @property
    def kinds(self) -> Clause:
        """The kinds of entries; decisions unless the query says otherwise."""
        return next((each for each in self.clauses if each.name == "kind"), Clause("kind", ("decision",)))

    @property
    def key(self) -> str:
        """Names the query, so that a cursor can say which one it continues."""
        return hashlib.sha256(orjson.dumps(sorted(self.given))).hexdigest()[:16]

    def document(self) -> JSONObject:
        """The query as it was given, each parameter with its texts."""
        found: JSONObject = {}
        for name, value in sorted(self.given):
            found.setdefault(name, []).append(value)
        return found

    def summary(self, *, has_results: bool) -> str:
        """The query for a record of it. A free text that nothing was found by is left out: it may be anything."""
        return " ".join(f"{name}={text if self._is_safe(name, has_results) else REDACTED}" for name, text in self.given)

    def _is_safe(self, name: str, has_results: bool) -> bool:
        if name in TIMES or PARAMETERS[name].grammar is not _ANY:
            return True
        values = [each for each in self.clauses if each.name == name]
        return has_results and all(len(each.wanted) == 1 and not each.unwanted for each in values)


def read_filters(pairs: Iterable[tuple[str, str]], *, now: float) -> Filters:
    """The filters of a query, given as pairs of a parameter and its text. `now` is in seconds since the epoch.

    Raises `InputError` `unknown-parameter`, `repeated-parameter` or `invalid-parameter`, whose `pointer` is the name.
    """
    given = tuple(pairs)
    times: dict[str, int] = {}
    values: dict[str, tuple[list[str], list[str]]] = {}
    for name, text in given:
        if name in TIMES:
            if name in times:
                raise InputError("repeated-parameter", f"parameter {name} is given twice", status=400, pointer=name)
            times[name] = read_time(name, text, now=now)
        elif name in PARAMETERS:
            _read_values(name, text, *values.setdefault(name, ([], [])))
        else:
            raise _unknown(name)
    since, until = times.get("since"), times.get("until")
    if since is not None and until is not None and since >= until:
        raise _invalid("until", "a time after since")
    clauses = tuple(Clause(name, _once(wanted), _once(unwanted)) for name, (wanted, unwanted) in values.items())
    return Filters(since, until, clauses, given)


def read_time(name: str, text: str, *, now: float) -> int:
    """A time in microseconds since the epoch. Raises `InputError` that names the parameter."""
    if (ago := _AGO.fullmatch(text)) is not None:
        moment = int(now * 1e6) - timedelta(**{_UNITS[ago[2]]: int(ago[1])}) // timedelta(microseconds=1)
        return max(0, moment)
    match = _MOMENT.fullmatch(text)
    if match is None:
        raise _invalid(name, _TIME_FORM)
    day, clock, fraction, sign, offset = match.groups()
    zone = "+00:00" if offset is None else ("-" if sign == "-" else "+") + offset
    try:
        moment = (datetime.fromisoformat(f"{day}T{clock or '00:00:00'}{zone}") - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        raise _invalid(name, _TIME_FORM) from None
    return max(0, moment + int(float(fraction or 0) * 1e6))


def read_as_of(text: str | None, newest: Callable[[], int | None]) -> int | None:
    """The digest that a query is limited to: a number, or `latest` for the one that `newest` tells.

    Without a digest there is nothing to be limited to. Raises `InputError` that names the parameter.
    """
    if text is None:
        return None
    if text == "latest":
        return newest()
    if _DIGEST.fullmatch(text) is None:
        raise _invalid("as_of", "the number of a digest, or latest")
    return int(text)


def _read_values(name: str, text: str, wanted: list[str], unwanted: list[str]) -> None:
    parameter = PARAMETERS[name]
    for value, is_negated in _split(text):
        if parameter.grammar.fullmatch(value) is None:
            raise _invalid(name, parameter.form)
        (unwanted if is_negated else wanted).append(value)
    if len(wanted) + len(unwanted) > MAX_VALUES:
        raise _invalid(name, f"at most {MAX_VALUES} values")


def _split(text: str) -> Iterable[tuple[str, bool]]:
    """The values in a text with commas, and whether a `!` stands before each."""
    for part in re.findall(r"(?:\A|,)((?:\\.|[^,\\]|\\\Z)*)", text, re.DOTALL):
        is_negated = part.startswith("!")
        yield re.sub(r"\\(.)", r"\1", part[is_negated:], flags=re.DOTALL), is_negated


def _once(values: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def _invalid(name: str, form: str) -> InputError:
    return InputError("invalid-parameter", f"parameter {name} must be {form}", status=400, pointer=name)


def _unknown(name: str) -> InputError:
    """Names what was perhaps meant: the name itself came from the caller, and may be anything."""
    known = (*TIMES, *PARAMETERS)
    near = difflib.get_close_matches(name[:64], known, n=1)
    hint = f"; was {near[0]} meant?" if near else ""
    return InputError(
        "unknown-parameter", f"a parameter is not known; known filters are {', '.join(known)}{hint}", status=400
    )
