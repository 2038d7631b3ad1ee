"""The pages of the rules as Markdown. Pure: a rule, what the profiles make of it and a judged example in, text out."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from tests.policies.examples import Example

from ecs_admission.catalogue import NO_FIX, Rule
from ecs_admission.governance import action_keys
from ecs_admission.model import Action, Decision, Finding, Fix
from ecs_admission.remediate.explain import explain

UNKNOWN = "unknown"
"""The variant of a rule with facts for what nobody knows of AWS."""

SECRETS: Mapping[str, str] = {
    "password": "a password",
    "url-password": "a password",
    "token": "a token",
    "api-key": "an API key",
    "hex": "a key in hexadecimal",
    "basic-auth": "user and password in Base64",
    "aws-access-key-id": "an AWS access key id",
    "aws-secret-access-key": "an AWS secret access key",
    "github-pat": "a GitHub token",
    "private-key": "a private key",
    "jwt": "a JSON web token",
}
"""What stands on a page for each kind of secret that an example holds, see tests/secret_values.py."""

_WIDTH = 120
_JSON_WIDTH = 100
_MOST_ITEMS, _FIRST_ITEMS = 12, 3
_SECRET = re.compile(r"\{\{secret:([a-z0-9-]+)\}\}")
_REPEAT = re.compile(r"\{\{repeat:([0-9]+):([^}]+)\}\}")
_FILLED_IN = re.compile(r"\{(place|container|name|field)\}")
_MARKDOWN = re.compile(r"([\\`*<|]|\b_|_\b)")

Actions: TypeAlias = Mapping[str, Mapping[str, Action]]
"""What each profile makes of each rule, and of each variant with an action of its own."""


@dataclass(frozen=True, slots=True)
class Illustration:
    """A request that breaks a rule, what is decided, and one like it that does not, in a form that may be shown."""

    example: Example
    decision: Decision
    after: Any
    repaired: Example | None
    """The example that `after` is; None where it is the work of the decision's patch."""


@dataclass(frozen=True, slots=True)
class Page:
    """What a page is made of. `links` are addresses with titles, `fixes` says what each fix does."""

    rule: Rule
    links: Sequence[tuple[str, str]]
    actions: Actions
    fixes: Mapping[str, str]
    shown: Illustration


def readable(value: Any) -> Any:
    """A document of an example with words in the place of its secrets and of its long texts."""
    if isinstance(value, str):
        value = _REPEAT.sub(lambda match: f"<{match.group(1)} times {match.group(2)}>", value)
        return _SECRET.sub(lambda match: f"<{SECRETS[match.group(1)]}>", value)
    if isinstance(value, dict):
        return {readable(key): readable(inner) for key, inner in value.items()}
    return [readable(inner) for inner in value] if isinstance(value, list) else value


def as_json(value: Any, indent: str = "") -> str:
    """JSON as people write it: on one line what fits there, and of a list with many items only the first."""
    flat = json.dumps(value, ensure_ascii=False)
    is_short = bool(indent) and len(indent) + len(flat) <= _JSON_WIDTH
    if not value or not isinstance(value, dict | list) or is_short:
        return flat
    deeper = f"{indent}  "
    if isinstance(value, dict):
        lines = [f"{json.dumps(key, ensure_ascii=False)}: {as_json(inner, deeper)}" for key, inner in value.items()]
        return "{\n" + ",\n".join(deeper + line for line in lines) + f"\n{indent}}}"
    is_long = len(value) > _MOST_ITEMS
    lines = [as_json(item, deeper) for item in (value[:_FIRST_ITEMS] if is_long else value)]
    more = f",\n{deeper}// and {len(value) - _FIRST_ITEMS} more like these" if is_long else ""
    return "[\n" + ",\n".join(deeper + line for line in lines) + f"{more}\n{indent}]"


def prose(text: str, prefix: str = "") -> str:
    """A text of METADATA or of an answer as paragraphs of Markdown, each line after `prefix`."""
    return wrapped(marked(text), prefix)


def marked(text: str) -> str:
    """A text as Markdown that shows it as it is, and what the service fills in in italics."""
    return _FILLED_IN.sub(r"*\1*", _MARKDOWN.sub(r"\\\1", text))


