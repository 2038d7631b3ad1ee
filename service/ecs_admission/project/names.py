"""What a name says about its value: its words, and whether they are those of a secret.

Names repeat from request to request, so what was found out about one is remembered (names, never values).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ecs_admission.errors import PolicyError

MAX_NAME_CHARS = 256
_LONGEST_PHRASE = 5
_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_LISTS = (
    "secret", "weak", "faint", "glued", "always", "trailing", "harmless_endings", "harmless_beginnings",
    "placeholders", "settings",
)  # fmt: skip

_FILLERS = frozenset("\u115f\u1160\u3164\uffa0\u2800")
_UNSEEN = frozenset({"Cf", "Cc", "Mn", "Me", "Cn", "Co"})
"""Categories of characters that are not seen, or only on the letter before: they could split a word."""
_LOOK_ALIKES = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0455\u0458\u043a\u043d\u0442\u0432\u043c"
    "\u0410\u0415\u041e\u0420\u0421\u0423\u0425\u0406\u0405\u0408\u041a\u041d\u0422\u0412\u041c"
    "\u03b1\u03b5\u03bf\u03c1\u03ba\u03bd\u03c4\u0391\u0395\u039f\u03a1\u039a\u039d\u03a4\u0399\u0131\u0501",
    "aeopcyxisjkhtbmAEOPCYXISJKHTBMaeopkvtAEOPKNTIid",
)
"""Cyrillic and Greek letters that look like Latin ones."""

_LEET = str.maketrans("01345@$", "oleasas")
_LEET_INSIDE = re.compile(r"[A-Za-z][01345@$]{1,2}[A-Za-z]")

Phrase = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NameVerdict:
    """`confidence` is how much the name alone says, and so what its value must look like to be taken for a secret:

    `high` where it ends in a secret's word, `medium` where it ends in a word that is often one or holds one in the
    middle, `low` where it ends in something as general as `key`. None where it says nothing.
    """

    words: Phrase
    word: str | None = None
    confidence: str | None = None


class NameModel:
    """The words of `policies/config/words`, ready to classify names. Immutable."""

    def __init__(self, words: Mapping[str, Any]) -> None:
        if words.keys() != set(_LISTS):
            raise _error(f"expected exactly the lists {', '.join(_LISTS)}", *sorted(words.keys() - set(_LISTS))[:1])
        self._secret, self._weak, self._faint = (_phrases(words, key) for key in ("secret", "weak", "faint"))
        self._always = _phrases(words, "always")
        self._endings = _phrases(words, "harmless_endings")
        self._beginnings = frozenset(_texts(words, "harmless_beginnings"))
        self._trailing = frozenset(_texts(words, "trailing"))
        self._glued = tuple(sorted(_texts(words, "glued"), key=len, reverse=True))

    def classify(self, name: str) -> NameVerdict:
        """Judge a name as it stands, and where that says nothing, without odd capitals and with digits for letters."""
        verdict = self._classify(name)
        if verdict.confidence is None and not name.islower() and not name.isupper():
            verdict = self._if_high(name.lower(), verdict)
        if verdict.confidence is None and _LEET_INSIDE.search(name):
            verdict = self._if_high(name.translate(_LEET).lower(), verdict)
        return verdict

    def speaks_of_secret(self, name: str) -> bool:
        """True where a secret's word stands anywhere in a name, whatever the name ends in: `DB_CREDENTIALS_S3_URI`."""
        words = split_words(name[-MAX_NAME_CHARS:])
        phrases = self._secret | self._always
        return bool(_inside(words, phrases)) or any(self._glued_end((word,)) for word in words)

    def _if_high(self, spelled: str, otherwise: NameVerdict) -> NameVerdict:
        verdict = self._classify(spelled)
        return verdict if verdict.confidence == "high" else otherwise

    def _classify(self, name: str) -> NameVerdict:
        """Judge a name. One of more than 256 characters is judged by whether a secret's word is at either end of it."""
        words = split_words(name[-MAX_NAME_CHARS:])
        if len(name) > MAX_NAME_CHARS:
            inside = _inside(words, self._secret) or _inside(split_words(name[:MAX_NAME_CHARS]), self._secret)
            return NameVerdict(words, " ".join(inside), "high") if inside else NameVerdict(words)
        always = _inside(words, self._always)
        if always:
            return NameVerdict(words, " ".join(always), "high")
        core = words
        strong, weak = self._end(core)
        if not strong and not weak:
            core = self._without_trailing(words)
            if not core or _ends(words, self._endings) or _ends(core, self._endings):
                return NameVerdict(words)
            strong, weak = self._end(core)
        phrase = strong if len(strong) >= len(weak) else weak
        is_switch = not self._beginnings.isdisjoint(core[: len(core) - max(1, len(phrase))])
        if phrase and is_switch:
            return NameVerdict(words, " ".join(phrase), "low")
        if phrase:
            return NameVerdict(words, " ".join(phrase), "high" if phrase is strong else "medium")
        if is_switch:
            return NameVerdict(words)
        inner = _inside(core, self._secret)
        if inner:
            return NameVerdict(words, " ".join(inner), "medium")
        faint = _ends(core, self._faint) or _inside(core, self._weak)
        return NameVerdict(words, " ".join(faint), "low") if faint else NameVerdict(words)

    def _end(self, words: Phrase) -> tuple[Phrase, Phrase]:
        """The secret's words and the weak words that a name ends in."""
        if not words:
            return (), ()
        return _ends(words, self._secret) or self._glued_end(words), _ends(words, self._weak)

    def _without_trailing(self, words: Phrase) -> Phrase:
        """Drop words at the end that say which one it is, as long as something of the name is left."""
        end = len(words)
        while end > 1 and (words[end - 1] in self._trailing or words[end - 1].isdigit()):
            end -= 1
        return words[:end]

    def _glued_end(self, words: Phrase) -> Phrase:
        last = words[-1]
        return next(((end,) for end in self._glued if last.endswith(end)), ())


