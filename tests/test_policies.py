"""Policies in layers: what may be laid over what, what the result judges, and where a mistake in it is."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ecs_admission.engines.embedded import EmbeddedEngine
from ecs_admission.engines.pack import OPA_ARTEFACT, Pack, load_pack
from ecs_admission.errors import PolicyError
from ecs_admission.model import Outcome
from ecs_admission.policies import build_policies, load_policies, signature
from tests.engines.layers import Files, bundle, folder, rule
from tests.engines.opa_server import opa_program
from tests.layered import NOW, ask, made, path_with_opa, rules
from tests.policies.examples import POLICIES
from tests.project.samples import container, environment, task

Layer = Callable[..., Path]

LEAKY = environment([("DB_PASSWORD", "Orange-7-Boat")])
OWN = "org/no-latest"
TAGGED = rule(OWN, 'input.object.family == "old"')

EXCEPTION = """items:
  - id: e1
    match: {rule: plaintext/environment, family: web}
    reason: The old installer reads nothing else.
    owner: team-web
    approver: security
    issue: https://example.com/1
    expires: 2026-10-31
"""


@pytest.fixture
def layer(tmp_path: Path) -> Layer:
    """Makes a layer: a folder with these files."""

    def make(name: str = "layer", **files: str) -> Path:
        return folder(tmp_path / name, {f"{path.replace('__', '/')}/data.yaml": text for path, text in files.items()})

    return make


@pytest.fixture
def without_opa(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """There is no `opa` program on PATH."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


