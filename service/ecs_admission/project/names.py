"""What a name says about its value: its words, and whether they are those of a secret.

Names repeat from request to request, so what was found out about one is remembered (names, never values).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ecs_admission.errors import PolicyError

_MAX_NAME_CHARS = 256
_WORDS = re.compile(r"[A-Z]{2,}(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_KEYS = frozenset(
    {"secret", "glued", "not_glued", "always", "trailing", "harmless_endings", "harmless_beginnings", "placeholders"}
)

Phrase = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NameVerdict:
    """`confidence` is `high` where the name ends in a secret's word, `medium` where it holds one, else None."""

    words: Phrase
    word: str | None = None
    confidence: str | None = None


class NameModel:
    """The words of `policies/config/words`, ready to classify names. Immutable."""

    def __init__(self, words: Mapping[str, Any]) -> None:
        if words.keys() != _KEYS:
            raise PolicyError(f"config/words: expected exactly the keys {', '.join(sorted(_KEYS))}")
        self._secret = _phrases(words, "secret")
        self._always = _phrases(words, "always")
        self._endings = _phrases(words, "harmless_endings")
        self._longest = max(len(phrase) for phrase in self._secret | self._always)
        self._beginnings = frozenset(_texts(words, "harmless_beginnings"))
        self._trailing = frozenset(_texts(words, "trailing"))
        self._glued = tuple(_texts(words, "glued"))
        self._not_glued = frozenset(_texts(words, "not_glued"))

    def classify(self, name: str) -> NameVerdict:
        """Judge a name. Longer names than 256 characters are judged by their last 256."""
        words = split_words(name[-_MAX_NAME_CHARS:])
        always = self._inside(words, self._always)
        if always:
            return NameVerdict(words, " ".join(always), "high")
        core = self._strip_trailing(words)
        if not core or self._ends(core, self._endings):
            return NameVerdict(words)
        head = self._ends(core, self._secret) or self._glued_head(core)
        if core[0] in self._beginnings and len(core) > len(head or ()):
            return NameVerdict(words)
        if head:
            return NameVerdict(words, " ".join(head), "high")
        inner = self._inside(core, self._secret)
        return NameVerdict(words, " ".join(inner), "medium") if inner else NameVerdict(words)

    def _strip_trailing(self, words: Phrase) -> Phrase:
        end = len(words)
        while end > 1 and (words[end - 1] in self._trailing or words[end - 1].isdigit()):
            end -= 1
        return words[:end]

    def _ends(self, words: Phrase, phrases: frozenset[Phrase]) -> Phrase:
        for length in range(min(self._longest, len(words)), 0, -1):
            if words[-length:] in phrases:
                return words[-length:]
        return ()

    def _inside(self, words: Phrase, phrases: frozenset[Phrase]) -> Phrase:
        for end in range(len(words), 0, -1):
            found = self._ends(words[:end], phrases)
            if found:
                return found
        return ()

    def _glued_head(self, words: Phrase) -> Phrase:
        last = words[-1]
        if last in self._not_glued:
            return ()
        return next(((ending,) for ending in self._glued if last.endswith(ending)), ())


def split_words(name: str) -> Phrase:
    """Split at case changes, digits and anything that is no ASCII letter; lower-case."""
    return tuple(word.lower() for word in _WORDS.findall(name))


def _phrases(words: Mapping[str, Any], key: str) -> frozenset[Phrase]:
    return frozenset(tuple(text.split()) for text in _texts(words, key))


def _texts(words: Mapping[str, Any], key: str) -> Iterable[str]:
    texts = words[key]
    if not isinstance(texts, list) or not texts or not all(isinstance(t, str) and t == t.lower() for t in texts):
        raise PolicyError(f"config/words: {key} must be a list of lower-case words or phrases")
    return texts
