"""`ecs-admission policies`, with the pack that ships, real layers over it and a real decision log."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from click.testing import CliRunner, Result

from ecs_admission.adapt.submission import read_operation
from ecs_admission.cli import main
from ecs_admission.decision_log.entries import build_draft, build_node_draft
from ecs_admission.decision_log.keys import make_signing_key
from ecs_admission.decision_log.store import DecisionLog
from ecs_admission.engines.embedded import EmbeddedEngine
from ecs_admission.engines.pack import Pack, load_pack
from ecs_admission.enrich.inventory import NoInventory
from ecs_admission.errors import CannotDecideError
from ecs_admission.model import (
    Action,
    Decision,
    DeployContext,
    Finding,
    JSONObject,
    Outcome,
    Place,
    UserInfo,
    new_decision_id,
)
from ecs_admission.policies import load_policies
from ecs_admission.project.detectors.protocol import Detector
from ecs_admission.project.fingerprints import FingerprintKey
from ecs_admission.review import Answer, Reviewer, do_not_record
from ecs_admission.revision import prepare
from tests.engines.opa_server import opa_program
from tests.policies import examples as rule_examples
from tests.policies.test_examples import judge
from tests.project.samples import container, environment, github_token, task

EXAMPLES = Path(__file__).parents[2] / "examples"
LAYER = EXAMPLES / "policies-layer"
ISSUE = "https://issues.example.com/1"
TERMS = ("--owner", "team-web", "--approver", "security", "--issue", ISSUE)
FIELDS = {"reason": "it was there", "owner": "team-web", "approver": "security", "issue": ISSUE}
LEAKY = orjson.dumps(environment([("DB_PASSWORD", "Orange-7-Boat"), ("API_TOKEN", "Orange-8-Boat")]))
CLEAN = orjson.dumps(task(container()))


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("ECS_ADMISSION_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ECS_ADMISSION_DATA_DIR", str(tmp_path / "data"))


@pytest.fixture
def opa(monkeypatch: pytest.MonkeyPatch) -> str:
    """The pinned OPA, on PATH."""
    program = opa_program()
    monkeypatch.setenv("PATH", f"{Path(program).parent}{os.pathsep}{os.environ['PATH']}")
    return program


@pytest.fixture
def layer(tmp_path: Path) -> Callable[..., Path]:
    """Makes a layer of data alone: what each file under it says."""

    def make(name: str = "layer", **data: Any) -> Path:
        folder = tmp_path / name
        for path, value in data.items():
            file = folder / path.replace("__", "/") / "data.yaml"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(value if isinstance(value, bytes) else yaml.safe_dump(value).encode())
        return folder

    return make


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, Any], str]:
    def write_(name: str, content: Any) -> str:
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else orjson.dumps(content))
        return str(tmp_path / name)

    return write_


def today() -> date:
    return datetime.now(UTC).date()


def policies(*arguments: str, stdin: bytes = b"") -> Result:
    return CliRunner().invoke(main, ["policies", *arguments], input=stdin)


def shown(*arguments: str) -> Any:
    """What a command prints as JSON."""
    result = policies(*arguments, "--output", "json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def generate(*arguments: str, stdin: bytes = b"") -> Result:
    return policies("exceptions", "generate", *TERMS, *arguments, stdin=stdin)


def generated(result: Result) -> list[JSONObject]:
    document = yaml.safe_load(result.stdout)
    assert document.keys() == {"items"}
    items: list[JSONObject] = document["items"]
    return items


class TestNew:
    """`policies new`; that what it makes passes every check is in tests/policies/test_new_rule.py."""

    def test_it_makes_a_folder_with_rule_test_and_examples(self, tmp_path: Path) -> None:
        result = policies("new", "our-own/some-rule", "--policies", str(tmp_path))
        folder = tmp_path / "admission" / "rules" / "our-own" / "some-rule"
        names = ["some-rule.rego", "some-rule_test.rego", "examples.yaml"]
        assert (result.exit_code, result.stdout.splitlines()) == (0, [str(folder / name) for name in names])
        assert sorted(names) == sorted(path.name for path in folder.iterdir())
        assert [folder] == [path.parent for path in tmp_path.rglob("*.yaml")]

    def test_the_folder_of_policies_is_the_one_here_unless_said_otherwise(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        missing = policies("new", "our/rule")
        assert (missing.exit_code, missing.stdout) == (2, "")
        assert not list(tmp_path.iterdir())
        Path("policies").mkdir()
        assert policies("new", "our/rule").exit_code == 0
        assert (tmp_path / "policies" / "admission" / "rules" / "our" / "rule" / "rule.rego").exists()

    @pytest.mark.parametrize(
        "rule",
        ["", "rule", "/rule", "category/", "a/b/c", "A/b", "a/B", "a_b/c", "a/b_c", "1a/b", "a/1b", "-a/b", "a/-b",
         "a/b ", " a/b", "a/b\n", "a.b/c", "../a/b", "a/..", "a//b", "ä/b", "a" * 65 + "/b"],
    )  # fmt: skip
    def test_what_cannot_be_an_id_is_refused(self, rule: str, tmp_path: Path) -> None:
        result = policies("new", "--policies", str(tmp_path), "--", rule)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "CATEGORY/RULE" in result.stderr
        assert not list(tmp_path.iterdir())

    def test_an_id_of_the_pack_that_ships_is_taken(self, tmp_path: Path, pack: Pack) -> None:
        for rule in pack.catalogue:
            result = policies("new", rule, "--policies", str(tmp_path))
            assert (result.exit_code, result.stdout) == (2, "")
            assert rule in result.stderr
        assert not list(tmp_path.iterdir())

    def test_a_rule_that_is_in_the_folder_is_left_alone(self, tmp_path: Path) -> None:
        policies("new", "our/rule", "--policies", str(tmp_path))
        file = tmp_path / "admission" / "rules" / "our" / "rule" / "rule.rego"
        file.write_text("edited")
        result = policies("new", "our/rule", "--policies", str(tmp_path))
        assert (result.exit_code, result.stdout) == (2, "")
        assert file.read_text() == "edited"

    def test_a_folder_that_cannot_be_made_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "admission").write_text("a file")
        result = policies("new", "our/rule", "--policies", str(tmp_path))
        assert (result.exit_code, result.stdout) == (2, "")
        assert "cannot be made" in result.stderr


class TestShow:
    """`policies show`."""

    def test_it_shows_every_rule_of_the_pack_that_ships(self, pack: Pack) -> None:
        document = shown("show")
        assert (pack.revision, []) == (document["revision"], document["weakened"])
        assert list(pack.catalogue) == [rule["id"] for rule in document["rules"]]
        for item in document["rules"]:
            rule = pack.catalogue[item["id"]]
            assert (rule.title, rule.severity, list(rule.controls)) == (
                item["title"], item["severity"], item["controls"]
            )  # fmt: skip
            assert item["actions"].keys() == document["environments"].keys()

    def test_a_layer_is_shown_with_what_it_softens_and_how_many_exceptions_it_has(
        self, layer: Callable[..., Path], pack: Pack
    ) -> None:
        excepted = {"id": "e1", "match": {"rule": "plaintext/field", "family": "web"}, **FIELDS}
        folder = layer(
            config__environments={
                "dev": {"actions": {"plaintext/field": "warn"}},
                "prod": {"profile": "restricted"},
                "sandbox": {"profile": "baseline", "actions": {"plaintext/environment": "dryrun"}},
            },
            exceptions={"items": [{**excepted, "expires": today().isoformat()}]},
        )
        document = shown("show", "--policies", str(folder))
        assert document["revision"] != pack.revision
        assert "restricted" == document["environments"]["prod"]
        rules = {rule["id"]: rule for rule in document["rules"]}
        field = rules["plaintext/field"]
        assert ("warn", "deny", "deny") == (field["actions"]["dev"], field["actions"]["prod"], field["elsewhere"])
        assert "dryrun" == rules["plaintext/environment"]["actions"]["sandbox"]
        assert (1, 0) == (field["exceptions"], rules["plaintext/environment"]["exceptions"])
        assert [
            "environment dev: plaintext/field is warn and no longer deny",
            "environment sandbox: plaintext/environment is dryrun and no longer deny",
        ] == document["weakened"]
        table = policies("show", "--policies", str(folder)).stdout
        (head,) = [line.split("  ") for line in table.splitlines() if line.startswith("RULE")]
        assert ["dev", "prod", "sandbox"] == [
            cell.strip() for cell in head if cell.strip() in document["environments"]
        ][:3]
        assert "milder than what ships: environment dev: plaintext/field is warn and no longer deny" in table

    def test_the_table_says_what_the_json_does(self) -> None:
        document, table = shown("show"), policies("show").stdout
        lines = {line.split()[0]: line for line in table.splitlines() if line}
        for rule in document["rules"]:
            line = lines[rule["id"]]
            assert line.endswith(rule["title"])
            cells = line.split()
            assert [rule["severity"], *rule["actions"].values(), rule["elsewhere"]] == cells[1:][
                : 2 + len(rule["actions"])
            ]
            for name in rule["variants"]:
                assert f"{rule['id']}/{name}" in lines
        assert document["revision"] in table

    def test_the_places_of_the_settings_are_those_that_are_shown(
        self, layer: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = layer(config__environments={"sandbox": {"profile": "baseline"}})
        monkeypatch.setenv("ECS_ADMISSION_POLICIES", str(folder))
        assert "sandbox" in shown("show")["environments"]

    @pytest.mark.parametrize("command", [("show",), ("exceptions",)])
    def test_a_mistake_is_told_with_file_and_line(self, command: tuple[str, ...], layer: Callable[..., Path]) -> None:
        folder = layer(config__environments=b"# ours\nprod:\n  profile: strict\n")
        result = policies(*command, "--policies", str(folder))
        assert (result.exit_code, result.stdout) == (2, "")
        assert "config/environments/data.yaml:2" in result.stderr


class TestDocumentation:
    """What the how-to pages show."""

    def blocks(self, page: str) -> list[str]:
        text = (EXAMPLES.parent / "docs" / "how-to" / page).read_text()
        return re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)

    def test_the_exception_loads(self, layer: Callable[..., Path]) -> None:
        (block,) = self.blocks("grant-an-exception.md")
        (item,) = shown("exceptions", "--policies", str(layer(exceptions=block.encode())))["items"]
        assert yaml.safe_load(block)["items"][0]["match"] == item["match"]

    def test_each_piece_of_a_layer_does_what_is_said(self, layer: Callable[..., Path]) -> None:
        weakened, environments = [], {}
        for number, block in enumerate(self.blocks("lay-policies-over.md")):
            path = re.match(r"# ([a-z/]+)/data\.yaml", block)
            assert path is not None
            others = {"config__environments": {"sandbox": {"profile": "baseline"}}} if "accounts" in path[1] else {}
            folder = layer(f"layer-{number}", **others, **{path[1].replace("/", "__"): block.encode()})
            document = shown("show", "--policies", str(folder))
            weakened += document["weakened"]
            environments |= document["environments"]
        assert [
            "config/words/secret lacks kennwort",
            "environment dev: plaintext/misplaced-reference is warn and no longer deny",
        ] == weakened
        assert {"sandbox"} == environments.keys() - {"dev", "test", "staging", "prod"}


@pytest.mark.opa
class TestExampleLayer:
    """The layer in examples/, which has a rule and is compiled."""

    @pytest.fixture
    def built(self, opa: str, tmp_path: Path) -> Path:
        result = CliRunner().invoke(main, ["bundle", "build", str(LAYER), "--output", str(tmp_path / "built")])
        assert result.exit_code == 0, result.output
        milder = "milder than what ships: environment dev: plaintext/misplaced-reference is warn and no longer deny\n"
        assert milder == result.stderr
        assert milder in (LAYER / "README.md").read_text()
        return tmp_path / "built"

    def test_it_is_what_its_readme_says(self, built: Path, pack: Pack) -> None:
        document = shown("show", "--policies", str(built))
        rules = {rule["id"]: rule for rule in document["rules"]}
        assert {"ownership/owner-tag"} == rules.keys() - pack.catalogue.keys()
        assert "restricted" == document["environments"]["prod"]
        actions = rules["ownership/owner-tag"]["actions"]
        assert ("warn", "deny") == (actions["dev"], actions["prod"])
        assert {"active": 0, "expired": 1} == document["exceptions"]
        assert document == shown("show", "--policies", str(LAYER)), "compiled when it is laid over"

    def test_its_words_find_its_secrets(self, built: Path, write: Callable[[str, Any], str]) -> None:
        file = write("task.json", environment([("ACME_SEAL_CODE", "Orange-7-Boat")]))
        found = [item["match"]["name"] for item in generated(generate("--policies", str(built), file))
                 if item["match"]["rule"] == "plaintext/environment"]  # fmt: skip
        assert ["ACME_SEAL_CODE"] == found
        assert [] == generated(generate(file))

    def test_its_examples_are_judged_as_they_say(
        self, built: Path, detectors: tuple[Detector, ...], key: FingerprintKey, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pack = load_pack(built)
        engine = EmbeddedEngine(pack, threads=1, deadline_seconds=30)
        revision = prepare(pack, engine=engine, detectors=detectors[1:], key=key, now=time.time())
        monkeypatch.setattr(rule_examples, "RULES", LAYER / "admission" / "rules")
        found = rule_examples.load_examples()
        assert {"ownership/owner-tag"} == {example.rule for example in found}
        for example in found:
            decision = judge(revision, example).decision
            assert list(example.causes) == [(f.rule, f.pointer) for f in decision.denials], example.id
            assert list(example.warnings) == [(f.rule, f.pointer) for f in decision.warnings], example.id
        engine.close()

    def test_its_code_owners_are_named_for_what_makes_it_milder(self) -> None:
        lines = [line.split() for line in (LAYER / "CODEOWNERS").read_text().splitlines()]
        owned = {line[0]: line[1:] for line in lines if line and not line[0].startswith("#")}
        for path in ("/config/", "/removals/", "/exceptions/", "/CODEOWNERS"):
            assert ["@acme/security"] == owned[path]


def excepting(name: str, ends_in_days: int) -> JSONObject:
    expires = today() + timedelta(days=ends_in_days)
    return {"id": name, "match": {"rule": "plaintext/field", "family": name}, **FIELDS, "expires": expires.isoformat()}


def four_exceptions() -> list[JSONObject]:
    return [excepting("long", 60), excepting("short", 5), excepting("gone", -1), excepting("today", 0)]


@pytest.fixture
def four(layer: Callable[..., Path]) -> str:
    """A layer with exceptions that stand in different ways."""
    return str(layer("four", exceptions={"items": four_exceptions()}))


Append = Callable[..., None]


@pytest.fixture
def append(tmp_path: Path) -> Iterator[Append]:
    """Makes the decision log of the settings, and appends a decision in which exceptions were applied."""
    (tmp_path / "data").mkdir(mode=0o700)
    log = DecisionLog.open(
        f"sqlite:///{tmp_path / 'data' / 'decisions.sqlite3'}",
        writer=new_decision_id(),
        start=build_node_draft("node_start", entry_id=new_decision_id(), time_us=1, engine=None, revision=None),
        log_key=make_signing_key(),
        timeout_seconds=10,
    )

    def append_(*applied: str | None, days_ago: float = 0) -> None:
        now = datetime.now(UTC).timestamp() - days_ago * 86_400
        place = Place("app", "environment", "DB_PASSWORD")
        finding = Finding("plaintext/field", "/p", Action.DENY, "high", place)
        findings = tuple(replace(finding, exception=exception) for exception in applied)
        draft = build_draft(
            Decision(Outcome.ALLOWED, "", "", findings=findings),
            decision_id=new_decision_id(), time_us=int(now * 1_000_000), uid=None, operation="RegisterTaskDefinition",
            enforcement_point="api", dry_run=False, family="web", context=DeployContext(), now=int(now),
            user=UserInfo("ci"), engine="embedded", revision="r", timings_us={}, body=None,
        )  # fmt: skip
        log.append(draft, deadline_seconds=10)

    yield append_
    log.close()


class TestExceptions:
    """`policies exceptions`."""

    def told(self, *arguments: str) -> dict[str, tuple[str, str]]:
        items = shown("exceptions", *arguments)["items"]
        return {item["id"]: (item["state"], item["use"]) for item in items}

    def test_the_pack_that_ships_has_none(self) -> None:
        assert {"items": []} == shown("exceptions")
        result = policies("exceptions", "--fail-on", "expired,unused,ending")
        assert (result.exit_code, result.stdout, result.stderr) == (0, "no exceptions\n", "")

    def test_without_a_log_their_use_is_unknown_and_that_is_said(self, four: str, tmp_path: Path) -> None:
        result = policies("exceptions", "--policies", four)
        assert result.exit_code == 0
        assert result.stderr.startswith("which exceptions are unused is unknown: there is no decision log")
        assert {
            "long": ("active", "unknown"),
            "short": ("ending", "unknown"),
            "today": ("ending", "unknown"),
            "gone": ("expired", "unknown"),
        } == self.told("--policies", four)
        assert not (tmp_path / "data").exists()

    def test_the_log_says_which_are_used(self, four: str, append: Append) -> None:
        append("long", None)
        append(None)
        append("gone", days_ago=3)
        assert {
            "long": ("active", "used"),
            "short": ("ending", "unused"),
            "today": ("ending", "unused"),
            "gone": ("expired", "used"),
        } == self.told("--policies", four)
        assert "" == policies("exceptions", "--policies", four).stderr

    def test_only_what_lies_within_the_period_counts(self, four: str, append: Append) -> None:
        append("long", days_ago=3.1)
        append(None)
        for since, use in (("30d", "used"), ("4d", "used"), ("80h", "used"), ("3d", "unused"), ("1h", "unused")):
            assert use == self.told("--policies", four, "--since", since)["long"][1], since

    def test_every_page_of_the_log_is_read(self, four: str, append: Append) -> None:
        append("long", "short", days_ago=1)
        for _ in range(201):
            append("today")
        told = self.told("--policies", four)
        assert {"long": "used", "short": "used", "today": "used"} == {
            name: told[name][1] for name in told if name != "gone"
        }

    def test_when_one_was_last_applied_is_said(self, four: str, append: Append) -> None:
        append("long", days_ago=2)
        append("long", days_ago=1)
        last = {item["id"]: item["lastApplied"] for item in shown("exceptions", "--policies", four)["items"]}
        yesterday = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
        assert last["long"].startswith(yesterday)
        assert last["short"] is None

    def test_an_item_says_all_that_its_file_does(self, four: str) -> None:
        items = {item["id"]: item for item in shown("exceptions", "--policies", four)["items"]}
        for expected in four_exceptions():
            assert expected == {key: items[expected["id"]][key] for key in expected}

    def test_the_table_has_a_line_for_each(self, four: str) -> None:
        lines = policies("exceptions", "--policies", four).stdout.splitlines()
        assert ["STATE", "expired", "ending", "ending", "active"] == [line.split()[0] for line in lines]
        assert "rule=plaintext/field family=long" in lines[-1]

    @pytest.mark.parametrize(
        ("days", "condition", "code"),
        [(60, "expired", 0), (60, "ending", 0), (60, "unused", 1), (60, "expired,ending", 0),
         (60, "expired, unused", 1), (5, "ending", 1), (5, "expired", 0), (5, "expired,ending", 1),
         (-1, "expired", 1), (-1, "ending", 0), (-1, "unused", 0), (-1, "", 0)],
    )  # fmt: skip
    def test_a_pipeline_can_fail_on_what_it_finds(
        self, days: int, condition: str, code: int, layer: Callable[..., Path], append: Append
    ) -> None:
        append(None)
        folder = layer(exceptions={"items": [excepting("one", days)]})
        assert policies("exceptions", "--policies", str(folder), "--fail-on", condition).exit_code == code

    def test_where_nobody_can_tell_a_pipeline_does_not_pass(self, four: str, layer: Callable[..., Path]) -> None:
        assert policies("exceptions", "--policies", four, "--fail-on", "unused").exit_code == 3
        assert policies("exceptions", "--policies", four, "--fail-on", "unused,ending").exit_code == 1
        gone = layer(exceptions={"items": [excepting("gone", -1)]})
        assert policies("exceptions", "--policies", str(gone), "--fail-on", "unused").exit_code == 0

    def test_a_log_that_cannot_be_read_says_nothing_of_use(self, four: str, tmp_path: Path) -> None:
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "decisions.sqlite3").write_bytes(b"this is no database" * 100)
        assert "unknown" == self.told("--policies", four)["long"][1]

    def test_a_wrong_setting_is_an_error(self, four: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ECS_ADMISSION_WORKERS", "hunter2")
        result = policies("exceptions", "--policies", four)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "hunter2" not in result.stderr

    @pytest.mark.parametrize(
        "arguments",
        [("--since", "30"), ("--since", "0d"), ("--since", "1w"), ("--since", ""), ("--fail-on", "old"),
         ("--output", "yaml"), ("none",), ("--policies", "/none")],
    )  # fmt: skip
    def test_wrong_usage_is_2(self, arguments: tuple[str, ...]) -> None:
        result = policies("exceptions", *arguments)
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr

    def test_an_option_of_the_list_in_front_of_generate_is_refused(self, four: str) -> None:
        result = policies("exceptions", "--policies", four, "generate", *TERMS, "-", stdin=CLEAN)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "--policies" in result.stderr


Judge = Callable[..., Answer]


@pytest.fixture
def judge_with(detectors: tuple[Detector, ...], key: FingerprintKey) -> Iterator[Judge]:
    """Judges a document as the service would, with a layer laid over, at some time."""
    engines: list[EmbeddedEngine] = []

    def judge_(
        place: Path, document: bytes, *, at: float, operation: str = "RegisterTaskDefinition", **context: str
    ) -> Answer:
        pack = load_policies([place], now=at).pack
        engines.append(EmbeddedEngine(pack, threads=1, deadline_seconds=30))
        revision = prepare(pack, engine=engines[-1], detectors=detectors[1:], key=key, now=at)
        reviewer = Reviewer(
            revision, inventory=NoInventory(), recorder=do_not_record, on_error=_fail, clock=lambda: at
        )  # fmt: skip
        return reviewer.review(
            partial(read_operation, operation, document, context.items()),
            operation=operation,
            user=UserInfo("pipeline"),
            enforcement_point="test",
        )

    yield judge_
    for engine in engines:
        engine.close()


class TestGenerate:
    """`policies exceptions generate`."""

    def test_what_is_denied_today_is_allowed_with_warnings_until_its_last_second(
        self, tmp_path: Path, judge_with: Judge
    ) -> None:
        layer, leaky = tmp_path / "layer", EXAMPLES / "leaky-task-definition.json"
        (layer / "exceptions").mkdir(parents=True)
        output = str(layer / "exceptions" / "data.yaml")
        result = generate("--environment", "prod", "--days", "10", "--output", output, str(leaky))
        assert (result.exit_code, result.stdout) == (0, "")
        end = datetime.combine(today() + timedelta(days=11), datetime.min.time(), UTC).timestamp()
        now = datetime.now(UTC).timestamp()
        before = judge_with(tmp_path / "layer", leaky.read_bytes(), at=now, environment="prod")
        last = judge_with(tmp_path / "layer", leaky.read_bytes(), at=end - 1, environment="prod")
        after = judge_with(tmp_path / "layer", leaky.read_bytes(), at=end, environment="prod")
        assert [True, True, False] == [answer.response["allowed"] for answer in (before, last, after)]
        for answer in (before, last):
            assert {f.exception is not None for f in answer.decision.findings if f.action is Action.DENY} == {True}
            assert len(answer.decision.warnings) >= len(after.decision.denials)
        assert len(after.decision.denials) == len(list(filter(None, (f.exception for f in last.decision.findings))))
        elsewhere = judge_with(tmp_path / "layer", leaky.read_bytes(), at=now, environment="dev")
        assert elsewhere.response["allowed"] is False, "they hold in the environment that they were made for"

    def test_check_allows_with_them_and_there_is_nothing_left_to_except(
        self, layer: Callable[..., Path], write: Callable[[str, Any], str]
    ) -> None:
        leaky = write("leaky.json", LEAKY)
        folder = layer(exceptions=generate(leaky).stdout.encode())
        checked = CliRunner().invoke(main, ["check", "--policies", str(folder), leaky])
        assert (checked.exit_code, checked.stdout.count("exempted by")) == (0, 2)
        again = generate("--policies", str(folder), leaky)
        assert (again.exit_code, generated(again)) == (0, [])

    def test_each_exception_is_used(
        self, write: Callable[[str, Any], str], layer: Callable[..., Path], judge_with: Judge
    ) -> None:
        token = github_token()
        document = orjson.dumps(
            task(
                container(environment=[{"name": "DB_PASSWORD", "value": token}, {"name": token, "value": token}]),
                container(name="other", command=["serve", f"--db-password={token}"]),
            )
        )
        result = generate(write("task.json", document))
        items = generated(result)
        folder = layer(exceptions=result.stdout.encode())
        answer = judge_with(folder, document, at=datetime.now(UTC).timestamp())
        assert answer.response["allowed"] is True
        assert {item["id"] for item in items} == {f.exception for f in answer.decision.findings}

    def test_an_exception_says_who_why_and_until_when(self) -> None:
        result = generate("-", "--reason", "we know: #7", stdin=LEAKY)
        ends = (today() + timedelta(days=30)).isoformat()
        for item in generated(result):
            assert ["id", "match", "reason", "owner", "approver", "issue", "expires"] == list(item)
            assert ("we know: #7", "team-web", "security", ISSUE, ends) == tuple(list(item.values())[2:])
        assert result.stdout.startswith("# ")

    def test_a_match_is_of_what_is_known(self) -> None:
        result = generate("-", "--environment", "prod", "--account", "012345678901", stdin=LEAKY)
        assert [
            {
                "rule": "plaintext/environment", "family": "web", "container": "app", "name": name,
                "account": "012345678901", "environment": "prod",
            }
            for name in ("API_TOKEN", "DB_PASSWORD")
        ] == [item["match"] for item in generated(result)]  # fmt: skip

    def test_the_environment_is_the_one_that_the_account_is_listed_under(
        self, layer: Callable[..., Path], judge_with: Judge
    ) -> None:
        listed = layer("accounts", config__accounts={"111122223333": "prod"})
        result = generate("-", "--account", "111122223333", "--policies", str(listed), stdin=LEAKY)
        assert {"prod"} == {item["match"]["environment"] for item in generated(result)}
        both = layer(config__accounts={"111122223333": "prod"}, exceptions=result.stdout.encode())
        now = datetime.now(UTC).timestamp()
        assert judge_with(both, LEAKY, at=now, account="111122223333").response["allowed"] is True
        assert judge_with(both, LEAKY, at=now).response["allowed"] is False

    @pytest.mark.parametrize(
        ("account", "name"), [("012345678901", "true"), ("000000000017", "1e3"), ("111122223333", "0o17_PASSWORD")]
    )
    def test_what_yaml_would_read_as_something_else_stays_text(
        self, account: str, name: str, layer: Callable[..., Path], judge_with: Judge
    ) -> None:
        document = task(container(environment=[{"name": name, "value": github_token()}]), family=name)
        result = generate("-", "--account", account, stdin=orjson.dumps(document))
        folder = layer(exceptions=result.stdout.encode())
        now = datetime.now(UTC).timestamp()
        answer = judge_with(folder, orjson.dumps(document), at=now, account=account)
        assert answer.response["allowed"] is True

    def test_a_task_that_is_started_is_excepted_by_its_family(
        self, layer: Callable[..., Path], judge_with: Judge
    ) -> None:
        override = {"name": "app", "environment": [{"name": "API_TOKEN", "value": github_token()}]}
        document = {"taskDefinition": "web:7", "overrides": {"containerOverrides": [override]}}
        result = generate("-", "--operation", "RunTask", stdin=orjson.dumps(document))
        assert {"web"} == {item["match"]["family"] for item in generated(result)}
        folder = layer(exceptions=result.stdout.encode())
        document["taskDefinition"] = "web:8"
        answer = judge_with(folder, orjson.dumps(document), at=datetime.now(UTC).timestamp(), operation="RunTask")
        assert answer.response["allowed"] is True

    def test_one_file_of_several_and_the_same_one_twice(self, write: Callable[[str, Any], str]) -> None:
        leaky, clean = write("leaky.json", LEAKY), write("clean.json", CLEAN)
        twice = generate(clean, leaky, leaky)
        assert (twice.exit_code, generated(twice)) == (0, generated(generate(leaky)))

    def test_nothing_to_except_is_an_empty_list_that_loads(self, layer: Callable[..., Path]) -> None:
        result = generate("-", stdin=CLEAN)
        assert (result.exit_code, generated(result)) == (0, [])
        assert "no environment" not in result.stderr
        assert shown("exceptions", "--policies", str(layer(exceptions=result.stdout.encode()))) == {"items": []}

    def test_ids_do_not_meet_those_that_are_there(self, layer: Callable[..., Path]) -> None:
        first = generated(generate("-", stdin=LEAKY))
        ended = [{**item, "expires": (today() - timedelta(days=1)).isoformat()} for item in first]
        folder = layer(exceptions={"items": ended})
        second = generated(generate("--policies", str(folder), "-", stdin=LEAKY))
        assert [item["match"] for item in first] == [item["match"] for item in second]
        assert not {item["id"] for item in first} & {item["id"] for item in second}
        both = layer("both", exceptions={"items": [*ended, *second]})
        assert 4 == len(shown("exceptions", "--policies", str(both))["items"])

    def test_that_they_hold_everywhere_without_an_environment_is_said(self) -> None:
        assert "no environment was given" in generate("-", stdin=LEAKY).stderr
        assert "no environment was given" not in generate("-", "--environment", "prod", stdin=LEAKY).stderr

    def test_what_could_not_be_judged_is_listed_and_stays_denied(
        self, layer: Callable[..., Path], judge_with: Judge
    ) -> None:
        many = [{"name": f"PASSWORD_{number}", "value": f"Orange-{number}-Boat"} for number in range(250)]
        document = orjson.dumps(task(container(environment=many)))
        result = generate("-", stdin=document)
        assert result.exit_code == 1
        assert "not covered: -: bounds/exceeded at /: no exception covers what could not be judged\n" in result.stderr
        rules = {item["match"]["rule"] for item in generated(result)}
        assert rules == {"plaintext/environment"}
        folder = layer(exceptions=result.stdout.encode())
        answer = judge_with(folder, document, at=datetime.now(UTC).timestamp())
        assert ["bounds/exceeded"] == [finding.rule for finding in answer.decision.denials]

    def test_without_a_family_nothing_is_covered(self) -> None:
        variables = [{"name": "DB_PASSWORD", "value": "Orange-7-Boat"}]
        service = "arn:aws:ecs:eu-central-1:111122223333:service/main/web"
        document = {"serviceArn": service, "primaryContainer": {"image": "web:1", "environment": variables}}
        result = generate("-", "--operation", "UpdateExpressGatewayService", stdin=orjson.dumps(document))
        assert (result.exit_code, generated(result)) == (1, [])
        place = "plaintext/environment at /primaryContainer/environment/0/value"
        assert f"not covered: -: {place}: an exception needs a family" in result.stderr

    @pytest.mark.parametrize("family", ["", "two words", github_token()], ids=["empty", "words", "token"])
    def test_with_a_family_that_may_not_be_shown_nothing_is_covered(self, family: str) -> None:
        document = environment([("DB_PASSWORD", "Orange-7-Boat")]) | {"family": family}
        result = generate("-", stdin=orjson.dumps(document))
        assert (result.exit_code, generated(result)) == (1, [])
        place = "plaintext/environment at /containerDefinitions/0/environment/0/value"
        assert f"not covered: -: {place}: an exception needs a family" in result.stderr

    def test_nothing_of_a_literal_is_written(self, write: Callable[[str, Any], str], tmp_path: Path) -> None:
        token, words = github_token(), "Orange-7-Boat"
        document = task(
            container(
                name=token,
                command=[f"--password={token}", f"--db-password={words}"],
                environment=[
                    {"name": "DB_PASSWORD", "value": words},
                    {"name": token, "value": words},
                    {"name": f"PASSWORD={words}", "value": words},
                ],
                dockerLabels={token: token, f"{words}!": token},
                secrets=[{"name": "A", "valueFrom": f"{token} "}],
            ),
            container(environment=[{"name": "DB_PASSWORD", "value": token}]),
            **{f"{token}x": token},
        )
        other = {**document, "family": token}
        output = tmp_path / "out.yaml"
        result = generate(write("a.json", document), write("b.json", other), "--output", str(output))
        assert result.exit_code == 1
        assert output.read_text().count("- id:") > 1
        for text in (result.output, output.read_text()):
            assert token not in text
            assert token.lower() not in text.lower()
            assert "orange" not in text.lower()
        assert "redacted" not in output.read_text()
        assert "broader than what was found, since a name may not be shown: " in result.stderr

    @pytest.mark.parametrize(
        ("content", "code", "word"),
        [
            (b"{", 4, "invalid"),
            (b"", 4, "invalid"),
            (b"[]", 4, "invalid"),
            (b'{"family": "a", "family": "b"}', 4, "invalid"),
        ],
    )
    def test_a_file_that_cannot_be_judged_is_an_error(
        self, content: bytes, code: int, word: str, write: Callable[[str, Any], str], tmp_path: Path
    ) -> None:
        files = write("leaky.json", LEAKY), write("broken.json", content)
        output = tmp_path / "out.yaml"
        for result in (generate(*files), generate(*files, "--output", str(output))):
            assert (result.exit_code, result.stdout) == (code, "")
            assert f"broken.json: {word}: " in result.stderr
        assert not output.exists()

    def test_where_the_engine_does_not_decide_nothing_is_written(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def evaluate(*_: Any) -> Any:
            raise CannotDecideError("nobody knows")

        monkeypatch.setattr("ecs_admission.survey.check_revision", lambda _: None)
        monkeypatch.setattr(EmbeddedEngine, "evaluate", evaluate)
        result = generate("-", stdin=LEAKY)
        assert (result.exit_code, result.stdout) == (3, "")
        assert "-: undecided: nobody knows" in result.stderr

    def test_a_file_that_is_there_is_not_written_over(self, tmp_path: Path) -> None:
        (tmp_path / "data.yaml").write_text("items: [precious]")
        result = generate("-", "--output", str(tmp_path / "data.yaml"), stdin=LEAKY)
        assert (result.exit_code, result.stdout) == (2, "")
        assert (tmp_path / "data.yaml").read_text() == "items: [precious]"

    @pytest.mark.parametrize(
        "arguments",
        [("--days", "0"), ("--days", "91"), ("--owner", " "), ("--reason", ""), ("--policies", "/none"),
         ("--output", "/no/such/folder/data.yaml"), ("/no/such/file.json",)],
    )  # fmt: skip
    def test_wrong_usage_is_2(self, arguments: tuple[str, ...]) -> None:
        result = generate("-", *arguments, stdin=LEAKY)
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr

    @pytest.mark.parametrize("missing", ["--owner", "--approver", "--issue"])
    def test_somebody_has_to_answer_for_them(self, missing: str) -> None:
        index = TERMS.index(missing)
        terms = (*TERMS[:index], *TERMS[index + 2 :])
        assert policies("exceptions", "generate", *terms, "-", stdin=LEAKY).exit_code == 2

    def test_ninety_days_is_a_term_that_loads(self, layer: Callable[..., Path]) -> None:
        folder = layer(exceptions=generate("-", "--days", "90", stdin=LEAKY).stdout.encode())
        expected = {(today() + timedelta(days=90)).isoformat()}
        assert expected == {item["expires"] for item in shown("exceptions", "--policies", str(folder))["items"]}


def _fail(error: Exception) -> None:
    raise error
