"""What every engine promises, tried on each: the embedded one, a real OPA server, and the fake of other tests."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson
import pytest

from ecs_admission.engines.build import build_pack
from ecs_admission.engines.embedded import EmbeddedEngine
from ecs_admission.engines.opa import OpaEngine
from ecs_admission.engines.pack import OPA_ARTEFACT, Pack, load_pack
from ecs_admission.engines.protocol import PolicyEngine
from ecs_admission.engines.sources import read_sources
from ecs_admission.errors import AdmissionError, CannotDecideError, DeadlineError, EngineUnavailableError
from ecs_admission.model import Evaluation, PolicyInput, RawFinding, new_decision_id
from tests.engines.fake import FakeEngine
from tests.engines.opa_server import OpaServer, opa_program, serve_bundle
from tests.policies.examples import POLICIES

THREADS = 8
CALLS = 50
PATIENT_SECONDS = 30.0
SHORT_SECONDS = 0.5
HUGE_BYTES = 700_000

ENGINES = ["embedded", pytest.param("opa", marks=pytest.mark.opa), "fake"]

LEAK = "plaintext/environment"
PLACE = "/containerDefinitions/0/environment/0/value"

# Work for minutes, so that an engine without a deadline fails this test instead of hanging it. Comparing needs no new
# memory, adding does: OPA's WebAssembly frees nothing before the end.
ENDLESS = """# METADATA
# title: A rule without end
# description: Costs more than any deadline.
# related_resources:
#   - ref: https://example.com/
# custom: {why: It must end., severity: low, action: deny, message: endless, remediation: End it.}
package admission.rules.extra.endless

many := numbers.range(1, 3000)

findings contains {"at": ""} if {
	input.request.endless == "time"
	some a in many
	some b in many
	some c in many
	a > b
	b > c
	c > a
}

