"""Named literals inside longer strings.

`--password=x`, `PASS=x cmd`, `user=..;pwd=..`, URLs with userinfo, JSON and YAML text, base64 of any of these: each is
a leaf of its own with the name that the text gives it. A form is a pattern that tells which values deserve a look, and
a reader that takes such a value apart.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import orjson

from ecs_admission.project.arguments import named_arguments
from ecs_admission.project.detectors.protocol import Batch, Leaf
from ecs_admission.project.names import NameVerdict, plain_text
from ecs_admission.project.patterns import PatternSet, compile_pattern
from ecs_admission.project.structured import named_values

MAX_PARTS = 2000
"""Parts of one request that are looked at. A string in which more were found is reported as unscanned."""

_MAX_DEPTH = 3
_NAME_CHARS = 80
_LOOK_AHEAD = 256
_LOOK_BACK = 64
_GZIP = b"\x1f\x8b"
_GZIP_WINDOW = 31
_MAX_UNPACKED_BYTES = 65536

# `%s`: the last words of secret phrases. RE2 takes linear time whatever is repeated, and bounded repetitions make its
# automata thirty times slower here (docs/adr/0004-linear-time.md). Where the name begins is looked up backwards from a
# match, since a pattern that also matched the beginning would be many times slower.
_VALUE = (
    r"(?:''|\"\")?(\{\{resolve:(?:secretsmanager|ssm-secure|ssm):[^}\n]*\}\}"
    r"|\$\{[^}\n]*\}|\$\([^)\n]*\)|`[^`\n]*`|\\*\"[^\"\n]*|\\*'[^'\n]*"
    r"|[&<>|)]?[^\s\"'&;,|<>)\]}=][^\s\"'&;,|)\]}]*)"
)
_ASSIGNMENT = r"(?i)(?:%s)[a-z0-9_.-]*(\\*[\"']?\]?)[ \t]*(:=|=>|==?|:)[ \t]*"
_SPACED = (
    r"(?i)(?:^|[\s;\"'])(?:requirepass|masterauth|password|passwd|identified by|secret|token)[ \t]+(['\"]?[^\s;]+)"
)
_SQL = r"(?i)\b(?:identified\s+by|password)\s+'([^']+)'"
_USERINFO = r"(?i)(?:[a-z][a-z0-9+.-]*:|^|[\s\"'=,])//[^\s/:@\"']*:([^\s@\"']+)@"
_BARE_USERINFO = r"(?i)https?://([a-z0-9_-]{10,})@([a-z0-9.-]*)"
_LOGIN = r"(?:^|[\s\"'=,])[A-Za-z][\w.-]*:([^@/\s:\"']{3,})@(?:tcp|unix)?\(?[A-Za-z0-9]"
_ORACLE = r"(?i)thin:[a-z]\w*/([^@/\s\"']+)@"
_PGPASS = r"(?m)^[\w.*-]+:(?:\d+|\*):[^:\s]+:[^:\s]+:(\S+)$"
_SFTP_USER = r"(?m)^[a-z][\w.-]*:([^:,\s/]{4,}):\d{2,5}(?::|$)"
_NETRC = r"(?i)\bmachine\s+\S+\s+login\s+\S+\s+password\s+(\S+)"
_XML_TEXT = r"(?i)<[a-z:_.-]*(?:%s)[a-z_.-]*>([^<\s][^<]*)</"
_XML_PAIR = r"(?i)\b(?:key|name)=\"([^\"]*(?:%s)[^\"]*)\"\s+value=\"([^\"]+)\""
_FALLBACK = r"\$\{([A-Za-z_][A-Za-z0-9_]*):?([-=+?])([^}\n]+)"
_ECHO = r"(?:\$\(|`)[ \t]*(?:echo|printf)[ \t]+(?:-n[ \t]+)?[\"']?([^\s\"'`)$]+)"
_JSON = r"(?m)^[ \t]*[{\[]"
_WORDS = (
    r"(?:^|[\s;&|\"'])-{1,2}(?:[A-Za-z0-9_.-]*(?i:%s)|[aHkKpPuUw]|pw|passin|passout|header|http-header|add-header"
    r"|user|auth|login|creds|credentials|proxy-user|http-user)|-stdin\b|\bvault login\b|\bsqlplus\b|\brman\b"
)
# What ASCII text becomes in base64: of four characters the first three cannot have just any bits.
_QUAD = r"[A-Za-f][A-HQ-Xg-nw-z0-3][ABEFIJMNQRUVYZcdghklopstwx014589][A-Za-z0-9+/_-]"
_BASE64 = (
    rf"(?m)(?:^|[\s\"'=])((?:{_QUAD}{_QUAD}{_QUAD}{_QUAD}(?:{_QUAD})+|H4sI[A-Za-z0-9+/_-]+)[A-Za-z0-9+/_-]{{0,3}}={{0,2}})"
    r"(?:$|[\s\"'|;])"
)

_BEFORE = re.compile(r"[A-Za-z0-9_.-]{0,80}\Z")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,120}")
_OPENERS = frozenset(" \t\r\n\"'`?&;,{([<$@\\")
_INDENT = re.compile(r"[ \t]*(?:- )?[\"']?")
_SHELL_WORD = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^\s\"';|&]+|&&|\|\||[;|&]")
_PRINTABLE = re.compile(r"[\t\n\r\x20-\x7e]{8,}")

Classify = Callable[[str], NameVerdict]
Reader = Callable[[Leaf, re.Pattern[Any]], Iterator[Leaf]]


class PartFinder:
    """Finds the parts of leaves. `stems` are the last words of secret phrases."""

    def __init__(self, stems: Sequence[str], classify: Classify) -> None:
        alternatives = "|".join(sorted(re.escape(stem) for stem in stems))
        self._classify = classify
        self._value = compile_pattern(_VALUE)
        self._forms: tuple[tuple[str, Reader], ...] = (
            (_JSON, self._json),
            (_ASSIGNMENT % alternatives, self._assignments),
            (_WORDS % alternatives, self._words),
            (_SQL, _reads("password")),
            (_USERINFO, _reads("password")),
            (_BARE_USERINFO, _bare_userinfo),
            (_LOGIN, _reads("password", hint="prose")),
            (_ORACLE, _reads("password")),
            (_PGPASS, _reads("password")),
            (_SFTP_USER, _reads("password", hint="prose")),
            (_NETRC, _reads("password")),
            (_SPACED, _reads("password", hint="prose")),
            (_XML_TEXT % alternatives, _reads("password")),
            (_XML_PAIR % alternatives, _pairs),
            (_FALLBACK, _fallbacks),
            (_ECHO, _echoed),
            (_BASE64, _decoded),
        )
        self._set = PatternSet([pattern for pattern, _ in self._forms])

    def find(self, batch: Batch) -> tuple[list[Leaf], frozenset[int]]:
        """The parts of all leaves, and the numbers of the leaves that have more than were looked at."""
        parts: list[Leaf] = []
        cut: set[int] = set()
        if not batch.values.is_ascii:
            parts.extend(_readable(leaf) for leaf in batch.leaves if not leaf.value.isascii())
            for part in tuple(parts):
                for number in self._set.occurring(part.value):
                    self._collect(part, number, parts, depth=1)
        for number, index in self._set.candidates(batch.values):
            leaf = batch.leaves[index]
            if leaf.hint == "reference":  # its grammar is its own: in an ARN, `secret:NAME` is no assignment
                continue
            if not self._collect(leaf, number, parts, depth=1):
                cut.add(index)
        return parts, frozenset(cut)

    def _collect(self, leaf: Leaf, number: int, parts: list[Leaf], depth: int) -> bool:
        for part in self._forms[number][1](leaf, self._set.patterns[number]):
            if len(parts) >= MAX_PARTS:
                return False
            parts.append(part)
            if part.hint in ("decoded", "text"):
                for inner in self._set.occurring(part.value):
                    if depth >= _MAX_DEPTH or not self._collect(part, inner, parts, depth + 1):
                        return False
        return True

    def _assignments(self, leaf: Leaf, pattern: re.Pattern[Any]) -> Iterator[Leaf]:
        text = leaf.value
        if _is_json(text):
            return
        # One byte a character, so that offsets are the same and a search can go on from any place.
        searched = text.encode("ascii", "replace")
        position = 0
        while match := pattern.search(searched, position):
            # What follows a harmless name is looked at too: `--token-url=https://host/?client_secret=x`.
            position = match.end()
            begin, name = _whole_name(text, match.start(), match.start(1))
            if name is None or self._classify(name).confidence is None:
                continue
            found = self._value.match(searched, match.end())
            if found is None:
                continue
            position = found.end()
            sign, quote = match.group(2).decode(), match.group(1).decode()
            is_assignment = _is_assignment(text, begin, sign, quote, match.end())
            value = text[found.start(1) : found.end(1)].lstrip("\\").strip("\"'")
            yield _part(leaf, value, name, found.start(1), "assignment" if is_assignment else "prose")

    def _words(self, leaf: Leaf, _: re.Pattern[Any]) -> Iterator[Leaf]:
        """A string of several words is read as a shell would split it."""
        found = list(_SHELL_WORD.finditer(leaf.value))
        words = [match.group().strip("\"'") for match in found]
        if len(words) < 2:
            return
        for named in named_arguments(words):
            if self._classify(named.name).confidence is not None:
                value = words[named.index][named.start :]
                hint = "assignment" if named.certain else "prose"
                yield _part(leaf, value, named.name, found[named.index].start() + named.start, hint)
        for match, word in zip(found, words, strict=True):
            if match.group()[0] in "\"'" and " " in word:  # `sh -c "..."`
                yield _part(leaf, word, None, match.start() + 1, "text")

    def _json(self, leaf: Leaf, _: re.Pattern[Any]) -> Iterator[Leaf]:
        document = _load_json(leaf.value)
        for name, value in named_values(document, leaf.name or "") if document is not None else ():
            yield _part(leaf, value, name or None, 0, "assignment")
            if " " in value or "=" in value or value.startswith(("{", "[")):
                yield _part(leaf, value, None, 0, "text")


def _readable(leaf: Leaf) -> Leaf:
    """The text as a person reads it, without invisible and look-alike characters."""
    return _part(leaf, plain_text(leaf.value), None, 0, "decoded")


def _reads(name: str, *, hint: str = "assignment") -> Reader:
    """A reader for a form whose first group is the value of a secret."""

    def read(leaf: Leaf, pattern: re.Pattern[Any]) -> Iterator[Leaf]:
        for match in pattern.finditer(leaf.value):
            yield _part(leaf, match.group(1).strip("\"'"), name, match.start(1), hint)

    return read


def _bare_userinfo(leaf: Leaf, pattern: re.Pattern[Any]) -> Iterator[Leaf]:
    """`https://TOKEN@host`. The key in a Sentry DSN is public, as Sentry says of it."""
    for match in pattern.finditer(leaf.value):
        if "sentry" not in match.group(2):
            yield _part(leaf, match.group(1), "password", match.start(1), "prose")


def _pairs(leaf: Leaf, pattern: re.Pattern[Any]) -> Iterator[Leaf]:
    for match in pattern.finditer(leaf.value):
        yield _part(leaf, match.group(2), match.group(1), match.start(2), "assignment")


def _fallbacks(leaf: Leaf, pattern: re.Pattern[Any]) -> Iterator[Leaf]:
    """`${NAME:-literal}`: the literal goes by the name of the variable, and by that of the whole string.

    Behind `?` stands a message, which is a secret only where it looks like one.
    """
    for match in pattern.finditer(leaf.value):
        hint = "prose" if match.group(2) == "?" else "assignment"
        for name in {match.group(1), leaf.name} - {None}:
            yield _part(leaf, match.group(3), name, match.start(3), hint)


def _echoed(leaf: Leaf, pattern: re.Pattern[Any]) -> Iterator[Leaf]:
    """`$(echo literal)` goes by the name of the whole string."""
    for match in pattern.finditer(leaf.value):
        if leaf.name is not None:
            yield _part(leaf, match.group(1), leaf.name, match.start(1), "prose")


def _decoded(leaf: Leaf, pattern: re.Pattern[Any]) -> Iterator[Leaf]:
    """The text that base64 stands for, be it a whole value or among words, as in `echo x | base64 -d`."""
    for match in pattern.finditer(leaf.value):
        text = _decode(match.group(1))
        if text is not None:
            yield _part(leaf, text, None, match.start(1), "decoded")


def _decode(encoded: str) -> str | None:
    padded = encoded.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        content = base64.b64decode(padded + "=" * (-len(padded) % 4), validate=True)
        if content.startswith(_GZIP):
            content = zlib.decompressobj(_GZIP_WINDOW).decompress(content, _MAX_UNPACKED_BYTES)
        text = content.decode("utf-8")
    except (binascii.Error, UnicodeDecodeError, zlib.error):
        return None
    return text if _PRINTABLE.fullmatch(text) else None


def _load_json(text: str) -> object:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _is_json(text: str) -> bool:
    return text.lstrip()[:1] in ("{", "[") and _load_json(text) is not None


def _part(leaf: Leaf, value: str, name: str | None, offset: int, hint: str) -> Leaf:
    """`whole` keeps what may be shown of the name of the string: the part's own name is text of the string."""
    start = (leaf.offset or 0) + offset
    return leaf._replace(value=value, name=name, shown=None, whole=leaf.whole or leaf.shown, offset=start, hint=hint)