def plain_text(text: str) -> str:
    """A text as a person reads it: without invisible characters and accents, look-alike letters in ASCII."""
    if text.isascii():
        return text
    decomposed = unicodedata.normalize("NFKD", text.translate(_LOOK_ALIKES))
    return "".join(c for c in decomposed if c in "\n\t" or not _is_unseen(c))


def _is_unseen(character: str) -> bool:
    return character in _FILLERS or unicodedata.category(character) in _UNSEEN


def split_words(name: str) -> Phrase:
    """Split at case changes, digits and anything that is no ASCII letter; lower-case."""
    return tuple(word.lower() for word in _WORDS.findall(name))


def _ends(words: Phrase, phrases: frozenset[Phrase]) -> Phrase:
    for length in range(min(_LONGEST_PHRASE, len(words)), 0, -1):
        if words[-length:] in phrases:
            return words[-length:]
    return ()


def _inside(words: Phrase, phrases: frozenset[Phrase]) -> Phrase:
    for end in range(len(words), 0, -1):
        found = _ends(words[:end], phrases)
        if found:
            return found
    return ()


def _phrases(words: Mapping[str, Any], key: str) -> frozenset[Phrase]:
    phrases = [tuple(text.split()) for text in _texts(words, key)]
    for index, phrase in enumerate(phrases):
        if not 1 <= len(phrase) <= _LONGEST_PHRASE:
            raise _error(f"a phrase has one to {_LONGEST_PHRASE} words", key, index)
    return frozenset(phrases)


def _texts(words: Mapping[str, Any], key: str) -> list[str]:
    texts = words[key]
    if not isinstance(texts, list) or not texts:
        raise _error("expected a list of words or phrases", key)
    for index, text in enumerate(texts):
        if not isinstance(text, str) or text != text.lower():
            raise _error(
                "expected a word or a phrase in lower case; quote what YAML reads as something else", key, index
            )
    return texts


def _error(reason: str, *path: str | int) -> PolicyError:
    return PolicyError(reason, at=("config", "words", *path))
