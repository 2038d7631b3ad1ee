"""Which revision judges: a mistake leaves the one before in place and is told, and the next good one clears it."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier, Event, Thread, current_thread

import orjson
import pytest

from ecs_admission.activation import Activation, Active, follow
from ecs_admission.adapt.submission import Adapted, read_operation
from ecs_admission.decision_log.entries import EntryDraft
from ecs_admission.engines.embedded import EmbeddedEngine
from ecs_admission.engines.pack import Pack
from ecs_admission.enrich.inventory import NoInventory
from ecs_admission.errors import PolicyError, PolicyUnavailableError
from ecs_admission.model import Evaluation, JSONObject, Outcome, PolicyInput, Refusal, UserInfo
from ecs_admission.policies import load_policies
from ecs_admission.project.detectors.protocol import Detector
from ecs_admission.project.fingerprints import FingerprintKey
from ecs_admission.review import Answer, Reviewer, do_not_record
from ecs_admission.revision import Revision, prepare
from ecs_admission.tripwires import check_revision
from tests.engines.layers import folder, rule
from tests.layered import NOW, path_with_opa
from tests.project.samples import environment

SOFT = "dev: {actions: {plaintext/environment: warn}}\n"
HARD = "dev: {actions: {plaintext/environment: deny}}\n"
BROKEN = "dev: {actions: {plaintext/environment: maybe}}\n"
LEAKING = "".join(
    f"{name}: {{actions: {{plaintext/environment: dryrun}}}}\n" for name in ("dev", "test", "staging", "prod")
)
LEAKY = environment([("DB_PASSWORD", "Orange-7-Boat")])


class Followed:
    """An activation over one layer, with all that it told."""

    def __init__(
        self, place: Path, detectors: tuple[Detector, ...], key: FingerprintKey, *, is_followed: bool = False
    ) -> None:
        self.place = folder(place, {"config/environments/data.yaml": HARD})
        self.engines: list[Watched] = []
        self.changes: list[Active] = []
        self.refusals: list[Refusal] = []
        self.now = float(NOW)
        self._is_followed = is_followed
        self._detectors, self._key = detectors[1:], key
        self.activation = Activation(
            [self.place], self.prepare, clock=lambda: self.now, is_followed=is_followed
        )  # fmt: skip
        self.reviewer = Reviewer(
            self.activation.active.revision, inventory=NoInventory(), recorder=do_not_record, on_error=_fail,
            clock=lambda: self.now,
        )  # fmt: skip
        self.activation.on_change = self._change
        self.reviewer.find = self.activation.find
        self.activation.on_refusal = self.refusals.append

    def prepare(self, pack: Pack) -> Revision:
        engine = Server(pack) if self._is_followed else Watched(pack)
        self.engines.append(engine)
        revision = prepare(pack, engine=engine, detectors=self._detectors, key=self._key, now=self.now)
        if not self._is_followed:
            check_revision(revision)
        return revision

    def _change(self, active: Active) -> None:
        self.changes.append(active)
        self.reviewer.revision = active.revision

    def write(self, text: str, file: str = "config/environments/data.yaml") -> None:
        folder(self.place, {file: text})
        self.activation.check()

    @property
    def id(self) -> str:
        return self.activation.active.revision.id

    def ask(self, read: Callable[[], Adapted] | None = None, document: JSONObject = LEAKY) -> Answer:
        body, pairs = orjson.dumps(document), [("environment", "dev")]
        return self.reviewer.review(
            read or (lambda: read_operation("RegisterTaskDefinition", body, pairs)),
            operation="RegisterTaskDefinition", user=UserInfo("pipeline"), enforcement_point="test",
        )  # fmt: skip


class Watched(EmbeddedEngine):
    """The embedded engine, and whether it was closed."""

    def __init__(self, pack: Pack) -> None:
        super().__init__(pack, threads=2, deadline_seconds=30.0)
        self.is_closed = False

    def close(self) -> None:
        self.is_closed = True
        super().close()


def _fail(error: Exception) -> None:
    raise error


@pytest.fixture
def followed(tmp_path: Path, detectors: tuple[Detector, ...], key: FingerprintKey) -> Iterator[Followed]:
    """Policies that deny a leak in `dev`, active."""
    made = Followed(tmp_path / "layer", detectors, key)
    yield made
    for engine in made.engines:
        engine.close()
    gc.collect()


def test_what_is_there_at_the_start_is_active(followed: Followed) -> None:
    assert followed.activation.refused is None
    assert followed.ask().decision.outcome is Outcome.DENIED
    assert followed.ask().response["auditAnnotations"]["policy-revision"] == followed.id


@pytest.mark.parametrize("text", [BROKEN, LEAKING, "dev: [\n"])
def test_a_service_does_not_start_with_a_mistake(
    tmp_path: Path, detectors: tuple[Detector, ...], key: FingerprintKey, text: str
) -> None:
    place = folder(tmp_path / "layer", {"config/environments/data.yaml": text})

    def make(pack: Pack) -> Revision:
        engine = Watched(pack)
        try:
            revision = prepare(pack, engine=engine, detectors=detectors[1:], key=key, now=NOW)
            check_revision(revision)
        finally:
            engine.close()
        return revision

    with pytest.raises(PolicyError):
        Activation([place], make, clock=lambda: NOW)


def test_nothing_is_read_again_while_nothing_changes(followed: Followed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecs_admission.activation.load_policies", _fail)
    followed.activation.check()
    followed.activation.check()
    assert (followed.changes, followed.refusals, len(followed.engines)) == ([], [], 1)


def test_a_change_is_judged_by_from_then_on_and_told(followed: Followed) -> None:
    before = followed.id
    followed.write(SOFT)
    (active,) = followed.changes
    assert active.revision.id == followed.id != before
    assert active.weakened == ("environment dev: plaintext/environment is warn and no longer deny",)
    answer = followed.ask()
    assert answer.decision.outcome is Outcome.ALLOWED
    assert answer.response["auditAnnotations"]["policy-revision"] == followed.id


def test_a_file_that_changes_nothing_is_no_change(followed: Followed) -> None:
    followed.write("# A comment.\n" + HARD)
    folder(followed.place, {"README.md": "# Policies\n"})
    followed.activation.check()
    assert (followed.changes, followed.refusals, len(followed.engines)) == ([], [], 1)


MISTAKES = [
    ("config/environments/data.yaml", BROKEN,
     "config/environments/data.yaml:1: the action must be one of deny, warn, dryrun"),
    ("config/environments/data.yaml", "dev: [\n", "config/environments/data.yaml: The document is not valid YAML"),
    ("config/environments/data.yaml", LEAKING, "has to be denied, and is not"),
    ("config/words/data.yaml", "placeholders: ['.*']\n", "has to be denied, and is not"),
    ("exceptions/data.yaml", "items: [{id: a}]\n", "exceptions/data.yaml:1: reason is missing"),
    ("removals/data.yaml", "x: []\n", "removals/data.yaml:1: x is not there to be removed"),
    ("catalogue/data.yaml", "rules: {}\n", "catalogue/data.yaml: the build makes catalogue and revision"),
    ("admission/rules/plaintext/environment/environment.rego", "package admission.rules.plaintext.environment\n",
     "is there already"),
    ("org/x.rego", "package admission.lib.literals\n\n_explained(_, _) := true\n", "is not for a layer"),
]  # fmt: skip


@pytest.mark.opa
def test_a_mistake_leaves_the_revision_before_and_is_told(followed: Followed, monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, as they happen to a service that runs."""
    monkeypatch.setenv("PATH", path_with_opa())
    before = followed.id
    for number, (file, text, told) in enumerate(MISTAKES, 1):
        followed.now = NOW + 60 * number
        followed.write(text, file)
        refused = followed.activation.refused
        assert refused is not None, file
        assert told in refused.reason
        assert refused.since == NOW + 60 * number
        assert followed.refusals == [refused]
        assert (followed.id, followed.changes) == (before, [])
        assert followed.ask().decision.outcome is Outcome.DENIED
        # It is told once, and stays to be seen until something else is there.
        followed.activation.check()
        assert (followed.activation.refused, len(followed.refusals)) == (refused, 1)
        (followed.place / file).unlink()
        followed.write(HARD)
        assert followed.activation.refused is None
        followed.refusals.clear()
    followed.write(SOFT)
    assert [active.revision.id for active in followed.changes] == [followed.id]
    assert followed.ask().decision.outcome is Outcome.ALLOWED