def _whole_name(text: str, start: int, end: int) -> tuple[int, str | None]:
    """Where the name that ends at `end` begins, and the name: None where it is the middle of something else."""
    before = _BEFORE.search(text[max(0, start - _NAME_CHARS) : start])
    begin = start - len(before.group()) if before else start
    name = text[begin:end].lstrip("-.")
    last, before_last = text[begin - 1 : begin], text[max(0, begin - 2) : begin - 1]
    opened = not last or last in _OPENERS or (last == "/" and before_last in " ")
    if last == ":":  # `label:token=x`, `//registry/:_authToken=x`, but not `user:pass=word@host`
        opened = text[end : end + 1] == "=" and "@" not in text[end : end + _LOOK_AHEAD].partition(" ")[0]
    return begin, name if opened and _NAME.fullmatch(name) else None


def _is_assignment(text: str, start: int, sign: str, quote: str, value_start: int) -> bool:
    """`password=x`, `"password": x`, `password: "x"` and a line `password: x` are; `password: reset it` is prose."""
    if sign != ":" or quote or text[value_start : value_start + 1] in "\"'\\":
        return True
    flag = text[start : start + 1] == "-" or text[max(0, start - 1) : start] == "/"
    return flag or (text[value_start - 1] in " \t" and _begins_line(text, start))


def _begins_line(text: str, start: int) -> bool:
    """True where nothing but an indent, a dash or a quote stands before `start` on its line."""
    before = text[max(0, start - _LOOK_BACK) : start]
    _, line_break, line = before.rpartition("\n")
    return (bool(line_break) or start <= _LOOK_BACK) and _INDENT.fullmatch(line) is not None
