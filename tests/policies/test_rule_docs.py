"""The pages of the rules: that those in the repository are current, and what the generator makes of a rule."""

from __future__ import annotations

import json
import re
from dataclasses import fields, replace
from pathlib import Path

import pytest
from tools import rule_docs, rule_pages
from tools.rule_docs import FOLDER, METADATA, illustrate, make_pages, outdated, read_actions, read_fixes, read_links
from tools.rule_pages import Illustration, Page, as_json, prose, readable, render_index, render_page

from ecs_admission.catalogue import FIXES, NO_FIX, Rule, Variant
from ecs_admission.governance import Governance
from ecs_admission.model import Action, Decision, Finding, Fix, Outcome, Place
from ecs_admission.revision import Revision
from tests.policies.examples import RULES, Example, load_examples
from tests.secret_values import KINDS, traces

EXAMPLES = load_examples()
RULE = Rule(
    id="roles/made-up",
    title="A rule that_is made up",
    description="Roles and <angles>.\n\nA second paragraph.",
    why="It matters.",
    severity="low",
    action=Action.WARN,
    message="{place} is wrong",
    remediation="Change {name} of container {container}, the {field}.",
    link="https://docs.example.com/first",
    fix="set-read-only",
    controls=("AWS-FSBP:ECS.8",),
    variants={
        "same": Variant(message="{place} is wrong"),
        "other": Variant(message="another thing is wrong", fix="remove-item"),
        "unknown": Variant(message="it is not known", remediation="Ask AWS.", action=Action.DRYRUN),
    },
)
FOUND = Finding(
    rule=RULE.id, pointer="/volumes/0", action=Action.DENY, severity="low", place=Place("app", "environment", "TOKEN")
)
FIXED = Fix(({"op": "remove", "path": "/volumes/0"},), ({"Effect": "Allow"},), ("aws run this",), ("do that",))
BROKEN = Example(RULE.id, "a name", "RegisterTaskDefinition", {"environment": "prod"}, {"family": "before"}, ())
KEPT = replace(BROKEN, name="another name", document={"family": "after"})


def governance_of(*rules: Rule) -> Governance:
    profiles = {"baseline": {}, "restricted": {RULE.id: Action.DENY, f"{RULE.id}/unknown": Action.WARN}}
    return Governance({rule.id: rule for rule in rules}, profiles, {}, {}, ())


def page_of(rule: Rule = RULE, *, decision: Decision | None = None, repaired: Example | None = KEPT) -> str:
    decision = decision or Decision(Outcome.DENIED, "NonCompliant", "", (FOUND,), fixes=(FIXED,))
    shown = Illustration(BROKEN, decision, {"family": "after"}, repaired)
    fixes = read_fixes(METADATA.read_text())
    links = [("https://docs.example.com/first", "The first page")]
    return render_page(Page(rule, links, read_actions(governance_of(rule)), fixes, shown))


def section(page: str, title: str) -> str:
    """What stands under a heading, up to the next of its level."""
    level = title.split()[0]
    return page.partition(f"\n{title}\n")[2].partition(f"\n{level} ")[0]


def test_the_pages_are_current(revision: Revision) -> None:
    """`make docs` writes them."""
    assert outdated(make_pages(revision, EXAMPLES), FOLDER) == []


def test_pages_are_the_same_each_time(revision: Revision) -> None:
    assert make_pages(revision, EXAMPLES) == make_pages(revision, EXAMPLES)


def test_no_page_holds_a_secret_or_what_is_left_to_fill_in(revision: Revision) -> None:
    text = "\n".join(make_pages(revision, EXAMPLES).values())
    marks = [trace for example in EXAMPLES for secret in example.body()[1] for trace in traces(secret)]
    assert marks
    assert [mark for mark in marks if mark in text] == []
    assert re.findall(r"\{\{(?:secret|repeat):|\{(?:place|name|container|field)\}", text) == []


@pytest.mark.parametrize(
    "rule", [path.parent for path in sorted(RULES.glob("*/*/examples.yaml"))], ids=lambda p: p.name
)
def test_every_page_that_a_rule_cites_is_on_its_page_and_the_first_is_that_of_its_answers(
    rule: Path, revision: Revision
) -> None:
    name = rule.relative_to(RULES).as_posix()
    links = read_links((rule / f"{rule.name}.rego").read_text())
    assert links[0][0] == revision.governance.catalogue[name].link
    page = (FOLDER / f"{name}.md").read_text()
    assert [address for address, _ in links if f"]({address})" not in page] == []


def test_pages_that_are_missing_changed_or_of_no_rule_are_named_and_left_alone(tmp_path: Path) -> None:
    pages = {"README.md": "new", "roles/kept.md": "kept", "roles/missing.md": "text"}
    rule_docs.write({"README.md": "old", "roles/kept.md": "kept", "gone/rule.md": "text"}, tmp_path)
    assert outdated(pages, tmp_path) == [
        "README.md is not current",
        "gone/rule.md is of no rule",
        "roles/missing.md is missing",
    ]
    assert (tmp_path / "README.md").read_text() == "old"
    assert (tmp_path / "gone" / "rule.md").exists()
    assert not (tmp_path / "roles" / "missing.md").exists()


