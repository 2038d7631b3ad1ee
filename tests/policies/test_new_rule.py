"""What `ecs-admission policies new` makes passes, as it is, everything that a rule has to pass."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import jsonpatch
import orjson
import pytest
from click.testing import CliRunner

from ecs_admission.cli import main
from ecs_admission.engines.embedded import EmbeddedEngine
from ecs_admission.engines.pack import load_pack
from ecs_admission.model import Action
from ecs_admission.project.detectors.protocol import Detector
from ecs_admission.project.fingerprints import FingerprintKey
from ecs_admission.respond.report import read_patch
from ecs_admission.revision import Revision, prepare
from ecs_admission.tripwires import check_revision
from tests.engines.opa_server import opa_program
from tests.policies import examples
from tests.policies.examples import POLICIES, Example
from tests.policies.test_examples import judge

pytestmark = pytest.mark.opa

ROOT = Path(__file__).parents[2]
RULES = ("our-own-category/no-such-thing", "ours/rule", "in/default")
"""With hyphens, with the name that tests give what they test, and with words of Rego's own."""


@dataclass(frozen=True, slots=True)
class Author:
    """A folder of policies that has got a rule. `is_layer` where it holds nothing else."""

    rule: str
    policies: Path
    is_layer: bool

    @property
    def folder(self) -> Path:
        return self.policies / "admission" / "rules" / self.rule


