"""What kind of value a literal is, judged by its form alone. Only asked for literals that carry a signal."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ecs_admission.errors import PolicyError
from ecs_admission.project.patterns import compile_pattern

_LONGEST_CLASSIFIED = 4096
_PASSPHRASE_CHARS = 16
_PIECE_CHARS = 3
_PIECES = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")

# Kinds by form, first match counts. Placeholders and settings are data, see `KindModel`.
_FORMS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("template", re.compile(r"\$\{[^{}]{1,200}\}|\$?\$(?:[A-Z_][A-Z0-9_]{0,100}|[a-z_]{2,60})")),
    ("template", re.compile(r"`[^`]{1,400}`|<\+[^<>]{1,200}>")),
    ("template", re.compile(r"\$\((?:[A-Za-z_./][\w./-]{0,100} .{0,400}|[A-Z_][A-Z0-9_]{0,100}\))")),
    ("template", re.compile(r"\{\{.{1,400}\}\}|\$\{\{.{1,400}\}\}")),
    ("arn", re.compile(r"arn:aws[a-z-]{0,20}(?::[a-z0-9-]{0,40}){2}:[0-9]{0,12}:[A-Za-z0-9_./:*+=,@?-]{1,2048}")),
    ("email", re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}")),
    ("uuid", re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")),
    ("host", re.compile(r"(?:[a-z0-9-]{1,63}\.){1,10}[a-z]{2,24}\.?(?::[0-9]{1,5})?|[a-z][a-z0-9-]{0,62}:[0-9]{2,5}")),
    ("host", re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?::[0-9]{1,5}|/[0-9]{1,2})?")),
)  # fmt: skip
_BOOLEAN = re.compile(r"(?i)true|false|yes|no|on|off|enabled?|disabled?|y|n")
_NUMBER = re.compile(r"[+-]?[0-9]{1,40}(?:[.,][0-9]{1,20})?(?:ms|[smhdwkKMGTB%]|[KMGT]i?B)?")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,30}:(?://)?(?:[^\s@]|@(?=[a-z0-9-]+/)){0,2048}")
_SCHEME = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]{1,30}://|jdbc:|urn:|classpath:|file:|FILE:|data:)")
_PATH = re.compile(r"(?:~|\.{1,2}|[A-Za-z]:)?(?:[/\\][A-Za-z0-9_.@{}$-]{1,80}){1,24}[/\\]?")
_RELATIVE = re.compile(r"[A-Za-z][\w.-]{0,80}(?:/[A-Za-z0-9_.{}-]{1,80}){1,12}/?")
_FILE = re.compile(
    r"[\w.-]{1,80}\.(?:json|ya?ml|pem|key|crt|cer|p12|pfx|jks|txt|conf|cfg|ini|env|properties|keytab|pub|xml|toml|asc|gpg)"
)
_IMAGE = re.compile(
    r"[a-z0-9][a-z0-9.-]{0,80}(?:/[a-z0-9._-]{1,80}){1,6}(?::[A-Za-z0-9._-]{1,80})?(?:@sha256:[0-9a-f]{64})?"
)
_CLASS = re.compile(r"[a-z][a-z0-9_]{0,40}(?:\.[a-z0-9_]{1,40}){1,10}(?:[.$][A-Z]\w{1,80})?")
_LIST = re.compile(r"[\w.:/*-]{1,60}(?:[,;| ] ?[\w.:/*-]{1,60}){1,40}")
_SLUG = re.compile(r"[A-Za-z]{1,24}[0-9]{0,3}(?:[ _.:+-][A-Za-z]{1,24}[0-9]{0,3}|[ _.:+-][0-9]{1,4}){0,12}")
_TOKEN = re.compile(r"[\x21-\x7e]{6,4096}")
_RUN = re.compile(r"[A-Za-z0-9+/_=-]{12,}")
_LONG_RUN = 16
_LONG_SHARE, _SHORT_SHARE = 0.22, 0.3
_FEW_CHANGES = 4
_CLASSES = (re.compile(r"[a-z]"), re.compile(r"[A-Z]"), re.compile(r"[0-9]"), re.compile(r"[^A-Za-z0-9]"))
_CHANGE = re.compile(r"(?<=[a-z])(?=[A-Z0-9])|(?<=[A-Z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])|(?<=[A-Z])(?=[a-z][A-Z0-9])")


KINDS = frozenset(
    {
        *("empty", "placeholder", "template", "boolean", "number", "uuid", "email", "host", "url", "path", "arn"),
        *("setting", "class", "list", "word", "mixed", "slug", "text", "opaque", "random", "long"),
    }
)
"""What a value can be."""

_LISTS_OF_KINDS = ("harmless", "credential_like", "generated")
_LISTS_OF_TEXTS = ("misplaced_services", "names_of_secrets", "aws_keys", "aws_key_words")


def check_kinds(config: Mapping[str, Any]) -> None:
    """Raise `PolicyError` where `config/kinds`, which the rules read, is of another form than they take it to be.

    A list that is missing, or a kind that is misspelled, is no error in Rego: a rule then says nothing.
    """
    kinds = config.get("kinds")
    if not isinstance(kinds, dict):
        raise PolicyError("expected a mapping", at=("config", "kinds"))
    for name in kinds:
        if name not in (*_LISTS_OF_KINDS, *_LISTS_OF_TEXTS):
            raise PolicyError("is no list that a rule reads", at=("config", "kinds", name))
    for name in (*_LISTS_OF_KINDS, *_LISTS_OF_TEXTS):
        items = kinds.get(name)
        if not isinstance(items, list):
            raise PolicyError(
                f"{name} must be a list", at=("config", "kinds", name) if name in kinds else ("config", "kinds")
            )
        for index, item in enumerate(items):
            if not isinstance(item, str) or not item.strip():
                raise PolicyError("must be text", at=("config", "kinds", name, index))
            if name in _LISTS_OF_KINDS and item not in KINDS:
                raise PolicyError(f"must be one of {', '.join(sorted(KINDS))}", at=("config", "kinds", name, index))


class KindModel:
    """Knows the placeholders and the settings of `policies/config/words`."""

    def __init__(self, placeholders: Sequence[str], settings: Sequence[str]) -> None:
        self._placeholder = _any(placeholders, "placeholders")
        self._setting = _any(settings, "settings")

    def classify(self, value: str) -> str:
        """One of the kinds that `policies/config/kinds` names."""
        text = value.strip()
        if not text:
            return "empty"
        if len(text) > _LONGEST_CLASSIFIED:
            return "long"
        if self._placeholder.fullmatch(text):
            return "placeholder"
        if _BOOLEAN.fullmatch(text):
            return "boolean"
        if _NUMBER.fullmatch(text):
            return "number"
        if self._setting.fullmatch(text):
            return "random" if _looks_generated(text) else "setting"
        for kind, form in _FORMS:
            if form.fullmatch(text):
                return kind
        return _location(text) or _wording(text)


def _location(text: str) -> str | None:
    """`url` or `path`, where the value says where something is."""
    if text == "/":
        return "path"
    if _SCHEME.match(text) and _URL.fullmatch(text):
        return "random" if _looks_generated(text) else "url"
    if _FILE.fullmatch(text) or _IMAGE.fullmatch(text):
        return "path"
    if not (_PATH.fullmatch(text) or _RELATIVE.fullmatch(text)):
        return None
    parts = [part for part in re.split(r"[/\\]", text) if part]
    alone = len(parts) == 1 and any(c.isdigit() for c in text) and "." not in text
    return "path" if not alone and all(_is_plain(part) for part in parts) else None


def _wording(text: str) -> str:
    """How much like generated text a value is that stands for nothing else."""
    if not _TOKEN.fullmatch(text):
        return "list" if _LIST.fullmatch(text) and not _looks_generated(text) else "text"
    if _looks_generated(text):
        return "random"
    if _CLASS.fullmatch(text):
        return "class"
    if text.isalpha():
        # Words run together make a passphrase; a long word of a setting has its parts set apart.
        pieces = _PIECES.findall(text)
        is_jumble = len(pieces) >= _FEW_CHANGES and len(text) < _PIECE_CHARS * len(pieces)
        return "opaque" if len(text) >= _PASSPHRASE_CHARS or is_jumble else "word"
    if _SLUG.fullmatch(text):
        return "slug" if not text.isalnum() else "mixed"
    if _LIST.fullmatch(text) and all(_SLUG.fullmatch(part) for part in re.split(r"[,;|]", text)):
        return "list"
    return "opaque" if sum(1 for c in _CLASSES if c.search(text)) >= 2 else "text"


def _looks_generated(text: str) -> bool:
    """A long run that changes between capitals, small letters and digits as words do not, or long hexadecimal."""
    for run in _RUN.findall(text):
        changes = len(_CHANGE.findall(run))
        share = _LONG_SHARE if len(run) >= _LONG_RUN else _SHORT_SHARE
        if changes > len(run) * share and changes >= _FEW_CHANGES:
            return True
    return False


def _is_plain(part: str) -> bool:
    """A segment of a path as people write them: words, numbers and hashes behind a hyphen, no random text."""
    return len(part) < 8 or (not _looks_generated(part) and len(_CHANGE.findall(part)) < 4)


def _any(patterns: Sequence[str], key: str) -> Any:
    for index, pattern in enumerate(patterns):
        compile_pattern(pattern, at=("config", "words", key, index))
    return compile_pattern("|".join(f"(?:{pattern})" for pattern in patterns), ignore_case=True)


def length_bucket(length: int) -> str:
    """A length in characters as one of seven ranges, so that it does not tell one secret from another."""
    for low, high in ((0, 0), (1, 8), (9, 16), (17, 32), (33, 64), (65, 128)):
        if length <= high:
            return "0" if high == 0 else f"{low}-{high}"
    return "129+"
