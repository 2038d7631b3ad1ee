"""Project a request: replace every literal, keep what was observed of it. After this step nothing holds a secret."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ecs_admission.errors import PolicyError
from ecs_admission.model import JSONObject, Place
from ecs_admission.project.detectors.protocol import Batch, Detector, Leaf, Signal
from ecs_admission.project.disclosure import Disclosure, looks_random
from ecs_admission.project.fields import Node
from ecs_admission.project.fingerprints import FingerprintKey
from ecs_admission.project.inventory import take_inventory
from ecs_admission.project.kinds import KindModel, length_bucket
from ecs_admission.project.names import MAX_NAME_CHARS, NameModel, NameVerdict, plain_text
from ecs_admission.project.parts import PartFinder
from ecs_admission.project.patterns import compile_pattern
from ecs_admission.project.walk import FoundReference, Walk

MAX_SIGNALLED_LITERALS = 200
_REMEMBERED_NAMES = 50_000
_NO_SIGN = NameVerdict(())
_ARN_SERVICES = frozenset({"secretsmanager", "ssm", "kms", "s3", "iam", "sns", "sqs", "dynamodb", "rds", "ecs"})
_NOTHING = frozenset({"empty", "placeholder", "template", "boolean"})


@dataclass(frozen=True, slots=True)
class Projection:
    """A request without its literals. Every part is ready to be serialised."""

    object: JSONObject
    literals: tuple[JSONObject, ...]
    references: tuple[JSONObject, ...]
    counts: Mapping[str, int]
    places: Mapping[str, Place] = field(repr=False)
    inventory: bytes = field(default=b"", repr=False)


class Projector:
    """Projects with the tunables of one revision. Thread-safe; made after fork."""

    def __init__(self, config: Mapping[str, Any], detectors: Sequence[Detector], key: FingerprintKey) -> None:
        words = config.get("words")
        if not isinstance(words, dict):
            raise PolicyError("expected a mapping", at=("config", "words"))
        self._names = NameModel(words)
        self._kinds = KindModel(words["placeholders"], words["settings"])
        self._parts = PartFinder(_stems(words), self._classify)
        self._detectors = tuple(detectors)
        self._disclosure = Disclosure(detectors)
        self._key = key
        self._verdicts: dict[str, NameVerdict] = {}
        self._disclosed = self._read_disclosed(config.get("disclosed"))

    def project(self, value: JSONObject, node: Node) -> Projection:
        """Project the canonical input of an operation whose locations are `node`."""
        walk = Walk(self._disclosure, self._disclosed, self._names.speaks_of_secret)
        shown = walk.visit(value, node, "", None)
        scanned = len(walk.leaves)
        leaves, signals = self._observe(walk.leaves)
        _disclose(walk, leaves, signals)
        kinds = {index: self._kinds.classify(leaves[index].value) for index in sorted(signals)}
        # What is left out denies the request, so what stands for nothing comes last and may be: a template can have
        # hundreds of `PASSWORD=${PASSWORD}`.
        notable = [index for index, kind in kinds.items() if kind not in _NOTHING or _is_known(signals[index])]
        kept = [*notable, *(kinds.keys() - set(notable))][:MAX_SIGNALLED_LITERALS]
        literals = tuple(self._literal(leaves[i], kinds[i], signals[i]) for i in kept)
        left_out = walk.left_out + max(0, len(notable) - MAX_SIGNALLED_LITERALS)
        return Projection(
            # A request that is denied for its size is not sent whole: an engine would pay for what nobody judges.
            object=_outline(shown) if left_out else shown,
            literals=literals,
            references=tuple(_reference(found) for found in walk.references),
            counts={
                "containers": walk.containers,
                "literals": scanned,
                "signalled": len(signals),
                "references": len(walk.references),
                "left_out": left_out,
            },
            places=_places(literals, [leaves[i].whole for i in kept], walk.references),
            inventory=take_inventory(leaves, self._key),
        )

    def _read_disclosed(self, config: Any) -> Mapping[str, Any]:
        """Names whose values may be shown, with the grammar that a value has to fit."""
        if not isinstance(config, dict):
            raise PolicyError("expected a grammar by name", at=("config", "disclosed"))
        for name in config:
            if self._classify(name).confidence is not None or self._names.speaks_of_secret(name):
                reason = "the name holds the word of a secret, so its value is never shown"
                raise PolicyError(reason, at=("config", "disclosed", name))
        return {name: compile_pattern(grammar, at=("config", "disclosed", name)) for name, grammar in config.items()}

    def suspects(self, text: str, *, is_name: bool) -> bool:
        """True where a text that is to be kept as it is looks like a secret or holds one.

        A name must not look random either; a commit or a link to a run may.
        """
        if any(detector.knows(text) for detector in self._detectors) or (is_name and looks_random(text)):
            return True
        parts, _ = self._parts.find(Batch([Leaf("", None, "context", text)]))
        return any(part.hint not in ("text", "decoded") for part in parts)

    def _observe(self, leaves: list[Leaf]) -> tuple[list[Leaf], dict[int, list[Signal]]]:
        batch = Batch(leaves)
        parts, cut = self._parts.find(batch)
        everything = [*leaves, *parts]
        signals: dict[int, list[Signal]] = defaultdict(list)
        verdicts = self._verdicts
        for index, leaf in enumerate(everything):
            if leaf.name is not None:
                verdict = verdicts.get(leaf.name) or self._classify(leaf.name)
                if verdict.confidence is not None:
                    signals[index].append(_name_signal(leaf, verdict))
        decoded = [index for index, leaf in enumerate(everything) if leaf.hint == "decoded"]
        inner = Batch([everything[index] for index in decoded])
        for detector in self._detectors:
            for index, signal in detector.scan(batch):
                signals[index].append(signal)
            for number, signal in detector.scan(inner) if decoded else ():
                signals[decoded[number]].append(signal)
        for index in cut:
            signals[index].append(Signal("unscanned", "too-many-parts"))
        return everything, signals

    def _classify(self, name: str) -> NameVerdict:
        verdict = self._verdicts.get(name)
        if verdict is None:
            verdict = self._names.classify(plain_text(name))
            if len(name) <= MAX_NAME_CHARS:
                if len(self._verdicts) >= _REMEMBERED_NAMES:
                    self._verdicts.clear()
                self._verdicts[name] = verdict
        return verdict

    def _literal(self, leaf: Leaf, kind: str, signals: Sequence[Signal]) -> JSONObject:
        verdict = _NO_SIGN if leaf.name is None else self._classify(leaf.name)
        is_shown = leaf.shown is not None and leaf.shown == leaf.name
        return {
            "pointer": leaf.pointer,
            "offset": leaf.offset,
            "container": leaf.container,
            "field": leaf.field,
            # The name of a part is text of a literal: of it no more is shown than the word of ours that it holds.
            "name": leaf.shown if leaf.hint is None else verdict.word,
            "words": list(verdict.words) if is_shown else [],
            "kind": kind,
            "service": _arn_service(leaf.value) if kind == "arn" else None,
            "length": length_bucket(len(leaf.value)),
            "fingerprint": self._key.fingerprint(leaf.value),
            "signals": [{"detector": s.detector, "rule": s.rule, "confidence": s.confidence} for s in signals],
        }


def _disclose(walk: Walk, leaves: Sequence[Leaf], signals: Mapping[int, Sequence[Signal]]) -> None:
    """Show the values that fit the grammar of their name, where no detector has anything to say of them."""
    if walk.disclosable:
        suspicious = {leaves[index].pointer for index in signals}
        for place in walk.disclosable:
            if leaves[place.leaf].pointer not in suspicious:
                place.disclose(leaves[place.leaf].value)


def _name_signal(leaf: Leaf, verdict: NameVerdict) -> Signal:
    confidence = str(verdict.confidence)
    return Signal("name", str(verdict.word), "medium" if leaf.hint == "prose" and confidence == "high" else confidence)


def _is_known(signals: Sequence[Signal]) -> bool:
    """True where something else than a name speaks of a secret."""
    return any(signal.detector != "name" for signal in signals)


def _arn_service(value: str) -> str:
    service = value.strip().split(":")[2]
    return service if service in _ARN_SERVICES else "other"


def _outline(shown: JSONObject) -> JSONObject:
    """The top-level scalars of an object."""
    return {key: value for key, value in shown.items() if not isinstance(value, dict | list)}


def _stems(words: Mapping[str, Any]) -> list[str]:
    """The last words of secret phrases: what a part's name must hold for the part to be worth a look."""
    phrases = (*words["secret"], *words["weak"], *words["always"], *words["glued"])
    return sorted({phrase.split()[-1] for phrase in phrases} - {"data", "code", "string", "str"})


def _reference(found: FoundReference) -> JSONObject:
    parsed = found.parsed
    return {
        "pointer": found.pointer,
        "container": found.container,
        "field": found.field,
        "name": found.shown,
        "service": parsed.service,
        "partition": parsed.partition,
        "region": parsed.region,
        "account": parsed.account,
        "resource": parsed.resource,
        "jsonKey": parsed.json_key,
        "versionStage": parsed.version_stage,
        "versionId": parsed.version_id,
        "complete": parsed.complete,
        "problem": parsed.problem,
    }


def _places(
    literals: Sequence[JSONObject], wholes: Sequence[str | None], references: Sequence[FoundReference]
) -> dict[str, Place]:
    places: dict[str, Place] = {}
    for found in references:
        place = Place(found.container, found.field, found.shown)
        places[found.pointer] = place
        places.setdefault(found.pointer.rpartition("/")[0] + "/name", place)
    for literal, whole in zip(literals, wholes, strict=True):
        place = Place(literal["container"], literal["field"], whole or literal["name"])
        places.setdefault(literal["pointer"], place)
    return places