@pytest.fixture
def with_opa(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pinned `opa` is on PATH."""
    monkeypatch.setenv("PATH", path_with_opa())


def refusal(*places: Path) -> str:
    with pytest.raises(PolicyError) as caught:
        load_policies(places, now=NOW)
    return str(caught.value)


def test_no_place_is_the_pack_that_ships(pack: Pack) -> None:
    policies = load_policies((), now=NOW)
    assert (policies.pack, policies.weakened) == (pack, ())


@pytest.mark.usefixtures("without_opa")
class TestLayersOfData:
    """They need no program, and are judged by the rules that ship."""

    def test_data_changes_the_verdict(self, layer: Layer) -> None:
        softened = layer(config__environments="dev: {actions: {plaintext/environment: dryrun}}\n")
        with made(load_policies([softened], now=NOW).pack) as revision:
            assert rules(ask(revision, LEAKY, environment="prod")) == ["plaintext/environment"]
            allowed = ask(revision, LEAKY, environment="dev")
            assert allowed.decision.outcome is Outcome.ALLOWED
            assert [finding.rule for finding in allowed.decision.findings] == ["plaintext/environment"]
            # An environment that nobody knows is judged by the strictest of all.
            assert rules(ask(revision, LEAKY, environment="elsewhere")) == ["plaintext/environment"]

    def test_data_that_rules_read_reaches_the_engine(self, layer: Layer) -> None:
        """Not only what Python reads of it: what a kind excuses is asked by Rego."""
        document = environment([("DB_PASSWORD", "Orange-7-Boat")])
        kinds = layer(config__kinds="harmless: [slug]\n")
        with made(load_policies([kinds], now=NOW).pack) as revision:
            assert rules(ask(revision, document, environment="prod")) == []

    def test_words_of_an_organisation_are_looked_for(self, layer: Layer) -> None:
        document = environment([("SESAME", "Orange-7-Boat")])
        with made(load_policies([], now=NOW).pack) as revision:
            assert rules(ask(revision, document)) == []
        with made(load_policies([layer(config__words="secret: [sesame]\n")], now=NOW).pack) as revision:
            assert rules(ask(revision, document)) == ["plaintext/environment"]

    def test_a_word_that_is_removed_is_no_longer_looked_for(self, layer: Layer) -> None:
        removed = layer(removals="config: {words: {secret: [clave], glued: [pwd]}}\n")
        with made(load_policies([removed], now=NOW).pack) as revision:
            assert rules(ask(revision, environment([("MY_CLAVE", "Orange-7-Boat")]))) == []
            assert rules(ask(revision, LEAKY)) == ["plaintext/environment"]

    def test_an_environment_of_its_own_has_its_profile(self, layer: Layer) -> None:
        files = {"config__profiles": "strict: {plaintext/environment: deny}\nsoft: {plaintext/environment: warn}\n"}
        own = layer(**files, config__environments="lab: {profile: soft}\nvault: {profile: strict}\n")
        with made(load_policies([own], now=NOW).pack) as revision:
            assert rules(ask(revision, LEAKY, environment="lab")) == []
            assert rules(ask(revision, LEAKY, environment="vault")) == ["plaintext/environment"]

    def test_exceptions_add_up(self, layer: Layer) -> None:
        first = layer("first", exceptions=EXCEPTION)
        second = layer("second", exceptions=EXCEPTION.replace("id: e1", "id: e2").replace("web}", "other}"))
        with made(load_policies([first, second], now=NOW).pack) as revision:
            assert [exception.id for exception in revision.governance.exceptions] == ["e1", "e2"]
            assert rules(ask(revision, LEAKY)) == []
            assert rules(ask(revision, LEAKY | {"family": "none"})) == ["plaintext/environment"]

    def test_a_bundle_is_a_layer(self, tmp_path: Path) -> None:
        place = bundle(tmp_path / "x.tar.gz", {"data.json": '{"config": {"words": {"secret": ["sesame"]}}}'})
        policies = load_policies([place], now=NOW)
        assert "sesame" in policies.pack.config["words"]["secret"]

    def test_the_catalogue_and_the_code_are_those_of_the_ground(self, layer: Layer, pack: Pack) -> None:
        over = load_policies([layer(config__words="secret: [sesame]\n")], now=NOW).pack
        assert (over.catalogue, over.wasm) == (pack.catalogue, pack.wasm)
        assert over.data["catalogue"] == pack.data["catalogue"]
        assert over.data["revision"] == {"id": over.revision}

    def test_the_ground_is_as_it_was(self, layer: Layer, pack: Pack) -> None:
        load_policies(
            [layer(config__words="secret: [sesame]\n", removals="config: {words: {glued: [pwd]}}\n")], now=NOW
        )
        assert load_pack() == pack

    def test_each_change_of_a_layer_and_of_their_order_is_another_revision(self, layer: Layer, pack: Pack) -> None:
        first = layer("first", config__words="secret: [sesame]\n")
        second = layer("second", config__words="secret: [friend]\n")
        third = layer("third", config__words="secret: [sesame, friend]\n")
        comment = layer("comment", exceptions="# Nothing yet.\n")
        lists = [[], [first], [second], [first, second], [second, first], [third], [first, comment]]
        assert len({load_policies(places, now=NOW).pack.revision for places in lists}) == len(lists)
        again = layer("again", config__words="# The same.\nsecret:\n  - sesame\n")
        assert load_policies([again], now=NOW).pack.revision == load_policies([first], now=NOW).pack.revision

    def test_an_engine_that_judges_by_another_revision_proves_nothing(self, layer: Layer, pack: Pack) -> None:
        over = load_policies([layer(config__words="secret: [sesame]\n")], now=NOW).pack
        with made(pack) as shipped, made(over) as layered:
            mixed = type(layered)(
                id=layered.id, governance=layered.governance, projector=layered.projector, engine=shipped.engine,
                locations=layered.locations, members=layered.members,
            )  # fmt: skip
            answer = ask(mixed, task(container()))
            assert (answer.decision.outcome, answer.decision.error_code) == (Outcome.UNDECIDED, "wrong-revision")

    def test_a_layer_with_a_rule_needs_the_program_and_says_so(self, tmp_path: Path) -> None:
        assert refusal(folder(tmp_path / "layer", TAGGED)).startswith(
            "no opa program on PATH: build the pinned release"
        )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack of the one that ships and a rule of an organisation, built before."""
    place = tmp_path_factory.mktemp("built")
    build_policies([folder(place / "layer", TAGGED)], place / "pack", opa=opa_program(), now=NOW)
    return place / "pack"


@pytest.mark.opa
class TestLayersOfRules:
    @pytest.mark.usefixtures("with_opa")
    def test_a_rule_of_an_organisation_judges_beside_those_that_ship(self, tmp_path: Path, pack: Pack) -> None:
        files: Files = {
            **TAGGED,
            "config/environments/data.yaml": f"dev: {{actions: {{{OWN}: warn}}}}\n",
            "exceptions/data.yaml": EXCEPTION.replace("plaintext/environment", OWN).replace("web}", "old}"),
        }
        policies = load_policies([folder(tmp_path / "layer", files)], now=NOW)
        assert policies.pack.catalogue.keys() == {*pack.catalogue, OWN}
        assert policies.pack.catalogue[OWN].title == "Some rule of an organisation"
        document = task(container()) | {"family": "old"}
        after = NOW + 50 * 86_400
        with made(policies.pack) as revision:
            assert rules(ask(revision, document)) == []
            assert rules(ask(revision, document, now=after)) == [OWN]
            assert rules(ask(revision, document, now=after, environment="dev")) == []
            assert rules(ask(revision, task(container()))) == []
            assert rules(ask(revision, LEAKY)) == ["plaintext/environment"]

    def test_a_built_pack_is_the_ground_of_layers_of_data(self, built: Path, layer: Layer) -> None:
        own = layer(config__environments=f"dev: {{actions: {{{OWN}: dryrun}}}}\n")
        document = task(container()) | {"family": "old"}
        with made(load_policies([built, own], now=NOW).pack) as revision:
            assert rules(ask(revision, document, environment="prod")) == [OWN]
            assert rules(ask(revision, document, environment="dev")) == []

    @pytest.mark.usefixtures("with_opa")
    def test_a_built_pack_is_the_ground_of_layers_of_rules(self, built: Path, tmp_path: Path) -> None:
        over = folder(tmp_path / "over", rule("org/other", 'input.object.family == "older"'))
        pack = load_policies([built, over], now=NOW).pack
        assert pack.catalogue.keys() >= {OWN, "org/other", "plaintext/environment"}

    @pytest.mark.usefixtures("with_opa")
    def test_a_rule_may_be_in_a_bundle(self, tmp_path: Path) -> None:
        assert OWN in load_policies([bundle(tmp_path / "x.tar.gz", TAGGED)], now=NOW).pack.catalogue

    @pytest.mark.usefixtures("with_opa")
    def test_the_same_revision_whether_it_is_built_before_or_when_it_is_loaded(
        self, built: Path, tmp_path: Path
    ) -> None:
        """An OPA server that has the bundle of one can so serve a service that compiled the other."""
        loaded = load_policies([folder(tmp_path / "layer", TAGGED)], now=NOW).pack
        assert loaded == load_pack(built)

    @pytest.mark.usefixtures("with_opa")
    def test_what_is_milder_is_listed_when_it_is_built_and_when_it_is_loaded(self, tmp_path: Path) -> None:
        files = {**TAGGED, "config/environments/data.yaml": "dev: {actions: {plaintext/field: warn}}\n"}
        place = folder(tmp_path / "layer", files)
        expected = ("environment dev: plaintext/field is warn and no longer deny",)
        assert build_policies([place], tmp_path / "pack", opa=opa_program(), now=NOW).weakened == expected
        assert load_policies([place], now=NOW).weakened == expected
        assert load_policies([tmp_path / "pack"], now=NOW).weakened == expected

    def test_a_whole_folder_of_policies_is_not_laid_over_the_pack_that_ships(self, tmp_path: Path) -> None:
        built = build_policies([POLICIES], tmp_path / "pack", opa=opa_program(), now=NOW)
        assert built.pack.catalogue.keys() == load_pack(tmp_path / "pack").catalogue.keys()
        assert OWN not in built.pack.catalogue

    def test_two_built_packs_are_refused(self, built: Path, layer: Layer) -> None:
        other = layer(config__words="secret: [sesame]\n")
        for places in ([built, built], [other, built], [built, other, built]):
            expected = f"{built}: of several places only the first can be a pack that was built"
            assert refusal(*places) == expected

    def test_a_built_pack_without_its_capabilities_cannot_be_built_upon(self, built: Path, tmp_path: Path) -> None:
        old = Path(shutil.copytree(built, tmp_path / "old"))
        (old / "capabilities.json").unlink()
        told = refusal(old, folder(tmp_path / "over", rule("org/other", "true")))
        assert told == "there is no capabilities.json beside the pack to say what policies may call"
        assert load_policies([old], now=NOW).pack == load_pack(built)

    @pytest.mark.usefixtures("with_opa")
    def test_a_layer_does_not_replace_a_rule_that_ships(self, tmp_path: Path) -> None:
        name = "admission/rules/plaintext/environment/environment.rego"
        place = folder(tmp_path / "layer", {name: "package admission.rules.plaintext.environment\n\nfindings := {}\n"})
        assert refusal(place) == f"{name} is there already: give a rule of your own an id of its own"

    @pytest.mark.usefixtures("with_opa")
    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("package admission.lib.literals\n\n_explained(l, _) if l.name == \"OLD\"\n", "is not for a layer"),
            ("package admission.lib\n\nliterals._explained(l, _) if l.name == \"OLD\"\n", "is not for a layer"),
            ("package admission\n\nlib.literals._explained(_, _) := true\n", "is not for a layer"),
            ("package config.kinds\n\nharmless := {\"opaque\"}\n", "stands in the place of data"),
            ("package revision\n\nid := input.request.revision\n", "stands in the place of data"),
        ],
    )  # fmt: skip
    def test_a_layer_adds_nothing_to_what_rules_that_ship_are_made_of(
        self, tmp_path: Path, text: str, told: str
    ) -> None:
        """Rego adds up, so that one more body would excuse what no comparison of data could find."""
        message = refusal(folder(tmp_path / "layer", {"org/more.rego": text}))
        assert message.startswith("org/more.rego: package ")
        assert told in message

    @pytest.mark.usefixtures("with_opa")
    def test_a_rule_that_does_not_check_is_told_in_the_words_of_opa(self, tmp_path: Path) -> None:
        message = refusal(folder(tmp_path / "layer", rule(OWN, "opa.runtime().env")))
        assert message.startswith("opa check failed:\n")
        assert "no-latest.rego:" in message

    @pytest.mark.usefixtures("with_opa")
    def test_a_hostile_bundle_writes_nothing(self, tmp_path: Path) -> None:
        """The sources of a layer are staged as files: none may leave the stage."""
        target = tmp_path / "written.rego"
        for name in (f"../../../../../../../..{target}", f"/{target}"):
            place = bundle(tmp_path / "x.tar.gz", {name: "package org\n"})
            assert "a name that leads out of it" in refusal(place)
            assert not target.exists()

    def test_data_that_is_not_valid_leaves_the_pack_that_was_built_before(self, built: Path, tmp_path: Path) -> None:
        output = Path(shutil.copytree(built, tmp_path / "pack"))
        wrong = folder(tmp_path / "layer", {"config/profiles/data.yaml": "baseline: {no/rule: deny}\n"})
        with pytest.raises(PolicyError, match=r"profiles/data\.yaml:1: is no rule of this revision"):
            build_policies([wrong], output, opa=opa_program(), now=NOW)
        assert load_pack(output) == load_pack(built)
        with pytest.raises(PolicyError):
            build_policies([wrong], tmp_path / "new", opa=opa_program(), now=NOW)
        assert not (tmp_path / "new").exists()

    def test_the_bundle_of_a_built_pack_is_no_layer(self, built: Path) -> None:
        assert "is not for a layer" in refusal(built / OPA_ARTEFACT)

    @pytest.mark.usefixtures("with_opa")
    def test_both_artefacts_have_the_data_of_all_layers(self, tmp_path: Path, layer: Layer) -> None:
        words = layer(config__words="secret: [sesame]\n")
        build_policies([folder(tmp_path / "rules", TAGGED), words], tmp_path / "pack", opa=opa_program(), now=NOW)
        pack = load_pack(tmp_path / "pack")
        assert "sesame" in pack.config["words"]["secret"]
        EmbeddedEngine(pack, threads=1, deadline_seconds=10).close()


