"""What kind of value a literal is, judged by its form alone. Only asked for literals that carry a signal."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ecs_admission.project.patterns import compile_pattern

_LONGEST_CLASSIFIED = 4096

_FORMS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("boolean", re.compile(r"(?i)true|false|yes|no|on|off|enabled|disabled")),
    ("number", re.compile(r"[+-]?[0-9]{1,40}(?:[.,][0-9]{1,20})?(?:[a-zA-Z%]{1,3})?")),
    ("template", re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_.]{0,100}\}|\$\([^()]{1,200}\)|\$[A-Z_][A-Z0-9_]{0,100}")),
    ("arn", re.compile(r"arn:aws[a-z-]{0,20}(?::[a-z0-9-]{0,40}){2}:[0-9]{0,12}:[A-Za-z0-9_./:*+=,@?-]{1,2048}")),
    ("email", re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}")),
    ("path", re.compile(r"(?:~|\.{1,2})?(?:/[a-z0-9_.-]{1,64}){1,24}/?")),
    ("host", re.compile(r"[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,10}(?::[0-9]{1,5})?")),
)  # fmt: skip
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,30}://[^\s@]{1,2048}")
_OPAQUE = re.compile(r"[\x21-\x7e]{6,4096}")
_CLASSES = (re.compile(r"[a-z]"), re.compile(r"[A-Z]"), re.compile(r"[0-9]"), re.compile(r"[^A-Za-z0-9_.:/-]"))


class KindModel:
    """Knows the placeholders of `policies/config/words`."""

    def __init__(self, placeholders: Sequence[str]) -> None:
        self._placeholder = compile_pattern("|".join(f"(?:{pattern})" for pattern in placeholders), ignore_case=True)

    def classify(self, value: str) -> str:
        """One of empty, placeholder, template, boolean, number, arn, url, email, path, host, opaque, text."""
        stripped = value.strip()
        if not stripped:
            return "empty"
        if len(stripped) > _LONGEST_CLASSIFIED:
            return "text"
        if self._placeholder.fullmatch(stripped):
            return "placeholder"
        for kind, form in _FORMS:
            if form.fullmatch(stripped):
                return kind
        if _URL.fullmatch(stripped):
            return "url"
        if _OPAQUE.fullmatch(stripped) and sum(1 for c in _CLASSES if c.search(stripped)) >= 2:
            return "opaque"
        return "text"


def length_bucket(length: int) -> str:
    """A length in characters as one of seven ranges, so that it does not tell one secret from another."""
    for low, high in ((0, 0), (1, 8), (9, 16), (17, 32), (33, 64), (65, 128)):
        if length <= high:
            return "0" if high == 0 else f"{low}-{high}"
    return "129+"
