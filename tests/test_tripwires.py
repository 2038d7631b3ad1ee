"""A revision that lets a leak through, or repeats what it read, does not judge anything for anyone."""

from __future__ import annotations

import copy
import itertools
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ecs_admission import tripwires
from ecs_admission.engines.embedded import EmbeddedEngine
from ecs_admission.engines.pack import Pack
from ecs_admission.errors import EngineUnavailableError, PolicyError
from ecs_admission.model import Evaluation, JSONObject, PolicyInput, RawFinding
from ecs_admission.project.detectors.protocol import Detector
from ecs_admission.project.disclosure import looks_random
from ecs_admission.project.fingerprints import FingerprintKey
from ecs_admission.revision import Revision, prepare
from ecs_admission.tripwires import check_revision

EXCEPTION = {
    "id": "e1",
    "reason": "r",
    "owner": "o",
    "approver": "a",
    "issue": "i",
    "expires": (datetime.now(UTC) + timedelta(days=30)).date().isoformat(),
}
ENVIRONMENTS = ("dev", "test", "staging", "prod")
LISTS_OF_WORDS = ("secret", "weak", "faint", "glued", "always")

Change = Callable[[JSONObject], object]
Try = Callable[..., None]


@pytest.fixture
def try_out(
    pack: Pack, detectors: tuple[Detector, ...], key: FingerprintKey
) -> Iterator[Try]:  # fmt: skip
    """Tries the pack that ships with its data changed, as it would be before it judges."""
    engines = []

    def try_(*changes: Change, without_kingfisher: bool = False) -> None:
        data = copy.deepcopy(dict(pack.data))
        for change in changes:
            change(data)
        changed = replace(pack, data=data)
        engine = EmbeddedEngine(changed, threads=1, deadline_seconds=30.0)
        engines.append(engine)
        others = () if without_kingfisher else detectors[1:]
        check_revision(prepare(changed, engine=engine, detectors=others, key=key, now=time.time()))

    yield try_
    for engine in engines:
        engine.close()


def refusal(try_out: Try, *changes: Change, **options: bool) -> str:
    with pytest.raises(PolicyError) as caught:
        try_out(*changes, **options)
    message = str(caught.value)
    assert message.startswith("the policies are not fit to judge: ")
    return message.removeprefix("the policies are not fit to judge: ")


def put(*path: str, to: Any) -> Change:
    def change(data: JSONObject) -> None:
        where: Any = data
        for step in path[:-1]:
            where = where[step]
        where[path[-1]] = to

    return change


def soften(environment: str, action: str, catalogue: Any) -> Change:
    return put("config", "environments", environment, "actions", to=dict.fromkeys(catalogue, action))


def test_what_ships_is_fit_to_judge(revision: Revision) -> None:
    check_revision(revision)


def test_what_ships_needs_no_detector_of_others_for_it(try_out: Try) -> None:
    try_out(without_kingfisher=True)


def test_no_words_and_no_patterns_are_refused(try_out: Try) -> None:
    no_words = [put("config", "words", name, to=["zzyzx"]) for name in LISTS_OF_WORDS]
    no_tokens = put("config", "tokens", to={"own": []})
    assert refusal(try_out, *no_words, no_tokens, without_kingfisher=True).startswith(
        "static AWS keys has to be denied, and is not: the request complies (allowed)"
    )
    assert "has to be denied, and is not" in refusal(try_out, *no_words, no_tokens)
    # What detectors of others know is not enough: without words no password is found.
    assert refusal(try_out, *no_words).startswith("a password ")


@pytest.mark.parametrize("excuse", ["harmless_endings", "harmless_beginnings"])
def test_words_that_excuse_a_password_are_refused(try_out: Try, pack: Pack, excuse: str) -> None:
    words = [*pack.config["words"][excuse], "password", "db"]
    lists = [
        put("config", "words", name, to=[word for word in pack.config["words"][name] if "password" not in word])
        for name in ("secret", "glued")
    ]
    assert refusal(try_out, put("config", "words", excuse, to=words), *lists).startswith("a password ")


