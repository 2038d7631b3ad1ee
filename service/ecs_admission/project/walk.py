"""One walk over the canonical object: what is shown of it, and every literal and reference in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, NamedTuple

from ecs_admission.model import REDACTED, JSONObject
from ecs_admission.project.arguments import NamedArgument, named_arguments
from ecs_admission.project.detectors.protocol import Leaf
from ecs_admission.project.disclosure import Aliases, Disclosure, looks_random
from ecs_admission.project.fields import NAME, Node
from ecs_admission.project.references import ParsedReference, parse_application_reference
from ecs_admission.project.structured import joined_name, name_beside

_SHOWN_ARGUMENTS = 50
_DIGEST = re.compile(r"@sha(?:256|512):[0-9a-fA-F]+$")
_STARTS = frozenset("aAsS \t\n")
_STORES = ("arn:aws", "s3://")
"""How the values begin that an application resolves itself; the first character tells nearly all others apart."""

_MAX_ITEMS = 5000
"""Items of one list or map that are looked at. A longer one is denied, see `Walk.left_out`."""

MAX_REFERENCES = 500
"""References of one request. More is a denial of its own."""


@dataclass(frozen=True, slots=True)
class FoundReference:
    """A reference and where it stands. `shown` is its name as it may be shown."""

    pointer: str
    container: str | None
    field: str
    shown: str | None
    parsed: ParsedReference


class Disclosable(NamedTuple):
    """A leaf whose value fits the grammar of its name, and where it goes unless a detector objects.

    Below `member` of what is shown, or in its place where `member` is None.
    """

    leaf: int
    shown: JSONObject
    member: str | None
    name: str

    def disclose(self, value: str) -> None:
        """Show the value."""
        target = self.shown if self.member is None else self.shown.setdefault(self.member, {})
        target[self.name] = value


@dataclass(slots=True)
class Walk:
    """Collects while it walks. Made for one request and thrown away."""

    disclosure: Disclosure
    disclosed: Mapping[str, Any] = field(repr=False)
    speaks_of_secret: Callable[[str], bool] = field(repr=False)
    disclosable: list[Disclosable] = field(default_factory=list, repr=False)
    aliases: Aliases = field(default_factory=Aliases)
    leaves: list[Leaf] = field(default_factory=list, repr=False)
    references: list[FoundReference] = field(default_factory=list)
    containers: int = 0
    left_out: int = 0

    def visit(self, value: Any, node: Node, pointer: str, container: str | None, name: str | None = None) -> Any:
        """What may be shown of `value`, which goes by `name`. Literals and references below it are collected."""
        if node.kind == "structure" and isinstance(value, dict):
            return self._structure(value, node, pointer, container, name)
        if node.kind == "list" and isinstance(value, list):
            return self._list(self._bounded(value), node, pointer, container)
        if node.kind == "map" and isinstance(value, dict):
            return self._map(dict(islice(value.items(), self._bound(value))), node, pointer, container)
        if isinstance(value, str):
            return self._string(value, node, pointer, container, name=name)
        if isinstance(value, dict | list) or node.kind == "document":
            self.unknown(value, node.field, pointer, container)
            return REDACTED
        return value

    def show(self, text: str, node_field: str, pointer: str, container: str | None) -> str:
        """A caller's name as it may be shown. One that may not is also a literal."""
        if self.disclosure.allows(text, NAME):
            return text
        self.leaves.append(Leaf(pointer, container, node_field, text))
        return self.aliases.alias(text)

    def unknown(self, value: Any, node_field: str, pointer: str, container: str | None, *names: str | None) -> None:
        """Take every string below a value that AWS's model does not describe as a literal, keys included.

        `names` are what the value goes by: its key behind those above it, and the name beside it.
        """
        if isinstance(value, dict):
            beside = name_beside(value)
            for index, (key, inner) in enumerate(value.items()):
                place = f"{pointer}/<{index}>"
                self.leaves.append(Leaf(place, container, node_field, key))
                own = joined_name(names[0] if names else None, key)
                inherited = names[-1:] if beside is None or inner is beside else (beside,)
                self.unknown(inner, node_field, place, container, own, *inherited)
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                self.unknown(inner, node_field, f"{pointer}/{index}", container, *names)
        elif value is not None and not isinstance(value, bool):
            for name in dict.fromkeys(names or (None,)):
                self._leaf(str(value), node_field, pointer, container, name)

    def _structure(self, value: JSONObject, node: Node, pointer: str, container: str | None, outer: str | None) -> Any:
        if node.is_container:
            self.containers += 1
            container = self._container(value.get("name"), pointer)
        name = value.get(node.named_by) if node.named_by else outer
        shown: JSONObject = {}
        for index, (key, inner) in enumerate(value.items()):
            member = node.members.get(key)
            if member is None:
                self._stray(key, inner, f"{pointer}/<{index}>", container, name)
            elif member.is_environment:
                shown["environmentNames"] = self._environment(
                    self._bounded(inner), member, f"{pointer}/{key}", container, shown
                )
            elif isinstance(inner, str):
                shown[key] = self._string(inner, member, f"{pointer}/{key}", container, name=name)
            else:
                shown[key] = self.visit(inner, member, f"{pointer}/{key}", container, name)
        if node.is_container:
            self._behind_entry_point(value, pointer, container)
        return shown

    def _behind_entry_point(self, value: JSONObject, pointer: str, container: str | None) -> None:
        """A container runs its entry point followed by its command: a flag of one can name a value of the other."""
        entry_point, command = value.get("entryPoint"), value.get("command")
        if not isinstance(entry_point, list) or not isinstance(command, list):
            return
        for named in named_arguments([*self._bounded(entry_point), *self._bounded(command)]):
            index = named.index - min(len(entry_point), _MAX_ITEMS)
            if index >= 0:
                self._argument(command[index], named, f"{pointer}/command/{index}", container, "command")

    def _argument(
        self, argument: str, named: NamedArgument, pointer: str, container: str | None, node_field: str
    ) -> None:
        hint, text = "assignment" if named.certain else "prose", argument[named.start :]
        self.leaves.append(Leaf(pointer, container, node_field, text, named.name, offset=named.start, hint=hint))

    def _bounded(self, items: list[Any]) -> list[Any]:
        return items[: self._bound(items)]

    def _bound(self, items: Collection[Any]) -> int:
        """How many of the items are looked at. The others are counted as left out, which denies the request."""
        self.left_out += max(0, len(items) - _MAX_ITEMS)
        return _MAX_ITEMS

    def _container(self, name: Any, pointer: str) -> str:
        if not isinstance(name, str):
            return pointer.rpartition("/")[2]
        return name if self.disclosure.allows(name, NAME) else self.aliases.alias(name)

    def _environment(
        self, items: Any, node: Node, pointer: str, container: str | None, beside: JSONObject
    ) -> list[Any]:  # fmt: skip
        """The fast path: environments hold most of the strings of most requests, and only their names are kept."""
        item = node.item
        assert item is not None  # noqa: S101 - a list always has an item
        node_field = node.field
        names: list[Any] = []
        known_names, append = self.disclosure.remembered(NAME), self.leaves.append
        disclosed = self.disclosed
        for index, variable in enumerate(items):
            get = variable.get
            name, value = get("name"), get("value")
            known = (name is not None) + (value is not None)
            if name is None:
                name = name_beside(variable)
            shown = None
            if name is not None:
                known_name = known_names.get(name)
                shown = name if known_name else self.show(name, node_field, f"{pointer}/{index}/name", container)
            names.append(shown)
            if value is not None:
                append(Leaf(f"{pointer}/{index}/value", container, node_field, value, name, shown))
                if value[:1] in _STARTS and value.lstrip()[:7].lower().startswith(_STORES):
                    self._application_reference(value, f"{pointer}/{index}/value", container, name)
                elif name in disclosed:
                    self._disclosable(value, name, beside, "environmentValues")
            if len(variable) > known:
                self._beside(variable, item, f"{pointer}/{index}", container, name)
        return names

    def _application_reference(self, value: str, pointer: str, container: str | None, name: str | None) -> None:
        """A value that the application resolves itself. Of an object only the name says what it holds."""
        parsed = parse_application_reference(value.strip())
        if parsed is None or (parsed.service != "secretsmanager" and not (name and self.speaks_of_secret(name))):
            return
        self._add_reference(pointer, container, "application", name, parsed)

    def _disclosable(self, value: str, name: str, shown: JSONObject, member: str | None) -> None:
        if self.disclosed[name].fullmatch(value):
            self.disclosable.append(Disclosable(len(self.leaves) - 1, shown, member, name))

    def _beside(self, variable: JSONObject, item: Node, pointer: str, container: str | None, name: str | None) -> None:
        """What an entry of environment holds beside name and value, such as a valueFrom out of place."""
        for index, (key, inner) in enumerate(variable.items()):
            if key in ("name", "value"):
                continue
            member = item.members.get(key)
            if member is not None and isinstance(inner, str):
                self._string(inner, member, f"{pointer}/{key}", container, name=name)
            else:
                self._stray(key, inner, f"{pointer}/<{index}>", container, name)

    def _stray(self, key: str, value: Any, pointer: str, container: str | None, beside: str | None) -> None:
        """A member that AWS does not know. It may hold what the member beside it names: `{"name": "A", "val": "x"}`."""
        self.leaves.append(Leaf(pointer, container, "unknown", key))
        self.unknown(value, "unknown", pointer, container, key, *([beside] if isinstance(beside, str) else []))

    def _list(self, value: list[Any], node: Node, pointer: str, container: str | None) -> list[Any]:
        if node.item is None:
            return []
        if not node.arguments:
            return [self.visit(inner, node.item, f"{pointer}/{index}", container) for index, inner in enumerate(value)]
        for index, argument in enumerate(value):
            self.leaves.append(Leaf(f"{pointer}/{index}", container, node.item.field, argument))
        for named in named_arguments(value):
            self._argument(value[named.index], named, f"{pointer}/{named.index}", container, node.item.field)
        # How many there are is all that a rule may want to know, and an engine pays for each.
        return [REDACTED] * min(len(value), _SHOWN_ARGUMENTS)

    def _map(self, value: JSONObject, node: Node, pointer: str, container: str | None) -> JSONObject:
        shown: JSONObject = {}
        for index, (key, inner) in enumerate(value.items()):
            allowed = self.disclosure.allows(key, NAME)
            place = f"{pointer}/{_escape(key)}" if allowed else f"{pointer}/<{index}>"
            label = key if allowed else self.show(key, node.field, place, container)
            member = node.members.get(key, node.item)
            if isinstance(inner, str) and member is not None:
                shown[label] = self._string(inner, member, place, container, name=key)
                if key in self.disclosed and shown[label] is REDACTED:
                    self._disclosable(inner, key, shown, None)
            else:
                self.unknown(inner, node.field, place, container, key)
                shown[label] = REDACTED
        return shown

    def _string(self, value: str, node: Node, pointer: str, container: str | None, *, name: str | None) -> str:
        if node.reference is not None:
            parsed = node.reference(value)
            if parsed is not None:
                return self._reference(value, parsed, node.field, pointer, container, name)
        elif node.identifier is not None:
            # An empty text, as skeletons of the CLI are full of, hides nothing and often means that there is none.
            if not value or self.disclosure.allows(value, node.identifier, hashes=node.with_hashes):
                return value
            self._leaf(value, node.field, pointer, container, None)
            if node.field == "image":
                self._image_credentials(value, pointer, container)
            return self.aliases.alias(value)
        self._leaf(value, node.field, pointer, container, name)
        return REDACTED

    def _image_credentials(self, value: str, pointer: str, container: str | None) -> None:
        """What stands before an `@` that begins no digest, or behind a `#`: no registry takes anything there."""
        rest = _DIGEST.sub("", value)
        user, at, _ = rest.rpartition("@")
        secrets = [(user.rpartition("//")[2], value.find(user.rpartition("//")[2]))] if at else []
        _, mark, fragment = rest.partition("#")
        secrets += [(fragment, value.find("#") + 1)] if mark else []
        for secret, start in secrets:
            if secret:
                leaf = Leaf(pointer, container, "image", secret, "password", offset=start, hint="assignment")
                self.leaves.append(leaf)

    def _reference(
        self,
        value: str,
        parsed: ParsedReference,
        kind: str,
        pointer: str,
        container: str | None,
        name: str | None,
    ) -> str:
        shown = self._add_reference(pointer, container, kind, name, parsed)
        # Somebody may have pasted the secret itself, so the text is looked at like any other; its name is no sign here.
        # A reference that does not parse may be anything, and is searched like any other text.
        # So may be a bare name that no person would give: the secret itself, pasted.
        is_pasted = not value.startswith(("arn:", "credentialspec")) and looks_random(value)
        self.leaves.append(
            Leaf(
                pointer,
                container,
                kind,
                value,
                (name or kind) if is_pasted else None,
                shown if is_pasted else None,
                hint=None if parsed.problem or is_pasted else "reference",
            )
        )
        return REDACTED

    def _add_reference(
        self, pointer: str, container: str | None, kind: str, name: str | None, parsed: ParsedReference
    ) -> str | None:
        """Keep a reference with what may be shown of it. Returns its name as it may be shown."""
        shown = None if name is None else self._shown(name)
        if len(self.references) >= MAX_REFERENCES:
            self.left_out += 1
        else:
            self.references.append(FoundReference(pointer, container, kind, shown, self._readable(parsed)))
        return shown

    def _readable(self, parsed: ParsedReference) -> ParsedReference:
        """The parts that a caller chose freely may be the secret itself, pasted; they are shown like any name."""
        free = ("resource", "json_key", "version_stage", "version_id")
        texts = {part: getattr(parsed, part) for part in free}
        shown: dict[str, Any] = {part: self._shown(text) for part, text in texts.items() if text is not None}
        return replace(parsed, **shown)

    def _leaf(self, value: str, node_field: str, pointer: str, container: str | None, name: str | None) -> None:
        shown = None if name is None else self._shown(name)
        self.leaves.append(Leaf(pointer, container, node_field, value, name, shown))

    def _shown(self, name: str) -> str:
        return name if self.disclosure.allows(name, NAME) else self.aliases.alias(name)


def _escape(token: str) -> str:
    return token.replace("~", "~0").replace("/", "~1")