findings contains {"at": ""} if {
	input.request.endless == "memory"
	some a in many
	some b in many
	some c in many
	(a + b) + c == -1
}
"""

MALFORMED = {
    "nothing": b"",
    "no JSON": b"garbage",
    "JSON cut short": b'{"request": {"uid": "x"}',
    "Python's own notation": b"{'request': {'uid': 'x'}}",
    "a comma too many": b'{"request": {"uid": "x"},}',
    "no UTF-8": b'{"request": {"uid": "\xff"}}',
    "half a surrogate pair": b'{"request": {"uid": "\\ud800"}}',
    "zero bytes": b"\0\0\0\0",
    "null": b"null",
    "a number": b"1",
    "a text": b'"x"',
    "an empty list": b"[]",
    "a list of a request": b'[{"request": {"uid": "x"}}]',
    "an empty object": b"{}",
    "no request": b'{"object": {}}',
    "an empty request": b'{"request": {}}',
    "a request that is a list": b'{"request": ["x"]}',
    "an empty decision id": b'{"request": {"uid": ""}}',
    "a decision id that is a number": b'{"request": {"uid": 5}}',
    "no decision id": b'{"request": {"uid": null}}',
    "no counts": b'{"request": {"uid": "x"}}',
    "no count of literals": b'{"request": {"uid": "x"}, "counts": {}}',
    "too deep": b"[" * 100_000,
}
"""Bodies that are no PolicyInput. What follows the first JSON value of a body is not looked at by OPA's WebAssembly;
bodies are our own `orjson.dumps`, see `assemble`."""


def judge_like_the_pack(document: Any) -> Iterable[RawFinding]:
    """What the pack finds in the inputs of this module."""
    for literal in document.get("literals", ()):
        if literal["field"] == "environment":
            yield RawFinding(LEAK, literal["pointer"])


def policy_input(*, pointers: Iterable[str] = (), **request: object) -> PolicyInput:
    """An input with a decision id of its own and a leak at each of `pointers`."""
    decision_id = new_decision_id()
    signal = {"detector": "native", "rule": "jwt", "confidence": "high"}
    literals = [{"pointer": p, "field": "environment", "kind": "opaque", "signals": [signal]} for p in pointers]
    document = {
        "request": {"uid": decision_id, "operation": "RegisterTaskDefinition", **request},
        "object": {},
        "literals": literals,
        "references": [],
        "counts": {"literals": len(literals), "left_out": 0},
    }
    return PolicyInput(decision_id=decision_id, body=orjson.dumps(document), places={})


def answer_or_error(engine: PolicyEngine, asked: PolicyInput) -> Evaluation | AdmissionError:
    """What an engine says, or the error that it may raise, which holds and chains nothing."""
    try:
        return engine.evaluate(asked)
    except (CannotDecideError, EngineUnavailableError) as error:
        told = error
    assert (told.__context__, told.__cause__) == (None, None)
    return told


@pytest.fixture(scope="module")
def server(shipped_bundle: Path) -> Iterator[OpaServer]:
    """An OPA server with the bundle that ships."""
    with serve_bundle(shipped_bundle) as running:
        yield running


@pytest.fixture(scope="session")
def shipped_bundle() -> Path:
    """The bundle that ships."""
    return Path(__file__).parents[2] / "service" / "ecs_admission" / "pack" / OPA_ARTEFACT


@pytest.fixture
def make_engine(request: pytest.FixtureRequest, pack: Pack) -> Iterator[Callable[[str], PolicyEngine]]:
    """Makes an engine by its name, with the pack that ships, and closes it."""
    made: list[PolicyEngine] = []

    def make(name: str) -> PolicyEngine:
        engine: PolicyEngine
        if name == "embedded":
            engine = EmbeddedEngine(pack, threads=2, deadline_seconds=PATIENT_SECONDS)
        elif name == "opa":
            url = request.getfixturevalue("server").url
            engine = OpaEngine(url, threads=2, deadline_seconds=PATIENT_SECONDS)
        else:
            engine = FakeEngine(revision=pack.revision, rules=pack.catalogue, judge=judge_like_the_pack)
        made.append(engine)
        return engine

    yield make
    for engine in made:
        engine.close()


@pytest.fixture
def engine(request: pytest.FixtureRequest, make_engine: Callable[[str], PolicyEngine]) -> PolicyEngine:
    """The engine that a test is parametrised with."""
    return make_engine(request.param)


@pytest.mark.parametrize("engine", ENGINES, indirect=True)
class TestContract:
    """The protocol, word by word."""

    def test_it_echoes_the_decision_and_proves_what_judged(self, engine: PolicyEngine, pack: Pack) -> None:
        asked = policy_input()
        engine.probe()
        assert engine.evaluate(asked) == Evaluation(
            decision_id=asked.decision_id,
            revision=pack.revision,
            evaluated=frozenset(pack.catalogue),
            findings=(),
        )

    def test_it_finds_a_leak(self, engine: PolicyEngine) -> None:
        assert engine.evaluate(policy_input(pointers=[PLACE])).findings == (RawFinding(LEAK, PLACE),)

    def test_it_gives_findings_once_and_in_the_order_of_their_place(self, engine: PolicyEngine) -> None:
        findings = engine.evaluate(policy_input(pointers=["/b", "/a", "/b"])).findings
        assert findings == (RawFinding(LEAK, "/a"), RawFinding(LEAK, "/b"))

    def test_one_input_leaves_nothing_for_the_next(self, engine: PolicyEngine) -> None:
        answers = [engine.evaluate(policy_input(pointers=pointers)).findings for pointers in ([PLACE], [], [PLACE], [])]
        assert [len(findings) for findings in answers] == [1, 0, 1, 0]

    def test_each_of_many_threads_gets_its_own_answer(self, engine: PolicyEngine) -> None:
        def ask(thread: int) -> list[tuple[Evaluation, PolicyInput, str]]:
            asked = [(policy_input(pointers=[place]), place) for place in (f"/{thread}/{n}" for n in range(CALLS))]
            return [(engine.evaluate(one), one, place) for one, place in asked]

        with ThreadPoolExecutor(THREADS) as threads:
            answers = [answer for answers in threads.map(ask, range(THREADS)) for answer in answers]
        assert len(answers) == THREADS * CALLS
        for evaluation, asked, place in answers:
            assert evaluation.decision_id == asked.decision_id
            assert evaluation.findings == (RawFinding(LEAK, place),)

    @pytest.mark.parametrize("text", ["x", '"\\', "\N{PILE OF POO}"], ids=["plain", "escaped", "beyond the BMP"])
    def test_it_takes_a_huge_input(self, text: str, engine: PolicyEngine) -> None:
        asked = policy_input(pointers=[PLACE], padding=[text * 100] * (HUGE_BYTES // len(orjson.dumps(text * 100))))
        assert len(asked.body) > HUGE_BYTES
        assert engine.evaluate(asked).findings == (RawFinding(LEAK, PLACE),)

    @pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
    def test_a_malformed_input_is_never_judged_and_spoils_nothing(self, body: bytes, engine: PolicyEngine) -> None:
        answer = answer_or_error(engine, PolicyInput(decision_id="x", body=body, places={}))
        # OPA's server writes U+FFFD for what is no character: an answer for a decision that nobody asked for.
        assert not isinstance(answer, Evaluation) or answer.decision_id == "\N{REPLACEMENT CHARACTER}"
        assert engine.evaluate(policy_input(pointers=[PLACE])).findings == (RawFinding(LEAK, PLACE),)

    def test_after_close_it_answers_as_before_or_not_at_all(self, engine: PolicyEngine, pack: Pack) -> None:
        engine.evaluate(policy_input())
        engine.close()
        engine.close()
        asked = policy_input(pointers=[PLACE])
        answer = answer_or_error(engine, asked)
        expected = Evaluation(asked.decision_id, pack.revision, frozenset(pack.catalogue), (RawFinding(LEAK, PLACE),))
        assert answer == expected or isinstance(answer, EngineUnavailableError)

    def test_it_says_what_it_is(self, engine: PolicyEngine) -> None:
        assert engine.name in ("embedded", "opa", "fake")


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack with a rule that does not end for a request that asks for it."""
    folder = tmp_path_factory.mktemp("endless")
    policies = Path(shutil.copytree(POLICIES, folder / "policies"))
    rule = policies / "admission" / "rules" / "extra" / "endless"
    rule.mkdir(parents=True)
    (rule / "endless.rego").write_text(ENDLESS)
    build_pack(read_sources(policies), folder / "pack", opa=opa_program())
    return folder / "pack"