@pytest.mark.parametrize("name", ["placeholders", "settings"])
def test_a_pattern_that_makes_everything_nothing_is_refused(try_out: Try, name: str) -> None:
    assert refusal(try_out, put("config", "words", name, to=[".*"])).startswith("a password ")


def test_kinds_that_excuse_everything_are_refused(try_out: Try) -> None:
    kinds = ["opaque", "mixed", "random", "long", "uuid", "word", "slug", "text", "list", "class", "number", "host"]
    assert refusal(try_out, put("config", "kinds", "harmless", to=kinds)).startswith("a password ")


@pytest.mark.parametrize("value", [None, "random", 7, {"random": True}])
def test_kinds_of_another_form_are_refused_or_as_strict(try_out: Try, value: Any) -> None:
    """Nothing of it may make an error of Rego an allow."""
    try_out(put("config", "kinds", "harmless", to=value))


@pytest.mark.parametrize("action", ["warn", "dryrun"])
def test_a_profile_that_denies_nothing_is_refused(try_out: Try, pack: Pack, action: str) -> None:
    everything = dict.fromkeys(pack.catalogue, action)
    assert refusal(try_out, put("config", "profiles", "baseline", to=everything)).startswith(
        "static AWS keys has to be denied, and is not: the request complies (allowed)"
    )


@pytest.mark.parametrize("rule", ["plaintext/environment", "plaintext/field"])
def test_one_rule_about_leaks_that_no_environment_denies_is_refused(try_out: Try, rule: str) -> None:
    assert "has to be denied, and is not" in refusal(
        try_out, put("config", "profiles", "baseline", to={rule: "warn"})
    )  # fmt: skip


def test_all_environments_softened_one_by_one_are_refused(try_out: Try, pack: Pack) -> None:
    assert refusal(try_out, *(soften(name, "warn", pack.catalogue) for name in ENVIRONMENTS))


@pytest.mark.parametrize("hard", ENVIRONMENTS)
def test_one_environment_that_still_denies_is_enough(try_out: Try, pack: Pack, hard: str) -> None:
    try_out(*(soften(name, "dryrun", pack.catalogue) for name in ENVIRONMENTS if name != hard))


def test_an_environment_of_its_own_may_be_soft(try_out: Try, pack: Pack) -> None:
    own = {"profile": "baseline", "actions": dict.fromkeys(pack.catalogue, "dryrun")}
    try_out(lambda data: data["config"]["environments"].update(lab=own))


def test_accounts_do_not_make_an_unknown_one_soft(try_out: Try, pack: Pack) -> None:
    try_out(soften("dev", "dryrun", pack.catalogue), put("config", "accounts", to={"111122223333": "dev"}))


def test_exceptions_for_every_family_there_is_are_no_way_through(try_out: Try, pack: Pack) -> None:
    """A match names its family, so nobody can write one for everything; the requests' families are made each time."""
    items = [
        {**EXCEPTION, "id": f"{rule}{family}", "match": {"rule": rule, "family": family}}
        for rule in pack.catalogue
        for family in ("web", "*", ".*", "tripwire-")
    ]
    try_out(put("exceptions", "items", to=items))


def test_exceptions_for_what_is_tried_are_refused(try_out: Try, pack: Pack) -> None:
    items = [{**EXCEPTION, "id": rule, "match": {"rule": rule, "family": "tripwire"}} for rule in pack.catalogue]
    assert refusal(try_out, put("exceptions", "items", to=items)).startswith("a token in an override has to be denied")


def test_what_was_not_looked_at_is_denied_whatever_data_says(try_out: Try) -> None:
    lowered = dict.fromkeys(("bounds/exceeded", "plaintext/unscanned"), "dryrun")
    try_out(
        put("config", "profiles", "baseline", to=lowered),
        *(put("config", "environments", name, "actions", to=lowered) for name in ENVIRONMENTS),
    )


class Engine:
    """Answers by a function, or as the real one where it returns None."""

    name = "fake"

    def __init__(self, real: Revision, answer: Callable[[PolicyInput, Evaluation], Evaluation | None]) -> None:
        self._real = real
        self._answer = answer

    def evaluate(self, policy_input: PolicyInput) -> Evaluation:
        evaluation = self._real.engine.evaluate(policy_input)
        return self._answer(policy_input, evaluation) or evaluation

    def probe(self) -> None: ...

    def is_unreachable(self) -> bool:
        return False

    def close(self) -> None: ...


