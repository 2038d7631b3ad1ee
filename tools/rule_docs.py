#!/usr/bin/env python3
"""Write docs/reference/rules, a page for each rule and the tables of all: `make docs`, after `make pack`.

A page is made of the rule's METADATA as the pack has it, of what the profiles make of it, and of the examples beside
the rule. The answer on a page is the pipeline's own. What a `fix` does is said in docs/reference/metadata.md alone.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import jsonpatch
import orjson
import yaml
from tests.policies.examples import RULES, Example, GivenFacts, load_examples
from tools.rule_pages import Actions, Illustration, Page, readable, render_index, render_page

from ecs_admission.adapt.submission import read_operation
from ecs_admission.catalogue import Rule
from ecs_admission.governance import Environment, Governance, action_keys
from ecs_admission.model import Decision, Outcome, UserInfo
from ecs_admission.remediate.mend import PLACEHOLDER
from ecs_admission.review import Reviewer, do_not_record
from ecs_admission.revision import Revision

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "reference" / "rules"
METADATA = ROOT / "docs" / "reference" / "metadata.md"


def make_pages(revision: Revision, examples: Sequence[Example], rules: Path = RULES) -> dict[str, str]:
    """Every page by its path. Raises `ValueError` for a rule without a before and an after."""
    catalogue, actions = revision.governance.catalogue, read_actions(revision.governance)
    fixes = read_fixes(METADATA.read_text())
    pages = {"README.md": render_index(catalogue, actions)}
    for rule in catalogue.values():
        links = read_links((rules / rule.id / f"{rule.id.partition('/')[2]}.rego").read_text())
        shown = illustrate(rule, [example for example in examples if example.rule == rule.id], revision)
        pages[f"{rule.id}.md"] = render_page(Page(rule, links, actions, fixes, shown))
    return pages


def read_actions(governance: Governance) -> Actions:
    """What each profile makes of everything that an action can be given to."""
    judges = {
        profile: replace(governance, environments={profile: Environment(profile, actions)})
        for profile, actions in governance.profiles.items()
    }
    return {
        key: {profile: judge.action(rule, variant, profile) for profile, judge in judges.items()}
        for key, (rule, variant) in action_keys(governance.catalogue).items()
    }


def read_links(rego: str) -> list[tuple[str, str]]:
    """The pages that the METADATA of a package cites, with their titles: the catalogue keeps only the first address."""
    block = re.search(r"^# METADATA\n((?:#.*\n)+)package ", rego, re.MULTILINE)
    metadata = yaml.safe_load(re.sub(r"(?m)^# ?", "", block.group(1))) if block else {}
    return [(item["ref"], item.get("description", item["ref"])) for item in metadata.get("related_resources", ())]


def read_fixes(page: str) -> dict[str, str]:
    """What each fix does, from the table of docs/reference/metadata.md."""
    table = page.partition("## Fixes")[2].partition("---|\n")[2]
    return dict(re.findall(r"^\| `([a-z-]+)` \| (.+?) \|", table, re.MULTILINE))


def illustrate(rule: Rule, examples: Sequence[Example], revision: Revision) -> Illustration:
    """The first example that breaks a rule, and the same repaired by the patch that is offered, where that makes it
    allowed; else the first example that keeps the rule. Raises `ValueError` where there is none."""
    broken = next((example for example in examples if rule.id in {name for name, _ in example.found}), None)
    if broken is None:
        raise ValueError(f"{rule.id}: no example breaks the rule")
    body, _ = broken.body()
    decision = judge(revision, broken, body)
    patched = orjson.dumps(jsonpatch.apply_patch(orjson.loads(body), list(decision.patch)))
    # A text that a person has to write again is half a repair.
    is_whole = bool(decision.patch) and PLACEHOLDER.encode() not in patched
    if is_whole and _is_kept(rule, judge(revision, broken, patched)):
        after = jsonpatch.apply_patch(readable(broken.document), list(decision.patch))
        return Illustration(broken, decision, after, None)
    for example in examples:
        if _is_kept(rule, judge(revision, example, example.body()[0])):
            return Illustration(broken, decision, readable(example.document), example)
    raise ValueError(f"{rule.id}: no example is allowed and keeps the rule")


def judge(revision: Revision, example: Example, body: bytes) -> Decision:
    """What the pipeline decides on a body under an example's profile, context and facts."""
    governance = revision.governance
    environment = Environment(example.profile, governance.profiles[example.profile])
    judging = replace(governance, environments=dict.fromkeys(governance.environments, environment))
    reviewer = Reviewer(
        replace(revision, governance=judging),
        inventory=GivenFacts(example.facts),
        recorder=do_not_record,
        on_error=_fail,
    )
    read = partial(read_operation, example.operation, body, example.context.items())
    answer = reviewer.review(
        read, operation=example.operation, user=UserInfo("pipeline"), enforcement_point="documentation"
    )
    return answer.decision


def _is_kept(rule: Rule, decision: Decision) -> bool:
    return decision.outcome is Outcome.ALLOWED and rule.id not in {finding.rule for finding in decision.findings}


def _fail(error: Exception) -> None:
    raise error


def outdated(pages: Mapping[str, str], folder: Path) -> list[str]:
    """What a folder has not as it should: pages that are missing, not current, or of no rule."""
    there = {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}
    missing = [f"{name} is missing" for name in pages.keys() - there.keys()]
    left_over = [f"{name} is of no rule" for name in there.keys() - pages.keys()]
    changed = [f"{name} is not current" for name in pages.keys() & there.keys() if pages[name] != there[name]]
    return sorted([*missing, *left_over, *changed])


def write(pages: Mapping[str, str], folder: Path) -> None:
    """Write the pages and remove every other file of the folder."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
        elif path.is_file() and path.relative_to(folder).as_posix() not in pages:
            path.unlink()
    for name, text in pages.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the pages, or say which are not current and return 1."""
    from tests.detection.judges import shipped_revision

    parser = argparse.ArgumentParser(prog="tools.rule_docs", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", action="store_true", help=f"write {FOLDER.relative_to(ROOT)}")
    options = parser.parse_args(arguments)
    pages = make_pages(shipped_revision(), load_examples())
    if options.write:
        write(pages, FOLDER)
    problems = outdated(pages, FOLDER)
    print("\n".join(problems) or f"docs: {len(pages)} pages are current")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