def test_going_back_to_what_is_active_clears_a_refusal_without_another_engine(followed: Followed) -> None:
    followed.write(BROKEN)
    assert len(followed.refusals) == 1
    followed.write(HARD)
    assert followed.activation.refused is None
    assert (followed.changes, len(followed.engines)) == ([], 1)


@pytest.mark.parametrize("how", ["empty", "gone", "no folder"])
def test_policies_that_vanish_leave_the_revision_before(followed: Followed, how: str) -> None:
    before = followed.id
    file = followed.place / "config" / "environments" / "data.yaml"
    file.unlink()
    if how != "empty":
        file.parent.rmdir()
        file.parent.parent.rmdir()
        followed.place.rmdir()
    if how == "no folder":
        followed.place.write_text("x")
    followed.activation.check()
    assert followed.activation.refused is not None
    assert followed.id == before
    assert followed.ask().decision.outcome is Outcome.DENIED


def test_a_file_that_goes_while_it_is_read_leaves_the_revision_before(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = followed.activation.active

    def vanish(*_: object, **__: object) -> None:
        raise FileNotFoundError(2, "gone", "/some/file")

    monkeypatch.setattr("ecs_admission.activation.load_policies", vanish)
    folder(followed.place, {"config/environments/data.yaml": SOFT})
    followed.activation.check()
    assert followed.activation.active is before
    assert [refusal.reason for refusal in followed.refusals] == ["the policies cannot be read"]


def test_an_engine_of_a_revision_that_is_refused_is_not_the_one_that_judges(followed: Followed) -> None:
    followed.write(LEAKING)
    assert len(followed.engines) == 2
    assert followed.reviewer.revision.engine is followed.engines[0]
    assert not followed.engines[0].is_closed


@pytest.mark.opa
def test_a_rule_is_added_while_the_service_runs(followed: Followed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", path_with_opa())
    ((name, text),) = rule("org/some", 'input.object.family == "old"').items()
    followed.write(text, name)
    assert followed.activation.refused is None
    answer = followed.ask(document=environment([]) | {"family": "old"})
    assert [finding.rule for finding in answer.decision.denials] == ["org/some"]
    followed.write(text.replace("old", "older"), name)
    assert followed.ask(document=environment([]) | {"family": "old"}).decision.outcome is Outcome.ALLOWED


def during(followed: Followed, *changes: str) -> Answer:
    """The answer of a review that has begun when the changes are made, and goes on after them."""
    body, started, go_on = orjson.dumps(LEAKY), Barrier(2, timeout=30), Event()

    def read() -> Adapted:
        started.wait()
        assert go_on.wait(30)
        return read_operation("RegisterTaskDefinition", body, [("environment", "dev")])

    with ThreadPoolExecutor(1) as beside:
        answer = beside.submit(followed.ask, read)
        started.wait()
        for text in changes:
            followed.write(text)
        go_on.set()
        return answer.result(30)


def test_a_review_is_by_the_revision_that_it_began_with(followed: Followed) -> None:
    before = followed.id
    answer = during(followed, SOFT)
    assert followed.id != before
    assert answer.response["auditAnnotations"]["policy-revision"] == before
    assert answer.decision.outcome is Outcome.DENIED
    assert followed.ask().decision.outcome is Outcome.ALLOWED


def test_an_engine_is_closed_when_nobody_judges_by_it_any_more(followed: Followed) -> None:
    followed.write(SOFT)
    # Not where Python finds out that it is not used, which may be under the very lock that closing takes.
    assert [engine.is_closed for engine in followed.engines] == [False, False]
    followed.activation.check()
    assert [engine.is_closed for engine in followed.engines] == [True, False]
    followed.write(HARD)
    followed.changes.clear()
    followed.activation.check()
    assert [engine.is_closed for engine in followed.engines] == [True, True, False]


def test_a_review_that_outlives_many_changes_is_decided(followed: Followed) -> None:
    before = followed.id
    answer = during(followed, SOFT, HARD, SOFT)
    assert answer.decision.outcome is Outcome.DENIED
    assert answer.response["auditAnnotations"]["policy-revision"] == before
    followed.changes.clear()
    followed.activation.check()
    assert [engine.is_closed for engine in followed.engines] == [True, True, True, False]


class Server(Watched):
    """An engine that follows on its own: an answer is by what it has got, whatever it is asked by."""

    has: Pack | None = None

    def evaluate(self, policy_input: PolicyInput) -> Evaluation:
        assert Server.has is not None
        engine = EmbeddedEngine(Server.has, threads=1, deadline_seconds=30.0)
        try:
            return engine.evaluate(policy_input)
        finally:
            engine.close()


class TestServerThatFollows:
    """An OPA server gets policies in its own time: those before, those that are incoming, and others."""

    @pytest.fixture
    def rolled(
        self, tmp_path: Path, detectors: tuple[Detector, ...], key: FingerprintKey, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[Followed]:
        made = Followed(tmp_path / "layer", detectors, key, is_followed=True)
        yield made
        for engine in made.engines:
            engine.close()

    def packs(self, followed: Followed, *texts: str) -> list[Pack]:
        return [load_policies([folder(followed.place.parent / str(number), {
            "config/environments/data.yaml": text})], now=NOW).pack for number, text in enumerate(texts)]  # fmt: skip

    def test_a_revision_is_incoming_until_the_server_has_judged_by_it(self, rolled: Followed) -> None:
        hard, soft = self.packs(rolled, HARD, SOFT)
        Server.has = hard
        before = rolled.id
        rolled.write(SOFT)
        assert (rolled.id, rolled.changes) == (before, [])
        assert rolled.activation.newest.revision.id == soft.revision
        answer = rolled.ask()
        assert answer.decision.outcome is Outcome.DENIED
        assert answer.response["auditAnnotations"]["policy-revision"] == before
        Server.has = soft
        answer = rolled.ask()
        assert answer.decision.outcome is Outcome.ALLOWED
        assert answer.response["auditAnnotations"]["policy-revision"] == soft.revision == rolled.id
        assert [active.revision.id for active in rolled.changes] == [soft.revision]
        assert rolled.activation.incoming is None
        # Another server behind the same address may still have the one before, and answers by it.
        Server.has = hard
        assert rolled.ask().response["auditAnnotations"]["policy-revision"] == before
        assert (rolled.id, len(rolled.changes)) == (soft.revision, 1)

    def test_one_that_reaches_the_server_first_is_looked_for(self, rolled: Followed) -> None:
        hard, soft = self.packs(rolled, HARD, SOFT)
        folder(rolled.place, {"config/environments/data.yaml": SOFT})
        Server.has = soft
        assert rolled.ask().decision.outcome is Outcome.ALLOWED
        assert rolled.id == soft.revision != hard.revision

    def test_one_that_nobody_knows_is_no_allow_and_named(self, rolled: Followed) -> None:
        (Server.has,) = self.packs(rolled, SOFT)
        drafts: list[EntryDraft] = []
        rolled.reviewer._recorder = drafts.append
        answer = rolled.ask()
        assert (answer.decision.outcome, answer.decision.error_code) == (Outcome.UNDECIDED, "wrong-revision")
        assert drafts[0].document["policy"]["revision"] == Server.has.revision != rolled.id
        assert answer.response["auditAnnotations"]["policy-revision"] == Server.has.revision

    def test_what_no_revision_is_called_is_not_repeated(self, rolled: Followed) -> None:
        (soft,) = self.packs(rolled, SOFT)
        Server.has = replace(soft, data={**soft.data, "revision": {"id": "a text of somebody's making"}})
        answer = rolled.ask()
        assert answer.decision.error_code == "wrong-revision"
        assert "somebody" not in repr(answer)

    def test_one_that_is_taken_back_before_the_server_had_it_is_forgotten(self, rolled: Followed) -> None:
        (Server.has,) = self.packs(rolled, HARD)
        rolled.write(SOFT)
        rolled.write(HARD)
        assert (rolled.activation.incoming, rolled.changes, len(rolled.engines)) == (None, [], 2)
        assert (
            rolled.activation.newest.revision.id
            == rolled.id
            == rolled.ask().response["auditAnnotations"]["policy-revision"]
        )


class TestPassingCauses:
    def test_what_could_not_be_read_is_read_again_though_nothing_has_changed(
        self, followed: Followed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patched:
            patched.setattr("ecs_admission.activation.load_policies", _unavailable)
            followed.write(SOFT)
            followed.activation.check()
            followed.activation.check()
        assert [refusal.reason for refusal in followed.refusals] == ["the source does not answer"]
        followed.activation.check()
        assert followed.activation.refused is None
        assert followed.ask().decision.outcome is Outcome.ALLOWED


def _unavailable(*_: object, **__: object) -> None:
    raise PolicyUnavailableError("the source does not answer")


def test_checks_at_once_do_something_once(followed: Followed) -> None:
    folder(followed.place, {"config/environments/data.yaml": SOFT})
    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(followed.activation.check) for _ in range(8)]:
            done.result(60)
    assert (len(followed.changes), len(followed.engines)) == (1, 2)


def test_an_exception_of_three_months_does_not_make_the_policies_wrong_later(followed: Followed) -> None:
    """Nor earlier: it is asked when it is read how far ahead it is, and again when it is read again."""
    text = (
        "items: [{id: e1, match: {rule: plaintext/environment, family: web}, reason: r, owner: o, approver: a, "
        "issue: i, expires: '2026-12-25'}]\n"
    )
    followed.write(text, "exceptions/data.yaml")
    assert ["at most 90 days ahead" in refused.reason for refused in followed.refusals] == [True]
    followed.now += 10 * 86_400
    followed.write("# Ten days later.\n" + text, "exceptions/data.yaml")
    assert followed.activation.refused is None
    assert followed.ask().decision.outcome is Outcome.ALLOWED
    followed.now += 200 * 86_400
    assert followed.ask().decision.outcome is Outcome.DENIED
    followed.write("# Long after.\n" + text + "# \n", "exceptions/data.yaml")
    assert followed.activation.refused is None


class TestFollow:
    def test_it_checks_from_a_thread_of_its_own_until_it_is_stopped(self) -> None:
        threads: list[Thread] = []
        twice = Event()

        class Counting:
            def check(self) -> None:
                threads.append(current_thread())
                if len(threads) == 2:
                    twice.set()

        stop = follow(Counting(), every_seconds=0.001)  # type: ignore[arg-type]
        assert twice.wait(30)
        stop.set()
        threads[0].join(30)
        assert {thread.name for thread in threads} == {"policies"}
        assert not threads[0].is_alive()

    def test_zero_seconds_mean_never(self) -> None:
        class Counting:
            def check(self) -> None:
                raise AssertionError

        assert not follow(Counting(), every_seconds=0).is_set()  # type: ignore[arg-type]


def test_a_source_that_is_slow_does_not_keep_a_known_revision_from_a_review(
    tmp_path: Path, detectors: tuple[Detector, ...], key: FingerprintKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed = Followed(tmp_path / "layer", detectors, key, is_followed=True)
    before = followed.id
    followed.write(SOFT)
    asked, go_on = Event(), Event()

    def slow(*_: object, **__: object) -> None:
        asked.set()
        assert go_on.wait(30)

    monkeypatch.setattr("ecs_admission.activation.signature", slow)
    with ThreadPoolExecutor(2) as threads:
        looking = threads.submit(followed.activation.check)
        assert asked.wait(30)
        incoming = followed.activation.newest.revision.id
        try:
            found = threads.submit(followed.activation.find, incoming).result(30)
            known = threads.submit(followed.activation.find, before).result(30)
        finally:
            go_on.set()
        looking.result(30)
    assert found is not None
    assert known is not None
    assert (found.id, known.id, followed.id) == (incoming, before, incoming)
    for engine in followed.engines:
        engine.close()