def test_a_finding_that_repeats_a_text_is_refused(revision: Revision, monkeypatch: pytest.MonkeyPatch) -> None:
    """PolicyInput holds no text to repeat, so what would get around that is put in the engine's way here."""
    words: list[str] = []
    monkeypatch.setattr(secrets, "token_urlsafe", remember(secrets.token_urlsafe, words))

    def repeat(policy_input: PolicyInput, evaluation: Evaluation) -> Evaluation:
        told = tuple(RawFinding(f.rule, f.at, f.variant) for f in evaluation.findings)
        return replace(evaluation, findings=(*told, RawFinding("plaintext/field", f"/{words[0]}")))

    with pytest.raises(PolicyError, match="not fit to judge"):
        check_revision(replace(revision, engine=Engine(revision, repeat)))


def test_a_text_that_a_place_of_the_request_holds_is_found(revision: Revision, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where every check of `decide` lets it pass."""
    words: list[str] = []
    monkeypatch.setattr(secrets, "token_urlsafe", remember(secrets.token_urlsafe, words))
    shown = replace(revision, members=frozenset({*revision.members, "x"}))

    class Everything(frozenset[str]):
        def __contains__(self, item: object) -> bool:
            return True

    def repeat(_: PolicyInput, evaluation: Evaluation) -> Evaluation:
        return replace(evaluation, findings=(*evaluation.findings, RawFinding("plaintext/field", f"/{words[0]}")))

    with pytest.raises(PolicyError) as caught:
        check_revision(replace(shown, members=Everything(), engine=Engine(revision, repeat)))
    assert str(caught.value) == "the policies are not fit to judge: a finding repeats a text of the request"
    assert words[0] not in str(caught.value)


def remember(make: Callable[[int], str], words: list[str]) -> Callable[[int], str]:
    def token_urlsafe(count: int) -> str:
        word = make(count)
        if count == tripwires._CANARY_BYTES and looks_random(word):
            words.append(word)
        return word

    return token_urlsafe


def test_the_word_that_is_looked_for_is_never_one_that_a_request_may_show(
    revision: Revision, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, make = itertools.repeat("FsQKSy-x40-SSFCMGIMUEiiV", 3), secrets.token_urlsafe
    assert not looks_random("FsQKSy-x40-SSFCMGIMUEiiV")
    monkeypatch.setattr(
        secrets, "token_urlsafe",
        lambda count: next(plain, None) or make(count) if count == tripwires._CANARY_BYTES else make(count),
    )  # fmt: skip
    assert looks_random(tripwires._canary())
    check_revision(revision)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"findings": ()}, "allowed"),
        ({"revision": "sha256:other"}, "wrong-revision"),
        ({"decision_id": "other"}, "wrong-decision"),
        ({"evaluated": frozenset()}, "wrong-rules"),
    ],
)
def test_an_engine_that_proves_nothing_is_refused(revision: Revision, change: JSONObject, code: str) -> None:
    engine = Engine(revision, lambda _, evaluation: replace(evaluation, **change))
    with pytest.raises(PolicyError, match=rf"has to be denied, and is not: .* \({code}\)"):
        check_revision(replace(revision, engine=engine))


def test_an_engine_that_is_away_is_no_proof(revision: Revision) -> None:
    def away(*_: object) -> None:
        raise EngineUnavailableError("away")

    with pytest.raises(PolicyError, match=r"has to be denied, and is not: away \(undecided\)"):
        check_revision(replace(revision, engine=Engine(revision, away)))


def test_trying_does_not_close_the_engine(revision: Revision) -> None:
    closed: list[str] = []

    class Watched(Engine):
        def close(self) -> None:
            closed.append("closed")

    check_revision(replace(revision, engine=Watched(revision, lambda *_: None)))
    assert closed == []


def test_the_requests_are_made_anew_each_time() -> None:
    """So that no data can name them."""
    first, second = ([repr(t) for t in tripwires._tripwires()] for _ in range(2))
    assert len(first) == len(second) >= 7
    assert set(first).isdisjoint(second)
