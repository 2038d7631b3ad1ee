"""Random words that must not come out again, requests full of them, and a search for them."""

from __future__ import annotations

import base64
import itertools
import re
import secrets
import string
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ecs_admission.adapt.shapes import Shape, operation_input
from ecs_admission.adapt.wrappers import WRAPPERS
from ecs_admission.project.disclosure import looks_random

_ALPHABET = string.ascii_letters + string.digits
_PIECE_CHARS = 11
"""Parts of a word this long are searched for, so that a cut word is found, too. By chance none occurs."""

_RUNS = re.compile(rb"[A-Za-z0-9+/]{%d,}" % _PIECE_CHARS)
"""What a piece can lie in: nothing in it, encoded or not, is another character."""
_FEW = 100


def _offsets(run: re.Match[bytes]) -> range:
    return range(run.end() - run.start() - _PIECE_CHARS + 1)


@dataclass(slots=True)
class Canaries:
    """Makes words and remembers them."""

    words: list[str] = field(default_factory=list)
    _variants: Iterator[Callable[[str], str]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._variants = itertools.cycle(VARIANTS)

    def word(self) -> str:
        """A new word of 24 letters and digits.

        Short words and words of letters alone cannot be told from names, nor can every random word: it is drawn again
        until it looks like what generators of secrets make.
        """
        while not looks_random(word := "".join(secrets.choice(_ALPHABET) for _ in range(24))):
            pass
        self.words.append(word)
        return word

    def value(self) -> str:
        """A text around a new word, each time in another form."""
        return next(self._variants)(self.word())

    def found_in(self, content: bytes) -> list[str]:
        """The pieces of words that occur in `content`, in clear, percent-encoded or in base64."""
        pieces = {piece[:_PIECE_CHARS]: piece for piece in self._pieces()}
        if len(pieces) < _FEW:
            return [piece.decode() for piece in pieces.values() if piece in content]
        # Thousands of pieces: one pass over what a piece can lie in, however many there are.
        begins = (run.group()[at : at + _PIECE_CHARS] for run in _RUNS.finditer(content) for at in _offsets(run))
        return [pieces[begin].decode() for begin in set(begins) & pieces.keys() if pieces[begin] in content]

    def _pieces(self) -> Iterator[bytes]:
        for word in self.words:
            raw = word.encode()
            yield raw[:_PIECE_CHARS]
            yield raw[-_PIECE_CHARS:]
            for shift in range(3):
                # Without the characters at both ends, which depend on what stands beside the word.
                yield base64.b64encode(b"x" * shift + raw)[4:-4]


VARIANTS: tuple[Callable[[str], str], ...] = (
    lambda word: word,
    lambda word: f"\"{word}'",
    lambda word: f"\u00fc\U0001f511{word}\u4e2d",
    lambda word: f"first line\n{word}\n\tlast line",
    lambda word: f"{word}{'x' * 176}",
    lambda word: f"<{word}>&\\{word[:3]}%0a",
    lambda word: f"postgres://user:{word}@db.internal:5432/app",
    lambda word: f"--password={word}",
    lambda word: f"arn:aws:secretsmanager:eu-central-1:111122223333:secret:{word}",
)


def full_input(operation: str, text: Callable[[], str], key: Callable[[], str] | None = None) -> Any:
    """An input of `operation` with every member there is, each string made by `text` and each key of a map by `key`.

    Enumerations get a text as well. Every object also gets members that AWS does not know, one of them null.
    """
    return _fill(operation_input(operation), text, key or text)


def full_answer(operation: str, text: Callable[[], str], key: Callable[[], str] | None = None) -> Any:
    """Such an input as AWS answers it, with a text wherever AWS adds something, and members that it never adds."""
    wrapper, key = WRAPPERS[operation], key or text
    inner = full_input(operation, text, key)
    merged = {name: inner.pop(name) for name in wrapper.merged}
    added = {name: _of_type(types[0], text, key) for name, types in wrapper.read_only.items()}
    metadata = {name: _of_type(types[0], text, key) for name, types in wrapper.metadata.items()}
    return {wrapper.member: inner | added, **merged, **metadata, key(): None}


def _of_type(kind: type, text: Callable[[], str], key: Callable[[], str]) -> Any:
    if kind is list:
        return [text(), {key(): text(), "name": text(), "value": text(), key(): None}]
    if kind is dict:
        return {key(): text(), "x": [{key(): text()}], key(): None}
    return text() if kind is str else 1


def _fill(shape: Shape, text: Callable[[], str], key: Callable[[], str]) -> Any:
    if shape.kind == "structure":
        known = {name: _fill(member, text, key) for name, member in shape.members.items()}
        return known | {key(): {key(): text()}, key(): None}
    if shape.kind == "list" and shape.item is not None:
        return [_fill(shape.item, text, key)]
    if shape.kind == "map" and shape.item is not None:
        return {key(): _fill(shape.item, text, key)}
    return {"string": text, "boolean": lambda: True, "timestamp": text}.get(shape.kind, lambda: 1)()


Make = Callable[[str, Callable[[], str]], Any]
"""`full_input` or `full_answer`."""


def positions(make: Make, operation: str) -> Iterator[tuple[str, Any, Canaries]]:
    """For each string position and each key of a document: its name, a document with one word there, and the word."""
    slots = _slots(make, operation)
    for number, name in enumerate(slots):
        canaries = Canaries()
        counter = itertools.count()
        plain = _plain_text(counter, number, canaries)
        yield name, make(operation, plain), canaries


def _slots(make: Make, operation: str) -> list[str]:
    """The names of the positions, in the order in which they are filled."""
    marks = itertools.count()
    document = make(operation, lambda: f"slot-{next(marks)}")
    names = dict(_named(document, ""))
    return [names[f"slot-{number}"] for number in range(next(marks))]


def _named(value: Any, path: str) -> Iterable[tuple[str, str]]:
    if isinstance(value, str):
        yield value, path
    elif isinstance(value, list):
        for item in value:
            yield from _named(item, f"{path}[]")
    elif isinstance(value, dict):
        for name, item in value.items():
            if name.startswith("slot-"):
                yield name, f"{path}{{key}}"
            yield from _named(item, f"{path}{{}}" if name.startswith("slot-") else f"{path}.{name}")


def _plain_text(counter: Iterator[int], wanted: int, canaries: Canaries) -> Callable[[], str]:
    def text() -> str:
        number = next(counter)
        return canaries.word() if number == wanted else f"plain-{number}"

    return text