MISTAKES: list[tuple[str, str, int, str]] = [
    ("config/profiles", "baseline:\n  a/b: deny\n", 2, "is no rule of this revision, and no variant"),
    (
        "config/profiles",
        "# x\nbaseline:\n  plaintext/field: block\n",
        3,
        "the action must be one of deny, warn, dryrun",
    ),
    ("config/profiles", "strict:\n  - plaintext/field\n", 1, "expected a mapping"),
    ("config/profiles", "baseline: deny\n", 1, "expected a mapping"),
    ("config/environments", "prod:\n  profile: none\n", 1, "needs a profile of baseline, restricted"),
    ("config/environments", "a:\n  profile: baseline\nb:\n  actions: {}\n", 3, "needs a profile of"),
    (
        "config/environments",
        "lab:\n  profile: baseline\n  failurePolicy: Open\n",
        3,
        "the failure policy must be one of Fail, Ignore",
    ),
    ("config/environments", "prod:\n  action: {}\n", 1, "needs a profile of"),
    ("config/environments", "prod:\n  actions:\n    plaintext/field: off\n", 3, "the action must be one of"),
    ("config/environments", "prod:\n  actions:\n    x: deny\n", 3, "is no rule of this revision"),
    ("config/environments", "\n\nprod: strict\n", 3, "expected a mapping"),
    ("config/accounts", "# x\n'111122223333': production\n", 2, "is under an environment that config/environments"),
    ("config/accounts", "- prod\n", 1, "expected a mapping"),
    ("config/words", "secret:\n  - sesame\n  - Friend\n", 3, "expected a word or a phrase in lower case"),
    ("config/words", "weak:\n  - sesame\n  - yes\n  - true\n", 4, "expected a word or a phrase in lower case"),
    ("config/words", "glued: password\n", 1, "expected a list of words or phrases"),
    ("config/words", "secret:\n  - a b c d e f\n", 2, "a phrase has one to 5 words"),
    ("config/words", "secrets:\n  - sesame\n", 1, "expected exactly the lists"),
    ("config/words", "placeholders:\n  - fine\n  - 'a(b'\n", 3, "a pattern is not valid RE2"),
    ("config/words", "settings:\n  # x\n  - '(?<=a)b'\n", 3, "a pattern is not valid RE2"),
    ("config/tokens", "own:\n  - 'a'\n  - 'a('\n", 3, "a pattern is not valid RE2"),
    ("config/tokens", "own: 'a'\n", 1, "must be a list of RE2 patterns"),
    ("config/tokens", "own:\n  - 1\n", 2, "must be a RE2 pattern"),
    ("config/tokens", "jwt:\n  - ''\n", 2, "must be a RE2 pattern"),
    ("config/disclosed", "# x\nAPP_MODE: 'a('\n", 2, "a pattern is not valid RE2"),
    ("config/disclosed", "APP_MODE:\n  - a\n", 1, "a pattern is not valid RE2"),
    ("config/disclosed", "LOG_LEVEL:\n", 1, "a pattern is not valid RE2"),
    ("config/disclosed", "A: b\nDB_PASSWORD: '.*'\n", 2, "the name holds the word of a secret"),
    ("exceptions", "items: {}\n", 1, "must be a list"),
    ("exceptions", EXCEPTION + "  - x\n", 9, "expected a mapping"),
    ("exceptions", EXCEPTION + EXCEPTION.removeprefix("items:\n"), 9, "another item has the same id"),
    ("exceptions", EXCEPTION.replace("    owner: team-web\n", ""), 2, "owner is missing"),
    ("exceptions", EXCEPTION.replace("owner: team-web", "owner: 7"), 2, "owner is missing"),
    ("exceptions", EXCEPTION.replace("family: web", "cluster: web"), 3, "needs rule and family"),
    ("exceptions", EXCEPTION.replace("plaintext/environment", "a/b"), 3, "a/b is no rule of this revision"),
    ("exceptions", EXCEPTION.replace("2026-10-31", "2026-13-31"), 8, "must be a date, YYYY-MM-DD"),
    ("exceptions", EXCEPTION.replace("2026-10-31", "2026-12-31"), 8, "must be at most 90 days ahead"),
    ("exceptions", EXCEPTION.replace("issue:", "link:"), 2, "issue is missing"),
    ("exceptions", EXCEPTION + "    ticket: x\n", 9, "is no part of an exception"),
    ("removals", "config:\n  words:\n    secret:\n      - sesame\n", 4, "an item is not there to be removed"),
    ("removals", "config:\n  wrods: {}\n", 2, "wrods is not there to be removed"),
    ("removals", "config:\n  words: [password]\n", 2, "only items of lists can be removed"),
]