def wrapped(markdown: str, prefix: str = "") -> str:
    """Paragraphs of Markdown in lines of the width of every page here."""
    paragraphs = [" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", markdown.strip())]
    wrap = textwrap.TextWrapper(
        _WIDTH, initial_indent=prefix, subsequent_indent=prefix, break_long_words=False, break_on_hyphens=False
    )
    return f"\n{prefix.rstrip()}\n".join(wrap.fill(paragraph) for paragraph in paragraphs)


def render_page(page: Page) -> str:
    """The page of one rule."""
    rule = page.rule
    controls = f" · controls {', '.join(rule.controls)}" if rule.controls else ""
    rows = [(f"`{key}`", *page.actions[key].values()) for key in action_keys({rule.id: rule})]
    return _joined(
        _written_by(f"policies/admission/rules/{rule.id}"),
        f"# {marked(rule.title)}",
        f"`{rule.id}` · severity {rule.severity}{controls}",
        _table(("", *(f"`{profile}`" for profile in page.actions[rule.id])), rows),
        "[What the actions mean, and every other rule](../README.md)",
        "## What it asks for",
        prose(rule.description),
        "## Why",
        prose(rule.why),
        "## Source",
        _list(f"[{marked(title)}]({address})" for address, title in page.links),
        *_how_to_fix(rule),
        *_unknown(page),
        *_what_fix_does(page),
        *_before_and_after(page),
    )


def _how_to_fix(rule: Rule) -> Iterator[str]:
    said = [(rule.message, rule.remediation)]
    yield "## How to fix"
    yield prose(rule.message, "> ")
    yield prose(rule.remediation)
    for name, variant in rule.variants.items():
        words = (variant.message or rule.message, variant.remediation or rule.remediation)
        if name != UNKNOWN and words not in said:
            said.append(words)
            yield f"### Variant `{name}`"
            if variant.message:
                yield prose(variant.message, "> ")
            if variant.remediation:
                yield prose(variant.remediation)
    if any(_FILLED_IN.search(text) for words in said for text in words):
        yield "What stands in italics is filled in from the request."


def _unknown(page: Page) -> Iterator[str]:
    variant, key = page.rule.variants.get(UNKNOWN), f"{page.rule.id}/{UNKNOWN}"
    if variant is None:
        return
    actions = page.actions.get(key, page.actions[page.rule.id])
    told = " and ".join(f"`{action}` in `{profile}`" for profile, action in actions.items())
    yield "## What is not known"
    yield wrapped(
        "This rule judges by what AWS says of what a request refers to. Where nobody has asked, or AWS did not answer, "
        f"that is one finding for the whole request, of variant `{UNKNOWN}`: {told}."
    )
    yield prose(variant.message or page.rule.message, "> ")
    yield prose(variant.remediation or page.rule.remediation)


def _what_fix_does(page: Page) -> Iterator[str]:
    rule = page.rule
    others = {name: rule.fix_of(name) for name in rule.variants if name != UNKNOWN and rule.fix_of(name) != rule.fix}
    yield "## What `ecs-admission fix` does"
    yield wrapped(_named_fix(rule.fix, page))
    if others:
        yield _list(f"Variant `{name}`: {_named_fix(fix, page)}" for name, fix in others.items())
    does_something = {*others.values(), rule.fix} != {NO_FIX}
    if does_something and any(set(page.actions[key].values()) != {Action.DENY} for key in action_keys({rule.id: rule})):
        yield "Only a denial comes with a patch: the table above says where it is one."


def _named_fix(fix: str, page: Page) -> str:
    named = "" if fix == NO_FIX else f" ([`{fix}`](../../metadata.md#fixes))"
    return f"{page.fixes[fix]}{named}"


def _before_and_after(page: Page) -> Iterator[str]:
    shown, rule = page.shown, page.rule
    yield "## Before and after"
    yield "### Before"
    yield _circumstances(shown.example)
    yield _code(readable(shown.example.document))
    yield "### What is answered"
    denials = dict(zip(shown.decision.denials, shown.decision.fixes, strict=True))
    for finding in shown.decision.findings:
        if finding.rule == rule.id:
            yield from _told(finding, rule)
    others = {(f.rule, f.action) for f in shown.decision.findings if f.rule != rule.id and f.action != Action.DRYRUN}
    if others:
        yield f"Beside it: {', '.join(f'`{name}` ({action})' for name, action in sorted(others))}."
    yield "### After"
    yield "Written by `ecs-admission fix`:" if shown.repaired is None else _circumstances(shown.repaired)
    yield _code(shown.after)
    if shown.repaired is None:
        yield from _left([fix for fix in denials.values() if fix is not None])