@pytest.fixture(scope="module", params=RULES)
def rule(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=["pack", "layer"])
def author(rule: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Author:
    folder = tmp_path_factory.mktemp("author") / "policies"
    is_layer = request.param == "layer"
    if is_layer:
        folder.mkdir()
    else:
        shutil.copytree(POLICIES, folder)
    result = CliRunner().invoke(main, ["policies", "new", rule, "--policies", str(folder)])
    assert result.exit_code == 0, result.output
    return Author(rule, folder, is_layer)


@pytest.fixture(scope="module")
def revision(
    author: Author, detectors: tuple[Detector, ...], key: FingerprintKey, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Revision]:
    """What `bundle build` makes of the folder, ready to judge."""
    output = tmp_path_factory.mktemp("built")
    command = ["bundle", "build", str(author.policies), "--output", str(output), "--opa", opa_program()]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    pack = load_pack(output)
    engine = EmbeddedEngine(pack, threads=1, deadline_seconds=30)
    yield prepare(pack, engine=engine, detectors=detectors[1:], key=key, now=0)
    engine.close()


def load_examples(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[Example]:
    monkeypatch.setattr(examples, "RULES", folder / "admission" / "rules")
    return list(examples.load_examples())


def run(program: str, *arguments: str | Path) -> None:
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_is_formatted(author: Author) -> None:
    run(opa_program(), "fmt", "--fail", "--list", author.policies)


def test_it_checks_strictly_against_the_policy_input_and_the_built_ins(author: Author) -> None:
    run(opa_program(), "check", "--strict", "--bundle", author.policies)
    run(
        opa_program(), "check", "--strict", "--schema", POLICIES / "schemas" / "input.json",
        "--capabilities", POLICIES / "capabilities.json", "--ignore", "*_test.rego", "--bundle", author.policies,
    )  # fmt: skip


def test_its_tests_pass_and_cover_it(author: Author) -> None:
    name = author.rule.rpartition("/")[2]
    command = [opa_program(), "test", "--bundle", ".", "--run", f"{name}_test", "--format", "json"]
    results = json.loads(subprocess.run(command, capture_output=True, check=True, cwd=author.policies).stdout)
    own = [result for result in results if author.rule in result["location"]["file"]]
    assert 2 == len(own)
    assert [] == [result["name"] for result in own if "fail" in result or "error" in result]
    covered = subprocess.run([*command, "--coverage"], capture_output=True, check=True, cwd=author.policies)
    assert 100 == json.loads(covered.stdout)["files"][f"admission/rules/{author.rule}/{name}.rego"]["coverage"]


def test_regal_has_nothing_to_say(author: Author) -> None:
    found = subprocess.run([ROOT / "tools" / "regal"], capture_output=True, text=True, check=False)
    if found.returncode != 0 and os.environ.get("CI") != "true":
        pytest.skip("no Regal: tools/regal says how to get one")
    # The entrypoint is the pack's.
    options = ["--disable", "no-defined-entrypoint"] if author.is_layer else []
    command = [
        found.stdout.strip(), "lint", "--config-file", ".regal/config.yaml", "--rules", ".regal/rules",
        "--format", "json", *options, author.policies,
    ]  # fmt: skip
    report = json.loads(subprocess.run(command, capture_output=True, check=False, cwd=ROOT).stdout)
    assert report["summary"]["files_scanned"] >= 2
    # What is said of a whole has no place; that of another rule is `make policy`'s to tell.
    own = [v for v in report["violations"] if author.rule in v["location"].get("file", author.rule)]
    assert [] == own


def test_it_has_complete_metadata_and_two_tests(author: Author, revision: Revision) -> None:
    rule = revision.governance.catalogue[author.rule]
    assert rule.fix != "none"
    assert rule.controls
    assert rule.link.startswith("https://docs.aws.amazon.com/")
    name = author.rule.rpartition("/")[2]
    assert 2 == (author.folder / f"{name}_test.rego").read_text().count("\ntest_")
    assert {f"{name}.rego", f"{name}_test.rego", "examples.yaml"} == {file.name for file in author.folder.iterdir()}


def test_its_examples_are_judged_as_they_say(
    author: Author, revision: Revision, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = [example for example in load_examples(author.policies, monkeypatch) if example.rule == author.rule]
    breaking = [example for example in own if author.rule in {rule for rule, _ in example.found}]
    assert (2, 4) == (len(breaking), len(own))
    for example in own:
        decision = judge(revision, example).decision
        assert list(example.causes) == sorted((f.rule, f.pointer) for f in decision.denials), example.id
        assert list(example.warnings) == sorted((f.rule, f.pointer) for f in decision.warnings), example.id
        assert {finding.action for finding in decision.findings} == ({Action.WARN} if example in breaking else set())


def test_no_example_of_another_rule_is_judged_in_another_way(
    author: Author, revision: Revision, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {
        example.id: {finding.rule for finding in judge(revision, example).decision.findings}
        for example in load_examples(POLICIES, monkeypatch)
    }
    assert [] == [name for name, rules in found.items() if author.rule in rules]


def test_its_fix_mends_what_it_finds_where_it_denies(
    author: Author, revision: Revision, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its action is a warning, to do no harm; an author who denies finds that the patch and the words are right."""
    (example, *_) = [e for e in load_examples(author.policies, monkeypatch) if e.rule == author.rule]
    profiles = {**revision.governance.profiles, example.profile: {author.rule: Action.DENY}}
    denying = replace(revision, governance=replace(revision.governance, profiles=profiles))
    answer = judge(denying, example)
    assert [author.rule] == [finding.rule for finding in answer.decision.denials]
    patched = jsonpatch.apply_patch(orjson.loads(example.body()[0]), read_patch(answer.response))
    assert judge(denying, replace(example, document=patched)).response["allowed"] is True


def test_the_revision_passes_the_tripwires(revision: Revision) -> None:
    check_revision(revision)


def test_the_rule_in_the_documentation_is_one(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "how-to" / "add-a-rule.md").read_text()
    block = re.search(r"```rego\n(.*?)```", page, re.DOTALL)
    assert block is not None
    folder = tmp_path / "layer" / "admission" / "rules" / "isolation" / "host-processes"
    folder.mkdir(parents=True)
    (folder / "host-processes.rego").write_text(textwrap.dedent(block.group(1)))
    run(opa_program(), "fmt", "--fail", "--list", folder)
    output = tmp_path / "built"
    command = ["bundle", "build", str(tmp_path / "layer"), "--output", str(output), "--opa", opa_program()]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    rule = load_pack(output).catalogue["isolation/host-processes"]
    assert rule.controls
    assert {"memory"} == rule.variants.keys()