def test_writing_leaves_nothing_but_the_pages(tmp_path: Path) -> None:
    rule_docs.write({"gone/rule.md": "text", "roles/kept.md": "old"}, tmp_path)
    pages = {"README.md": "text", "roles/kept.md": "new"}
    rule_docs.write(pages, tmp_path)
    assert outdated(pages, tmp_path) == []
    assert not (tmp_path / "gone").exists()


def test_a_rule_without_a_before_or_an_after_is_an_error(revision: Revision) -> None:
    rule = revision.governance.catalogue["references/name-collision"]
    examples = [example for example in EXAMPLES if example.rule == rule.id]
    with pytest.raises(ValueError, match=r"references/name-collision: no example breaks the rule"):
        illustrate(rule, [example for example in examples if not example.found], revision)
    with pytest.raises(ValueError, match=r"references/name-collision: no example is allowed and keeps the rule"):
        illustrate(rule, [with_plaintext(next(example for example in examples if example.found))], revision)
    with pytest.raises(ValueError, match=r"no example breaks the rule"):
        make_pages(revision, [example for example in EXAMPLES if example.rule != "bounds/exceeded"])


def with_plaintext(example: Example) -> Example:
    """An example with a plaintext secret that no patch can move away whole."""
    command = ["run", "--password={{secret:password}}"]
    containers = [{**container, "command": command} for container in example.document["containerDefinitions"]]
    return replace(example, document={**example.document, "containerDefinitions": containers})


def test_what_a_patch_repairs_is_shown_as_the_patch_leaves_it_and_else_an_example_that_is_allowed(
    revision: Revision,
) -> None:
    def shown(rule: str) -> Illustration:
        examples = [example for example in EXAMPLES if example.rule == rule]
        return illustrate(revision.governance.catalogue[rule], examples, revision)

    patched = shown("plaintext/environment")
    assert patched.repaired is None
    secrets = patched.after["containerDefinitions"][0]["secrets"]
    assert [secret["name"] for secret in secrets] == ["DB_PASSWORD"]
    # A patch that leaves a text to be written again shows no repaired request.
    example = shown("plaintext/field").repaired
    assert example is not None
    assert not example.causes
    assert shown("registries/repository-credentials").repaired is not None


def test_a_page_says_what_each_profile_makes_of_a_rule_and_of_a_variant_with_an_action_of_its_own() -> None:
    page = page_of()
    assert "| `roles/made-up` | warn | deny |" in page
    assert "| `roles/made-up/unknown` | dryrun | warn |" in page
    assert "| `roles/made-up/other`" not in page
    assert "`dryrun` in `baseline` and `warn` in `restricted`." in " ".join(
        section(page, "## What is not known").split()
    )
    assert "controls AWS-FSBP:ECS.8" in page


def test_a_page_gives_the_words_of_each_variant_once() -> None:
    text = section(page_of(), "## How to fix")
    assert "> *place* is wrong\n" in text
    assert "Change *name* of container *container*, the *field*." in text
    assert "### Variant `other`\n\n> another thing is wrong" in text
    assert "`same`" not in text
    assert "`unknown`" not in text


def test_a_page_shows_texts_as_they_are() -> None:
    page = page_of(replace(RULE, title="Never *, | or _under_ a_b", description="<b> `c`\n\nSecond."))
    assert "# Never \\*, \\| or \\_under\\_ a_b\n" in page
    assert "\\<b> \\`c\\`\n\nSecond.\n" in page


def test_a_page_says_what_fix_does_and_that_only_a_denial_comes_with_a_patch() -> None:
    fixes = read_fixes(METADATA.read_text())
    text = section(page_of(), "## What `ecs-admission fix` does")
    assert fixes["set-read-only"] in text
    assert f"- Variant `other`: {fixes['remove-item']}" in text
    assert "Only a denial comes with a patch" in text
    always = replace(RULE, id="roles/always", action=Action.DENY, variants={})
    assert "Only a denial" not in page_of(always)
    nothing = section(page_of(replace(RULE, fix=NO_FIX, variants={})), "## What `ecs-admission fix` does")
    assert nothing.strip() == fixes[NO_FIX]


