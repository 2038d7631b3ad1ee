"""Project a request: replace every literal, keep what was observed of it. After this step nothing holds a secret."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ecs_admission.errors import PolicyError
from ecs_admission.model import JSONObject, Place
from ecs_admission.project.detectors.protocol import Batch, Detector, Leaf, Signal
from ecs_admission.project.disclosure import Disclosure
from ecs_admission.project.fields import Node
from ecs_admission.project.fingerprints import FingerprintKey
from ecs_admission.project.kinds import KindModel, length_bucket
from ecs_admission.project.names import NameModel, NameVerdict
from ecs_admission.project.parts import PartFinder
from ecs_admission.project.walk import FoundReference, Walk

MAX_SIGNALLED_LITERALS = 200
MAX_REFERENCES = 500
_REMEMBERED_NAMES = 50_000
_INVISIBLE = re.compile(
    r"[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    r"\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]"
)
"""Characters that take no room: they could split a word that a person still reads."""
_NO_SIGN = NameVerdict(())


@dataclass(frozen=True, slots=True)
class Projection:
    """A request without its literals. Every part is ready to be serialised."""

    object: JSONObject
    literals: tuple[JSONObject, ...]
    references: tuple[JSONObject, ...]
    counts: Mapping[str, int]
    places: Mapping[str, Place] = field(repr=False)


class Projector:
    """Projects with the tunables of one revision. Thread-safe; made after fork."""

    def __init__(self, config: Mapping[str, Any], detectors: Sequence[Detector], key: FingerprintKey) -> None:
        words = config.get("words")
        if not isinstance(words, dict):
            raise PolicyError("config/words is missing")
        self._names = NameModel(words)
        self._kinds = KindModel(words["placeholders"])
        self._parts = PartFinder(_stems(words), self._classify)
        self._detectors = tuple(detectors)
        self._disclosure = Disclosure(detectors)
        self._key = key
        self._verdicts: dict[str, NameVerdict] = {}

    def project(self, value: JSONObject, node: Node) -> Projection:
        """Project the canonical input of an operation whose locations are `node`."""
        walk = Walk(self._disclosure)
        shown = walk.visit(value, node, "", None)
        scanned = len(walk.leaves)
        leaves, signals = self._observe(walk.leaves, walk)
        signalled = sorted(signals)
        kept = signalled[:MAX_SIGNALLED_LITERALS]
        literals = tuple(self._literal(leaves[i], signals[i]) for i in kept)
        references = tuple(_reference(found) for found in walk.references[:MAX_REFERENCES])
        left_out = max(0, len(signalled) - MAX_SIGNALLED_LITERALS) + max(0, len(walk.references) - MAX_REFERENCES)
        return Projection(
            object=shown,
            literals=literals,
            references=references,
            counts={
                "containers": walk.containers,
                "literals": scanned,
                "signalled": len(signalled),
                "references": len(walk.references),
                "left_out": left_out,
            },
            places=_places([leaves[i] for i in kept], walk.references),
        )

    def knows(self, text: str) -> bool:
        """True where a detector takes the text by itself for a secret, whatever it is called."""
        return any(detector.knows(text) for detector in self._detectors)

    def _observe(self, leaves: list[Leaf], walk: Walk) -> tuple[list[Leaf], dict[int, list[Signal]]]:
        batch = Batch(leaves)
        parts = [part._replace(shown=walk.show_part(part.name)) for part in self._parts.find(batch)]
        everything = leaves + parts
        signals: dict[int, list[Signal]] = defaultdict(list)
        verdicts = self._verdicts
        for index, leaf in enumerate(everything):
            if leaf.name is not None:
                verdict = verdicts.get(leaf.name) or self._classify(leaf.name)
                if verdict.confidence is not None:
                    signals[index].append(_name_signal(leaf, verdict))
        for detector in self._detectors:
            for index, signal in detector.scan(batch):
                signals[index].append(signal)
        return everything, signals

    def _classify(self, name: str) -> NameVerdict:
        verdict = self._verdicts.get(name)
        if verdict is None:
            plain = name if name.isascii() else _INVISIBLE.sub("", unicodedata.normalize("NFKC", name))
            verdict = self._names.classify(plain)
            if len(self._verdicts) >= _REMEMBERED_NAMES:
                self._verdicts.clear()
            self._verdicts[name] = verdict
        return verdict

    def _literal(self, leaf: Leaf, signals: Sequence[Signal]) -> JSONObject:
        verdict = _NO_SIGN if leaf.name is None or leaf.shown != leaf.name else self._classify(leaf.name)
        return {
            "pointer": leaf.pointer,
            "offset": leaf.offset,
            "container": leaf.container,
            "field": leaf.field,
            "name": leaf.shown,
            "words": list(verdict.words),
            "kind": self._kinds.classify(leaf.value),
            "length": length_bucket(len(leaf.value)),
            "fingerprint": self._key.fingerprint(leaf.value),
            "signals": [{"detector": s.detector, "rule": s.rule, "confidence": s.confidence} for s in signals],
        }


def _name_signal(leaf: Leaf, verdict: NameVerdict) -> Signal:
    confidence = "medium" if leaf.hint == "prose" else str(verdict.confidence)
    return Signal("name", str(verdict.word), confidence)


def _stems(words: Mapping[str, Any]) -> list[str]:
    """The last words of secret phrases: what a part's name must hold for the part to be worth a look."""
    return sorted({phrase.split()[-1] for phrase in (*words["secret"], *words["always"], *words["glued"])})


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
        "problem": parsed.problem,
    }


def _places(leaves: Sequence[Leaf], references: Sequence[FoundReference]) -> dict[str, Place]:
    places: dict[str, Place] = {}
    for found in references:
        place = Place(found.container, found.field, found.shown)
        places[found.pointer] = place
        places.setdefault(found.pointer.rpartition("/")[0] + "/name", place)
    for leaf in leaves:
        places.setdefault(leaf.pointer, Place(leaf.container, leaf.field, leaf.whole or leaf.shown))
    return places
