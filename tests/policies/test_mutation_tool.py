"""The tool that breaks the policies: which mutants it makes of a file, and what it says of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from tools import mutation

from tests.engines.opa_server import opa_program
from tests.policies.examples import POLICIES

RULE = """\
package rule

# METADATA
# description: é before what is cut shows that columns are characters
findings contains {"at": "é", "variant": "v"} if {
	some literal in input.literals
	not literal.kind in {"é", "b"}
	literal.size > 1; literal.name == "x"
}

findings contains {"at": "y"} if input.y

default _quiet := false

_names := [name | some name in input.names; name != "z"]

_every if {
	some a
	every name in _names {
		input.names[a] = name
	}
}
"""

TESTS = """\
package rule_test

import data.rule

test_one if {
	rule.findings == {{"at": "é", "variant": "v"}} with input.literals as [{"kind": "c", "size": 2, "name": "x"}]
	rule.findings == set() with input.literals as [{"kind": "b", "size": 2, "name": "x"}]
}
"""


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    """A folder with one rule and its test."""
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "rule.rego").write_text(RULE)
    (folder / "rule_test.rego").write_text(TESTS)
    return folder


def run(policies: Path, *arguments: str) -> int:
    explained = policies.parent / "explained.toml"
    return mutation.main(
        ["--opa", opa_program(), "--policies", str(policies), "--explained", str(explained), *arguments]
    )


@pytest.mark.opa
class TestMutants:
    """What is made of a file."""

    def test_each_piece_is_broken_by_itself(self, policies: Path) -> None:
        names = [mutant.name for mutant in mutation.read_mutants(opa_program(), policies)]
        assert sorted(names) == sorted(set(names))
        assert {
            'without definition: findings contains {"at": "y"} if input.y',
            "without: some literal in input.literals",
            'without: not literal.kind in {"é", "b"}',
            'without not: not literal.kind in {"é", "b"}',
            'without item: "é" in findings',
            'without item: "b" in findings',
            "without: literal.size > 1",
            ">= for >: literal.size > 1",
            'without: literal.name == "x"',
            '!= for ==: literal.name == "x"',
            'without item: "at": "é" in findings',
            'without item: "variant": "v" in findings',
            'without item: "at": "y" in findings',
            "without: input.y",
            "without: some name in input.names",
            '== for !=: name != "z"',
            'without: name != "z"',
            "without: every name in _names { input.names[a] = name }",
            "without: input.names[a] = name",
        } == {name for name in names if not name.startswith('without definition: findings contains {"at": "é"')}

    def test_a_mutant_differs_in_its_piece_alone(self, policies: Path) -> None:
        changed = {m.name: m.apply(RULE) for m in mutation.read_mutants(opa_program(), policies)}
        assert RULE.replace("literal.size > 1;", "true;") == changed["without: literal.size > 1"]
        assert RULE.replace('name == "x"', 'name != "x"') == changed['!= for ==: literal.name == "x"']
        assert RULE.replace('{"é", "b"}', '{"b"}') == changed['without item: "é" in findings']
        assert RULE.replace('{"é", "b"}', '{"é"}') == changed['without item: "b" in findings']
        assert RULE.replace('{"at": "y"}', "{}") == changed['without item: "at": "y" in findings']
        assert RULE.replace("not literal", "literal") == changed['without not: not literal.kind in {"é", "b"}']

    def test_a_mutant_knows_its_line(self, policies: Path) -> None:
        lines = {m.name: m.line for m in mutation.read_mutants(opa_program(), policies)}
        assert 7 == lines['without item: "b" in findings']
        assert 8 == lines["without: literal.size > 1"]
        assert 15 == lines['without: name != "z"']

    def test_one_explanation_is_of_one_mutant(self, policies: Path) -> None:
        (policies / "rule.rego").write_text("package rule\n\na if input.x\n\nb if {\n\tinput.x\n\tinput.y\n}\n")
        names = [mutant.name for mutant in mutation.read_mutants(opa_program(), policies)]
        assert ["without: input.x", "without: input.x (2)", "without: input.y"] == names

    def test_no_test_is_broken(self, policies: Path) -> None:
        assert {"rule.rego"} == {mutant.file for mutant in mutation.read_mutants(opa_program(), policies)}

    def test_every_policy_that_ships_can_be_read(self) -> None:
        files = {mutant.file for mutant in mutation.read_mutants(opa_program(), POLICIES)}
        rules = {path.relative_to(POLICIES).as_posix() for path in POLICIES.glob("admission/rules/*/*/*.rego")}
        assert {path for path in rules if not path.endswith("_test.rego")} <= files


@pytest.mark.opa
class TestVerdicts:
    """What is said of the mutants."""

    def test_survivors_are_told_with_their_line(self, policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert 1 == run(policies)
        told = capsys.readouterr().out
        assert 'survived: rule.rego:7: without item: "é" in findings\n' in told
        assert 'without item: "b" in findings' not in told
        assert "without: some literal in input.literals" not in told, "does not compile"
        assert RULE == (policies / "rule.rego").read_text()

    def test_a_test_for_each_leaves_none(self, policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (policies / "rule.rego").write_text("package rule\n\nfindings contains 1 if input.x == 2\n")
        (policies / "rule_test.rego").write_text(
            "package rule_test\n\ntest_it if {\n\tdata.rule.findings == {1} with input.x as 2\n"
            "\tdata.rule.findings == set() with input.x as 3\n}\n"
        )
        assert 0 == run(policies)
        assert "mutation: 2 of 2 killed, 0 survived, 0 do not compile" in capsys.readouterr().out

    def test_a_survivor_may_be_explained(self, policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (policies / "rule.rego").write_text("package rule\n\nfindings contains 1 if input.x\n")
        (policies / "rule_test.rego").write_text(
            "package rule_test\n\ntest_it if data.rule.findings == {1} with input.x as 2\n"
        )
        explained = policies.parent / "explained.toml"
        explained.write_text('[[survivor]]\nfile = "rule.rego"\nmutant = "without: input.x"\nreason = "Because."\n')
        assert 0 == run(policies)
        explained.write_text(explained.read_text().replace("input.x", "input.z"))
        assert 1 == run(policies)
        told = capsys.readouterr().out
        assert "survived: rule.rego:3: without: input.x" in told
        assert "explained but not there or killed: rule.rego: without: input.z" in told

    def test_policies_whose_tests_fail_are_not_judged(self, policies: Path) -> None:
        (policies / "rule.rego").write_text(RULE.replace("literal.size > 1", "literal.size > 2"))
        with pytest.raises(SystemExit, match="the tests fail"):
            run(policies)

    def test_only_some_files_are_judged(self, policies: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert 0 == run(policies, "--only", "other")
        assert "0 of 0 killed" in capsys.readouterr().out


def test_a_place_that_is_not_what_the_parser_says_is_an_error() -> None:
    node = {"location": {"row": 1, "col": 2, "text": "YWJj"}}
    assert (1, 4) == mutation.Source("x.rego", "-abc").span(node)
    with pytest.raises(ValueError, match=r"x\.rego:1"):
        mutation.Source("x.rego", "abc").span(node)


def test_the_report_counts_and_explains() -> None:
    mutants = [
        mutation.Mutant("a.rego", 1, "without", "x", 0, 1, "true"),
        mutation.Mutant("a.rego", 2, "!= for ==", "y == 1", 2, 3, "!="),
        mutation.Mutant("b.rego", 1, "without", "z", 0, 1, "true"),
    ]
    text = mutation.render(mutants, ["killed", "survived", "uncompilable"], {("a.rego", "!= for ==: y == 1"): "Why."})
    assert "| another comparison | 1 | 0 | 1 | 0 |" in text
    assert "| without | 2 | 1 | 0 | 1 |" in text
    assert "| all | 3 | 1 | 1 | 1 |" in text
    assert "- `a.rego`, `!= for ==: y == 1`: Why." in text


def test_every_explanation_has_a_file_and_a_reason() -> None:
    reasons = mutation.read_explanations(mutation.EXPLAINED)
    assert {} == {key: reason for key, reason in reasons.items() if not reason or not (POLICIES / key[0]).is_file()}