def _circumstances(example: Example) -> str:
    context = "".join(f", {name} `{value}`" for name, value in example.context.items())
    told = f"{marked(_capital(example.name))}: `{example.operation}`{context}, profile `{example.profile}`."
    for fact in example.facts:
        known = {key: json.dumps(value) for key, value in fact.document().items() if isinstance(value, bool)}
        says = ", ".join(f"`{key}` {value}" for key, value in known.items())
        told += f" AWS says of the {fact.kind} at `{fact.pointer}`: {says}."
    return wrapped(told)


def _told(finding: Finding, rule: Rule) -> Iterator[str]:
    cause, place = explain(finding, {rule.id: rule}), f"`{finding.pointer}`" if finding.pointer else "the whole request"
    if finding.action is Action.DENY:
        yield f"A denial, of {place}:"
        yield "\n>\n".join((prose(cause.message, "> "), prose(cause.remediation, "> ")))
    elif finding.action is Action.WARN:
        yield f"A warning, of {place}:"
        yield prose(cause.message, "> ")
    else:
        yield f"Nothing. The finding, of {place}, is only recorded:"
        yield prose(cause.message, "> ")


def _left(fixes: Iterable[Fix]) -> Iterator[str]:
    fixes = list(fixes)
    left = dict.fromkeys(text for fix in fixes for text in fix.left)
    commands = dict.fromkeys(text for fix in fixes for text in fix.commands)
    statements = {str(item): item for fix in fixes for item in fix.statements}
    if left:
        yield "What is left to do:"
        yield _list(marked(text) for text in left)
    if commands:
        yield "The commands, which read the value from the terminal:"
        yield "```sh\n" + "\n".join(commands) + "\n```"
    if statements:
        yield "What the role needs to be permitted:"
        yield _code({"Version": "2012-10-17", "Statement": list(statements.values())})


def render_index(catalogue: Mapping[str, Rule], actions: Actions) -> str:
    """The tables of all rules, by mechanism and by control."""
    profiles = list(next(iter(actions.values())))
    head = ("Rule", "Asks for", "Severity", *(f"`{profile}`" for profile in profiles))
    categories: dict[str, list[tuple[str, ...]]] = {}
    for key, (rule, variant) in sorted(action_keys(catalogue).items()):
        title = rule.title if variant is None else f"{rule.title}: {variant}"
        row = (_link(rule.id, key), marked(title), rule.severity, *actions[key].values())
        categories.setdefault(rule.id.partition("/")[0], []).append(row)
    controls: dict[str, list[str]] = {}
    for rule in catalogue.values():
        for control in rule.controls:
            controls.setdefault(control, []).append(_link(rule.id, rule.id))
    by_control = [(control, ", ".join(rules)) for control, rules in sorted(controls.items(), key=_by_number)]
    return _joined(
        _written_by("policies/admission/rules"),
        "# Rules",
        wrapped(
            f"{len(catalogue)} rules. A finding does what the profile of the environment says: `deny` refuses the "
            "request, `warn` is a warning in the answer, `dryrun` is recorded and not shown to the pipeline. Which "
            "environment has which profile is in `policies/config/environments`; a key of a profile or an environment "
            "is the id of a rule, or of a variant that has an action of its own. "
            "[What the METADATA of a rule says](../metadata.md)."
        ),
        "## By mechanism",
        *(part for category, rows in categories.items() for part in (f"### {_heading(category)}", _table(head, rows))),
        "## By control",
        "A rule answers a control where it finds what the control forbids. It is no proof of the whole control.",
        _table(("Control", "Rules"), by_control),
    )


def _by_number(item: tuple[str, Any]) -> list[tuple[int, str]]:
    """The order of control ids: ECS.10 after ECS.9."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"([0-9]+)", item[0])]


def _heading(category: str) -> str:
    return _capital(category.replace("-", " "))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _link(rule: str, text: str) -> str:
    return f"[`{text}`]({rule}.md)"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in (head, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]])


def _list(items: Iterable[str]) -> str:
    return "\n".join("-" + wrapped(item, "  ")[1:] for item in items)


def _code(value: Any) -> str:
    text = as_json(value)
    return f"```{'jsonc' if 'more like these' in text else 'json'}\n{text}\n```"


def _written_by(source: str) -> str:
    return f"<!-- Written by `make docs` from {source}. Change it there. -->"


def _joined(*parts: str) -> str:
    return "\n\n".join(parts) + "\n"
