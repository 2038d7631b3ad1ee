"""A folder for a new rule, to be edited: a rule that judges something harmless, with its tests and its examples."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from ecs_admission.errors import PolicyError

_ID = re.compile(r"([a-z][a-z0-9-]{0,63})/([a-z][a-z0-9-]{0,63})")

_RULE = """\
# METADATA
# title: No container is privileged
# description: |
#   What the rule asks for, and where its limits are. This one is an example to start from: privileged gives a container
#   nearly all that root of its machine has, and Fargate does not know it.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
#     description: ContainerDefinition in the Amazon ECS API Reference
# custom:
#   why: >-
#     Whoever breaks into a privileged container has its machine, and with it the secrets of every task that runs there.
#   severity: high
#   action: warn
#   fix: remove
#   controls:
#     - AWS-FSBP:ECS.4
#   message: a container is privileged
#   remediation: Remove privileged from the container, or set it to false.
package {package}

# METADATA
# scope: document
# description: The members that make a container privileged.
findings contains {{"at": pointer}} if {{
	some index, container in input.object.containerDefinitions
	container.privileged == true
	pointer := concat("/", ["/containerDefinitions", format_int(index, 10), "privileged"])
}}
"""

_TEST = """\
package {test_package}

import data.{package}{alias}

test_a_privileged_container_is_a_finding if {{
	request := {{"containerDefinitions": [{{"name": "web"}}, {{"name": "agent", "privileged": true}}]}}
	rule.findings == {{{{"at": "/containerDefinitions/1/privileged"}}}} with input.object as request
}}

test_a_container_that_is_not_is_none if {{
	request := {{"containerDefinitions": [{{"name": "web"}}, {{"name": "agent", "privileged": false}}]}}
	rule.findings == set() with input.object as request
}}
"""

_EXAMPLES = """\
- name: a privileged container
  operation: RegisterTaskDefinition
  context: {{environment: prod}}
  object:
    family: web
    containerDefinitions:
      - {{name: app, image: "web:1", privileged: true}}
  causes: []
  warnings:
    - {{reason: {rule}, field: /containerDefinitions/0/privileged}}

- name: a privileged container beside others
  operation: RegisterTaskDefinition
  context: {{environment: dev}}
  object:
    family: web
    containerDefinitions:
      - {{name: app, image: "web:1"}}
      - {{name: agent, image: "agent:1", privileged: true}}
  causes: []
  warnings:
    - {{reason: {rule}, field: /containerDefinitions/1/privileged}}

- name: a container that is not privileged
  operation: RegisterTaskDefinition
  context: {{environment: prod}}
  object:
    family: web
    containerDefinitions:
      - {{name: app, image: "web:1"}}
  causes: []

- name: a container that says that it is not privileged
  operation: RegisterTaskDefinition
  context: {{environment: prod}}
  object:
    family: web
    containerDefinitions:
      - {{name: app, image: "web:1", privileged: false}}
  causes: []
"""


def make_rule(rule: str, policies: Path, *, shipped: Collection[str]) -> tuple[Path, ...]:
    """Make the folder of `rule` in a folder of policies, and return its files. `shipped` are ids that are in use.

    Raises `PolicyError` for an id that cannot be, or that is somebody's already.
    """
    match = _ID.fullmatch(rule)
    if match is None:
        raise PolicyError("an id is CATEGORY/RULE, each of small letters, digits and hyphens, with a letter in front")
    category, name = match.groups()
    if rule in shipped:
        raise PolicyError(f"{rule} is a rule of the pack that ships: an id is given once, and for ever")
    folder = policies / "admission" / "rules" / category / name
    if folder.exists():
        raise PolicyError(f"{folder} is there already: an id is given once, and for ever")
    words = {
        "rule": rule,
        "package": _package(category, name),
        "test_package": _package(category, f"{name}_test"),
        "alias": "" if name == "rule" else " as rule",
    }
    files = {f"{name}.rego": _RULE, f"{name}_test.rego": _TEST, "examples.yaml": _EXAMPLES}
    try:
        folder.mkdir(parents=True)
        for file, text in files.items():
            (folder / file).write_text(text.format(**words), encoding="utf-8")
    except OSError as error:
        raise PolicyError(f"{folder} cannot be made: {error.strerror}") from None
    return tuple(folder / file for file in files)


def _package(category: str, rule: str) -> str:
    return "admission.rules" + _part(category) + _part(rule)


def _part(name: str) -> str:
    """A step of a package's path: a hyphen would be a minus outside of brackets."""
    return f'["{name}"]' if "-" in name else f".{name}"