@pytest.mark.parametrize(("place", "text", "line", "told"), MISTAKES)
def test_a_mistake_is_told_with_its_file_and_line(layer: Layer, place: str, text: str, line: int, told: str) -> None:
    path = layer(**{place.replace("/", "__"): text})
    assert refusal(path).startswith(f"{path}/{place}/data.yaml:{line}: {told}")


def test_a_mistake_in_json_is_told_with_its_file(tmp_path: Path) -> None:
    path = folder(tmp_path / "layer", {"config/profiles/data.json": '{"baseline": {"a/b": "deny"}}'})
    assert refusal(path).startswith(f"{path}/config/profiles/data.json: is no rule of this revision")


def test_a_mistake_is_told_with_the_layer_that_made_it(layer: Layer) -> None:
    fine = layer("fine", config__environments="lab: {profile: baseline}\n", exceptions=EXCEPTION)
    clashing = layer("clashing", exceptions="# x\n" + EXCEPTION.replace("web}", "other}"))
    assert refusal(fine, clashing) == f"{clashing}/exceptions/data.yaml:3: another item has the same id"
    dated = layer("dated", config__accounts="'111122223333': lab\n")
    assert refusal(dated) == (
        f"{dated}/config/accounts/data.yaml:1: is under an environment that config/environments does not name"
    )
    assert load_policies([fine, dated], now=NOW).pack.config["accounts"] == {"111122223333": "lab"}


