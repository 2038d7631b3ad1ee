"""What the documentation says is so."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tools import reference_docs

from ecs_admission.cli import main
from ecs_admission.engines.pack import Pack

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("bench/**/*.md")])
LINK = re.compile(r"\[[^\]]*\]\((?!https?://)([^)#]+)[^)]*\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = [target for target in LINK.findall(page.read_text()) if not (page.parent / target).exists()]
    assert [] == broken


def test_every_decision_is_in_the_list() -> None:
    listed = set(re.findall(r"\((\d{4}-[\w-]+\.md)\)", (ROOT / "docs/adr/README.md").read_text()))
    assert {path.name for path in ROOT.glob("docs/adr/0*.md")} == listed


def printed_by_check(*arguments: str) -> str:
    """What `ecs-admission check --environment prod` prints for the leaky example, which it denies."""
    program = Path(sys.executable).parent / "ecs-admission"
    command = [program, "check", "--environment", "prod", *arguments, "examples/leaky-task-definition.json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert 1 == done.returncode
    return done.stdout


def block_of_readme(before: str, after: str) -> list[str]:
    """The lines of the README between two patterns."""
    block = re.search(f"{before}\\n(.*?)\\n{after}", (ROOT / "README.md").read_text(), re.DOTALL)
    assert block is not None
    return block.group(1).splitlines()


def test_the_readme_shows_what_check_prints() -> None:
    printed = printed_by_check("examples/clean-task-definition.json")
    lines = [line.removesuffix(" ...") for line in block_of_readme(r"examples/\*\.json", "```")]
    assert [] == [line for line in lines if line not in printed]


def test_the_readme_shows_what_the_service_answers() -> None:
    printed = printed_by_check("--output", "json")
    lines = block_of_readme("returned error: 403", r"\.\.\.\n```")
    assert [] == [line for line in lines if line not in printed]


def test_every_dependency_has_a_reason() -> None:
    metadata = (ROOT / "pyproject.toml").read_text()
    listed = re.search(r"\ndependencies = \[\n(.*?)\n\]", metadata, re.DOTALL)
    assert listed is not None
    names = re.findall(r'"([a-z0-9-]+)[><=]', listed.group(1))
    page = (ROOT / "docs/dependencies.md").read_text()
    aliases = {"google-re2": "google-re2", "kingfisher-secret-scanner": "kingfisher-secret-scanner"}
    assert [] == [name for name in names if aliases.get(name, name) not in page]


def test_every_command_is_in_the_help() -> None:
    commands = main.list_commands(None)  # type: ignore[arg-type]
    assert {
        "check",
        "fix",
        "serve",
        "fetch",
        "metrics",
        "health",
        "config",
        "log",
        "bundle",
        "policies",
        "tokens",
    } == set(commands)


def test_every_endpoint_and_command_is_in_the_reference() -> None:
    pages = reference_docs.make_pages()
    assert reference_docs.outdated(pages) == [], "run: python -m tools.reference_docs --write"
    commands = [" ".join(path) for path, _ in reference_docs.commands(main, ("ecs-admission",))]
    assert [name for name in commands if f"## `{name}`" not in pages["cli.md"]] == []
    assert len(commands) > 25


def test_no_command_is_without_a_word_of_help() -> None:
    found = dict(reference_docs.commands(main, ("ecs-admission",)))
    assert [path for path, command in found.items() if not command.help] == []


def test_every_target_of_the_makefile_explains_itself() -> None:
    text = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^\.PHONY: ([a-z-]+)$", text, re.MULTILINE))
    explained = set(re.findall(r"^([a-z-]+):.*## ", text, re.MULTILINE))
    assert targets == explained
    assert {"install", "run", "test", "lint", "policy", "detection", "bench", "fuzz"} <= targets


def test_the_example_of_a_rule_has_what_the_shipped_rules_have(pack: Pack) -> None:
    page = (ROOT / "docs/how-to/add-a-rule.md").read_text()
    assert [] == [
        key for key in ("title", "description", "severity", "action", "message", "remediation") if f"{key}:" not in page
    ]
    assert pack.catalogue