@pytest.mark.opa
class TestDeadline:
    """A policy that never ends costs its own request and no other."""

    @pytest.fixture
    def hurried(self, request: pytest.FixtureRequest, what: str, endless: Path) -> Iterator[PolicyEngine]:
        """The engine that a test is parametrised with, with little time, or with little memory and time for it."""
        if request.param == "embedded":
            seconds = SHORT_SECONDS if what == "time" else 60 * SHORT_SECONDS
            embedded = EmbeddedEngine(load_pack(endless), threads=1, deadline_seconds=seconds)
            yield embedded
            embedded.close()
            return
        with serve_bundle(endless / OPA_ARTEFACT) as server:
            opa = OpaEngine(server.url, threads=1, deadline_seconds=SHORT_SECONDS)
            yield opa
            opa.close()

    @pytest.mark.parametrize("hurried", ["embedded", "opa"], indirect=True)
    @pytest.mark.parametrize("what", ["time", "memory"])
    def test_it_is_broken_off_and_the_next_is_judged(self, what: str, hurried: PolicyEngine) -> None:
        # The embedded engine is out of the memory it may have before it is out of time.
        expected = EngineUnavailableError if (what, hurried.name) == ("memory", "embedded") else DeadlineError
        for _ in range(2):
            with pytest.raises(expected) as caught:
                hurried.evaluate(policy_input(endless=what))
            assert caught.value.__context__ is None
            answer = hurried.evaluate(policy_input(pointers=[PLACE]))
            assert answer.findings == (RawFinding(LEAK, PLACE),)
            assert "extra/endless" in answer.evaluated


def test_the_fake_fails_as_it_is_told(pack: Pack) -> None:
    engine = FakeEngine(revision=pack.revision, rules=pack.catalogue, failure=DeadlineError("too slow"))
    with pytest.raises(DeadlineError, match="too slow"):
        engine.evaluate(policy_input())
    with pytest.raises(DeadlineError, match="too slow"):
        engine.probe()
    engine.failure = None
    asked = policy_input()
    assert engine.evaluate(asked).evaluated == pack.catalogue.keys()
    assert engine.asked == [asked]