@pytest.mark.parametrize(
    ("action", "words", "has_remediation"),
    [
        (Action.DENY, "A denial, of `/volumes/0`:", True),
        (Action.WARN, "A warning, of `/volumes/0`:", False),
        (Action.DRYRUN, "Nothing. The finding, of `/volumes/0`, is only recorded:", False),
    ],
)
def test_a_page_shows_what_the_answer_says(action: Action, words: str, has_remediation: bool) -> None:
    fixes = (FIXED,) if action is Action.DENY else ()
    decision = Decision(Outcome.ALLOWED, "", "", (replace(FOUND, action=action),), fixes=fixes)
    text = section(page_of(decision=decision), "### What is answered")
    assert words in text
    assert "> environment variable TOKEN of container app is wrong" in text
    assert ("> Change TOKEN of container app" in text) is has_remediation


def test_a_page_names_what_other_rules_find_and_the_caller_is_told() -> None:
    others = (
        replace(FOUND, rule="a/warning", action=Action.WARN),
        replace(FOUND, rule="a/dryrun", action=Action.DRYRUN),
    )
    decision = Decision(Outcome.DENIED, "NonCompliant", "", (FOUND, *others), fixes=(FIXED,))
    assert "Beside it: `a/warning` (warn)." in page_of(decision=decision)


def test_a_page_has_a_before_and_an_after_and_where_fix_made_it_what_is_left() -> None:
    page = page_of()
    before, after = section(page, "### Before"), section(page, "### After")
    assert "A name: `RegisterTaskDefinition`, environment `prod`, profile `baseline`." in before
    assert '"family": "before"' in before
    assert "Another name: `RegisterTaskDefinition`" in after
    assert '"family": "after"' in after
    assert "do that" not in after
    mended = section(page_of(repaired=None), "### After")
    for words in ("Written by `ecs-admission fix`:", "- do that", "aws run this", '"Effect": "Allow"'):
        assert words in mended


def test_the_index_lists_every_rule_by_mechanism_and_by_control() -> None:
    ninth = replace(RULE, id="s3/ninth", controls=("AWS-FSBP:ECS.10", "AWS-FSBP:ECS.9"), variants={})
    governance = governance_of(RULE, ninth)
    index = render_index(governance.catalogue, read_actions(governance))
    assert re.findall(r"^### (.+)$", index, re.MULTILINE) == ["Roles", "S3"]
    assert "| [`roles/made-up`](roles/made-up.md) | A rule that_is made up | low | warn | deny |" in index
    assert (
        "| [`roles/made-up/unknown`](roles/made-up.md) | A rule that_is made up: unknown | low | dryrun | warn |"
        in index
    )
    assert re.findall(r"^\| (AWS\S+) \| \[`(\S+)`\]", index, re.MULTILINE) == [
        ("AWS-FSBP:ECS.8", "roles/made-up"),
        ("AWS-FSBP:ECS.9", "s3/ninth"),
        ("AWS-FSBP:ECS.10", "s3/ninth"),
    ]


def test_every_kind_of_secret_has_words_of_its_own() -> None:
    assert rule_pages.SECRETS.keys() == set(KINDS)
    document = {"{{secret:token}}": ["a {{secret:password}} b", 1, None], "long": "{{repeat:300:x}}"}
    assert readable(document) == {"<a token>": ["a <a password> b", 1, None], "long": "<300 times x>"}


def test_json_is_on_one_line_where_it_fits_and_long_lists_are_cut() -> None:
    value = {"short": [{"name": "a"}], "empty": [], "long": list(range(13)), "text": ["x" * 60, "y" * 60]}
    assert json.loads(as_json(value)) == value
    assert as_json(value).splitlines()[1:4] == [
        '  "short": [{"name": "a"}],',
        '  "empty": [],',
        f'  "long": {list(range(13))},',
    ]
    cut = as_json({"items": [{"name": "x" * 60}] * 13})
    assert cut.count("xxx" * 20) == rule_pages._FIRST_ITEMS
    assert "    // and 10 more like these\n" in cut


def test_paragraphs_are_wrapped_with_their_prefix() -> None:
    quoted = prose("word " * 60 + "\n\nnext", "> ")
    assert all(line.startswith(">") and len(line) <= rule_pages._WIDTH for line in quoted.splitlines())
    assert quoted.endswith("\n>\n> next")


def test_the_page_of_the_metadata_has_every_part_and_every_fix() -> None:
    page = METADATA.read_text()
    parts = {field.name for field in fields(Rule)} - {"id", "title", "description", "link"}
    named = {f"custom.{part}" for part in parts} | {"title", "description", "related_resources"}
    assert set(re.findall(r"^\| `([a-z_.]+)` \|", page.partition("## ")[0], re.MULTILINE)) == named
    assert read_fixes(page).keys() == {NO_FIX, *FIXES}
    assert set(re.findall(r"^\| `\{([a-z]+)\}` \|", page, re.MULTILINE)) == {"place", "field", "name", "container"}


def test_every_json_of_the_how_to_on_rotation_can_be_read() -> None:
    page = (FOLDER.parent.parent / "how-to" / "rotate-secrets.md").read_text()
    blocks = re.findall(r"^ *```json\n(.*?)^ *```", page, re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        json.loads(block)