def test_a_mistake_in_the_file_of_many_parts_is_told_with_its_line(tmp_path: Path) -> None:
    path = folder(tmp_path / "layer", {"data.yaml": "config:\n  profiles:\n    baseline:\n      x: deny\n"})
    assert refusal(path).startswith(f"{path}/data.yaml:4: ")


class TestSignature:
    """What is looked at every few seconds, so that a change is noticed and nothing is read for it."""

    def test_it_changes_with_a_file(self, layer: Layer) -> None:
        place = layer(config__words="secret: [a]\n")
        path = place / "config" / "words" / "data.yaml"
        seen = [signature([place])]
        path.write_text("secret: [a, b]\n")
        seen.append(signature([place]))
        (place / "data.yaml").write_text("x: 1\n")
        seen.append(signature([place]))
        path.unlink()
        seen.append(signature([place]))
        assert len(set(seen)) == 4

    def test_it_changes_with_a_file_as_old_and_as_long(self, layer: Layer) -> None:
        """Images and archives give every file the same time."""
        place = layer(config__environments="dev: {actions: {plaintext/field: deny}}\n")
        path = place / "config" / "environments" / "data.yaml"
        os.utime(path, ns=(0, 0))
        before = signature([place])
        other = path.with_name("other")
        other.write_text(path.read_text().replace("deny", "warn"))
        os.utime(other, ns=(0, 0))
        other.replace(path)
        assert signature([place]) != before

    def test_it_changes_when_kubernetes_replaces_a_config_map(self, tmp_path: Path) -> None:
        place = folder(tmp_path / "policies", {"..1/config/data.yaml": "a: 1\n", "..2/config/data.yaml": "a: 2\n"})
        (place / "..data").symlink_to("..1")
        (place / "config").symlink_to("..data/config")
        before = signature([place])
        (place / "..new").symlink_to("..2")
        (place / "..new").rename(place / "..data")
        assert before
        assert signature([place]) != before

    def test_a_link_to_a_folder_is_followed_to_where_it_leads_now(self, tmp_path: Path) -> None:
        for name in "ab":
            folder(tmp_path / name, {"data.yaml": "x: 1\n"})
        (tmp_path / "current").symlink_to("a")
        before = signature([tmp_path / "current"])
        (tmp_path / "next").symlink_to("b")
        (tmp_path / "next").rename(tmp_path / "current")
        assert signature([tmp_path / "current"]) != before

    def test_it_stays_as_long_as_nothing_changes(self, layer: Layer, tmp_path: Path) -> None:
        places = [
            layer(config__words="secret: [a]\n"),
            tmp_path / "none",
            bundle(tmp_path / "x.tar.gz", {"data.json": "{}"}),
        ]
        assert signature(places) == signature(places)
        assert len(signature(places)) == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("harmless: {}\n", "config/kinds/data.yaml:1: harmless must be a list"),
        ("harmless: [slugs]\n", "config/kinds/data.yaml:1: must be one of arn, boolean, "),
        ("generated:\n  - random\n  - 7\n", "config/kinds/data.yaml:3: must be text"),
        ("harmles: [slug]\n", "config/kinds/data.yaml:1: is no list that a rule reads"),
        ("aws_keys: ['']\n", "config/kinds/data.yaml:1: must be text"),
    ],
)
def test_a_mistake_in_what_only_rules_read_is_told_with_its_place(layer: Layer, text: str, told: str) -> None:
    place = layer(config__kinds=text)
    assert refusal(place).startswith(f"{place}/{told}")
