"""Bodies of any size that were made to keep the service busy."""

from __future__ import annotations

import base64
import json
import random
import string
from collections.abc import Callable, Iterable, Mapping

from tests.bypass.hiding import command, environment, task

Hostile = Callable[[int], bytes]
"""Makes a body of about so many bytes."""

_ENVELOPE = 400
"""Bytes that the request around a value takes."""

_RANDOM = string.ascii_letters + string.digits

TRIGGERS: Mapping[str, str] = {
    "schemes and userinfo": "a://a:",
    "userinfo": "https://a:b@c ",
    "userinfo without end": "//a:a",
    "userinfo of letters": "https://abcdefghijk",
    "at signs": "a:bcd@",
    "assignments": "pwd=a ",
    "assignments without spaces": "pwd=",
    "assignments of assignments": "password=token=",
    "names of secrets": "password",
    "names of secrets with hyphens": "-password-",
    "names with colons": "password: ",
    "names with quotes": '"password":"',
    "spaced words": "password x;",
    "words of a mood": "secret token ",
    "arrows": "pwd=>a ",
    "double quotes": '"',
    "quotes with spaces": '" "',
    "single quotes": "'a' ",
    "quotes and backslashes": '\\"',
    "backslashes": "\\",
    "backslashes and quotes at the end of a name": 'pwd\\\\"=',
    "dollar braces": "${",
    "fallbacks": "${A:-b}",
    "fallbacks within fallbacks": "${A:-",
    "fallbacks of nothing": "${A:-}",
    "double braces": "{{",
    "closed double braces": "{{a}} ",
    "resolved references": "{{resolve:",
    "resolved references, closed": "{{resolve:ssm:/a}}",
    "statements of a template": "{% a ",
    "expressions of a pipeline": "<+a.",
    "braces": "{",
    "brackets": "[",
    "brackets on lines": "\n[",
    "braces on lines": "\n{",
    "open arrays and objects": '[{"a":',
    "flags": "--password x ",
    "flags without value": "--password ",
    "short flags": "-p a ",
    "separators of a shell": "&& a -p b ",
    "programs": "mysql -pa && ",
    "logins": "curl -u a:b ; ",
    "standard input": "echo a | x --password-stdin ; ",
    "headers": "-H 'A: b' ",
    "angle brackets": "<password>",
    "elements": "<password>a</password>",
    "elements without end": "<password>a",
    "pairs of XML": 'name="password" value="a" ',
    "keys of XML": 'key="password',
    "SQL": "identified by 'a' ",
    "Oracle": "thin:a/b@",
    "a netrc": "machine a login b password c ",
    "lines of a pgpass": "a:1:b:c:d\n",
    "lines of users": "abc:defg:1001:\n",
    "lines of names": "password: a\n",
    "blanks in front of a colon": "password" + " " * 50,
    "base64 of text": base64.b64encode(b"password=a").decode() + "\n",
    "base64 without end": "cGFzc3dvcmQ9",
    "base64 of gzip": "H4sI" + "A" * 20 + "\n",
    "letters": "a",
    "capitals": "A",
    "digits": "1",
    "zeros of hexadecimal": "0f",
    "hyphens": "-",
    "dots": ".",
    "colons": ":",
    "slashes": "/",
    "equals signs": "=",
    "percent signs": "%",
    "spaces": " ",
    "tabs": "\t",
    "newlines": "\n",
    "carriage returns": "\r",
    "controls": "\x01",
    "percent-encoded": "%70%77%64%3d",
    "private keys": "-----BEGIN PRIVATE" + " KEY-----",
    "beginnings of a JWT": "eyJ",
    "parts of a JWT": "eyJhYmNkZWZn.",
    "beginnings of a token": "ghp" + "_",
    "beginnings of a key id": "AK" + "IA",
    "hashes": "$2a$10$",
    "salts": "$apr1$",
    "parameters of a signature": "?sig=",
    "bearers": "bearer aaaaaaaa ",
    "webhooks": "hooks.slack.com/services/",
    "ARNs": "arn:aws:secretsmanager: ",
    "accents": "\u00e9",
    "combining accents": "a\u0301\u0302\u0303",
    "zero width spaces": "\u200b",
    "look-alikes": "\u0440\u0430ssword=\u0430 ",
    "full-width letters": "\uff50\uff57\uff44=a ",
    "emoji": "\U0001f511",
    "Chinese": "\u5bc6\u7801=",
    "ligatures that grow": "\ufdfa",
    "half-width letters": "\uff76\uff9e",
    "Hangul": "\ud55c",
}


def value(text: str, name: str = "A") -> Hostile:
    """A variable that is `text` again and again."""
    return lambda size: _bytes(environment((name, _fill(text, size))))


def argument(text: str) -> Hostile:
    """A script that is `text` again and again."""
    return lambda size: _bytes(command("sh", "-c", _fill(text, size)))


def _fill(text: str, size: int) -> str:
    return text * ((size - _ENVELOPE) // (len(json.dumps(text, ensure_ascii=False).encode()) - 2))


def many(entry: Callable[[int], object], wrap: Callable[[list[object]], object]) -> Hostile:
    """As many entries as fit."""

    def make(size: int) -> bytes:
        unit = len(_bytes(entry(100_000))) + 1
        return _bytes(wrap([entry(100_000 + number) for number in range((size - _ENVELOPE) // unit)]))

    return make


def members(key: Callable[[int], str], wrap: Callable[[list[str]], object]) -> Hostile:
    """As many members of an object as fit."""

    def make(size: int) -> bytes:
        unit = len(_bytes({key(100_000): None})) - 1
        return _bytes(wrap([key(100_000 + number) for number in range((size - _ENVELOPE) // unit)]))

    return make


def _bytes(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _nested_json(size: int) -> bytes:
    text = json.dumps({"password": "a"})
    while len(json.dumps(text)) < size // 3:
        text = json.dumps({"a": text})
    return _bytes(environment(("A", text)))


def _nested_shell(size: int) -> bytes:
    text = "serve --password a"
    while len(json.dumps(text)) < size // 3:
        text = f"sh -c {json.dumps(text)}"
    return _bytes(command("sh", "-c", text))


def _nested_base64(size: int) -> bytes:
    text = "password=a"
    while len(text) < size // 2:
        text = base64.b64encode(text.encode()).decode()
    return _bytes(environment(("A", text)))


def _base64_of(text: str) -> Hostile:
    def make(size: int) -> bytes:
        count = (size - _ENVELOPE) * 3 // 4 // len(text)
        return _bytes(environment(("A", base64.b64encode((text * count).encode()).decode())))

    return make


def _random(size: int) -> bytes:
    letters = random.Random(1).choices(_RANDOM, k=size - _ENVELOPE)
    return _bytes(environment(("A", "".join(letters))))


def _random_words(size: int) -> bytes:
    chosen = random.Random(2)
    words = (("".join(chosen.choices(_RANDOM, k=20))) for _ in range((size - _ENVELOPE) // 21))
    return _bytes(environment(("A", " ".join(words))))


def _object(keys: Iterable[str]) -> dict[str, str]:
    return dict.fromkeys(keys, "b")


def _yaml(line: Callable[[int], str]) -> Hostile:
    def make(size: int) -> bytes:
        head = "family: a\ncontainerDefinitions:\n- name: a\n  image: b\n"
        unit = len(line(100_000).encode())
        return (head + "".join(line(100_000 + n) for n in range((size - _ENVELOPE) // unit))).encode()

    return make


def _repeated(text: str) -> Hostile:
    return lambda size: (text * (size // len(text.encode())))[:size].encode()


STRUCTURES: Mapping[str, Hostile] = {
    "variables": many(lambda n: {"name": f"A{n}", "value": "b"}, lambda items: task({"environment": items})),
    "variables of secrets": many(
        lambda n: {"name": f"A{n}_PASSWORD", "value": "aB3dE6gH9"}, lambda items: task({"environment": items})
    ),
    "variables of templates": many(
        lambda n: {"name": f"A{n}_PASSWORD", "value": "${A}"}, lambda items: task({"environment": items})
    ),
    "variables of URLs": many(
        lambda n: {"name": f"A{n}", "value": "x://a:bC3d@e"}, lambda items: task({"environment": items})
    ),
    "variables of assignments": many(
        lambda n: {"name": f"A{n}", "value": "pwd=aB3d"}, lambda items: task({"environment": items})
    ),
    "variables of JSON": many(
        lambda n: {"name": f"A{n}", "value": '{"pwd":"aB3d"}'}, lambda items: task({"environment": items})
    ),
    "variables with empty names": many(lambda _: {"name": "", "value": ""}, lambda items: task({"environment": items})),
    "variables that are empty": many(lambda _: {}, lambda items: task({"environment": items})),
    "variables with other keys": many(
        lambda n: {"name": "A", f"a{n}": "b"}, lambda items: task({"environment": items})
    ),
    "variables with numbers": many(lambda n: {"name": "A", "value": n}, lambda items: task({"environment": items})),
    "variables with accents": many(
        lambda n: {"name": f"\u00e4{n}", "value": "\u00e4"}, lambda items: task({"environment": items})
    ),
    "variables in one spelling after another": many(
        lambda _: {"name": "A", "Value": "b"}, lambda items: task({"environment": items})
    ),
    "secrets": many(lambda n: {"name": f"A{n}", "valueFrom": f"/a/b{n}"}, lambda items: task({"secrets": items})),
    "containers": many(
        lambda n: {"name": f"c{n}", "image": "a"}, lambda items: {"family": "a", "containerDefinitions": items}
    ),
    "containers of nothing": many(lambda _: {}, lambda items: {"family": "a", "containerDefinitions": items}),
    "labels": members(lambda n: f"a{n}", lambda items: task({"dockerLabels": _object(items)})),
    "labels of secrets": members(lambda n: f"password{n}", lambda items: task({"dockerLabels": _object(items)})),
    "labels that look random": members(
        lambda n: f"aB3dE6gH9jK2{n}", lambda items: task({"dockerLabels": _object(items)})
    ),
    "labels of templates": members(lambda n: f"{{{{a{n}", lambda items: task({"dockerLabels": _object(items)})),
    "options": members(
        lambda n: f"a{n}",
        lambda items: task({"logConfiguration": {"logDriver": "a", "options": _object(items)}}),
    ),
    "tags": many(lambda n: {"key": f"a{n}", "value": "b"}, lambda items: task(tags=items)),
    "volumes": many(lambda n: {"name": f"a{n}"}, lambda items: task(volumes=items)),
    "arguments": many(lambda n: f"a{n}", lambda items: task({"command": items})),
    "arguments of one letter": many(lambda _: "a", lambda items: task({"command": items})),
    "arguments of flags": many(lambda _: "-p", lambda items: task({"command": items})),
    "arguments of secrets": many(lambda n: f"--password={n}", lambda items: task({"command": items})),
    "arguments of separators": many(lambda _: "&&", lambda items: task({"command": items})),
    "arguments of printers": many(lambda _: "echo", lambda items: task({"command": [*items, "--password-stdin"]})),
    "unknown members": members(lambda n: f"a{n}", lambda items: {**task(), **_object(items)}),
    "unknown members near to known ones": members(
        lambda n: f"containerDefinition{n}", lambda items: {**task(), **_object(items)}
    ),
    "unknown members of a list": many(lambda _: {"name": "A", "b": "c"}, lambda items: {**task(), "x": items}),
    "unknown members of secrets": many(lambda _: {"password": "a"}, lambda items: {**task(), "x": items}),
    "unknown numbers": many(lambda _: 1, lambda items: {**task(), "x": items}),
    "unknown texts": many(lambda _: "", lambda items: {**task(), "x": items}),
    "unknown lists": many(lambda _: [], lambda items: {**task(), "x": items}),
    "unknown objects": many(lambda _: {}, lambda items: {**task(), "x": items}),
    "nulls": many(lambda _: None, lambda items: {**task(), "x": items}),
    "null members": members(lambda n: f"a{n}", lambda items: {**task(), **dict.fromkeys(items)}),
    "deep lists": many(lambda _: json.loads("[" * 55 + "]" * 55), lambda items: {**task(), "x": items}),
    "deep objects with names": many(
        lambda _: json.loads('{"name":"a","b":' * 50 + "1" + "}" * 50), lambda items: {**task(), "x": items}
    ),
    "deep objects of secrets": many(
        lambda _: json.loads('{"password":' * 55 + "1" + "}" * 55), lambda items: {**task(), "x": items}
    ),
    "JSON with names around lists in a value": lambda size: _bytes(
        environment(("A", '{"name":"a","b":["x",' * (size // 60) + "1" + "]}" * (size // 60)))
    ),
    "JSON of many keys in a value": lambda size: _bytes(
        environment(("A", json.dumps({f"k{n}": "a=b c" for n in range(size // 25)})))
    ),
    "JSON of secrets in a value": lambda size: _bytes(
        environment(("A", json.dumps({f"password{n}": "a=b c" for n in range(size // 32)})))
    ),
    "JSON of pairs in a value": lambda size: _bytes(
        environment(("A", json.dumps([{"name": "PWD", "value": "a"}] * (size // 48))))
    ),
    "JSON in JSON in JSON": _nested_json,
    "a shell in a shell in a shell": _nested_shell,
    "base64 of base64 of base64": _nested_base64,
    "base64 of assignments": _base64_of("pwd=a "),
    "base64 of JSON": _base64_of('{"pwd":"a"}\n'),
    "base64 of letters": _base64_of("a"),
    "random letters": _random,
    "random words": _random_words,
    "a long family": lambda size: _bytes({**task(), "family": "a" * (size - _ENVELOPE)}),
    "a long name": lambda size: _bytes(environment(("A_" * ((size - _ENVELOPE) // 2), "b"))),
    "a long name of secrets": lambda size: _bytes(environment(("PASSWORD_" * ((size - _ENVELOPE) // 9), "b"))),
    "a long image": lambda size: _bytes(task({"image": "a/" * ((size - _ENVELOPE) // 2)})),
    "a long reference": lambda size: _bytes(
        task({"secrets": [{"name": "A", "valueFrom": "arn:aws:ssm:" + ":" * (size - _ENVELOPE)}]})
    ),
    "long names": many(
        lambda n: {"name": f"{n}" + "a_" * 250, "value": "b"}, lambda items: task({"environment": items})
    ),
    "long names of other letters": many(
        lambda n: {"name": f"{n}" + "\u0430" * 300, "value": "b"}, lambda items: task({"environment": items})
    ),
    "an unknown member with a long name": lambda size: _bytes({**task(), "a" * (size - _ENVELOPE): 1}),
    "open lists": _repeated("["),
    "open objects": _repeated('{"a":'),
    "closed lists": _repeated("[]"),
    "a list of lists": lambda size: ("[" + "[]," * ((size - 10) // 3) + "[]]").encode(),
    "a long number": lambda size: b'{"a":' + b"1" * (size - 10) + b"}",
    "a long fraction": lambda size: b'{"a":0.' + b"1" * (size - 10) + b"}",
    "a key again and again": lambda size: b"{" + b'"a":1,' * ((size - 10) // 6) + b'"a":1}',
    "escapes": lambda size: b'{"a":"' + b"\\u0061" * ((size - 10) // 6) + b'"}',
    "half surrogate pairs": lambda size: b'{"a":"' + b"\\ud800" * ((size - 10) // 6) + b'"}',
    "an open text": lambda size: b'{"a":"' + b"a" * (size - 10),
    "white space": lambda size: b" " * (size - 10) + b"{}",
    "white space in front of colons": lambda size: b"{" + b'"a" \t \t \t :1,' * ((size - 10) // 15) + b'"b":1}',
    "colons in texts": lambda size: _bytes(environment(("A", '":' * ((size - _ENVELOPE) // 3)))),
    "YAML: variables": _yaml(lambda n: f"  x{n}: b\n"),
    "YAML: texts": _yaml(lambda n: f"  - b{n}\n"),
    "YAML: open lists": _repeated("- "),
    "YAML: open flow": _repeated("a: ["),
    "YAML: flow of nothing": lambda size: b"a: [" + b"," * (size - 10) + b"]",
    "YAML: flow of objects": lambda size: b"a: [" + b"{}," * ((size - 10) // 3) + b"]",
    "YAML: keys in keys": _repeated("? "),
    "YAML: quotes": _repeated("'"),
    "YAML: double quotes": _repeated('"\\'),
    "YAML: comments": _repeated("# a\n"),
    "YAML: comment": _repeated("#"),
    "YAML: documents": _repeated("---\n"),
    "YAML: ends of documents": _repeated("...\n"),
    "YAML: anchors": _repeated("&a "),
    "YAML: aliases": _repeated("*a "),
    "YAML: tags": _repeated("!a "),
    "YAML: directives": _repeated("%A a\n"),
    "YAML: a long key": lambda size: b"a" * (size - 10) + b": b",
    "YAML: a long block": lambda size: b"a: |\n" + b" b\n" * ((size - 10) // 3),
    "YAML: a deep block": lambda size: "".join(" " * n + "a:\n" for n in range(int(size**0.5))).encode(),
    "YAML: a plain text over lines": lambda size: b"a:\n" + b" b\n" * ((size - 10) // 3),
    "YAML: empty lines in a text": lambda size: b"a: 'b" + b"\n" * (size - 10) + b"'",
    "YAML: colons": _repeated("a:"),
    "YAML: digits": lambda size: b"a: " + b"1" * (size - 10),
    "YAML: digits and dots": lambda size: b"a: " + b"1." * ((size - 10) // 2),
    "YAML: tabs": _repeated("\t"),
    "YAML: hyphens": _repeated("-"),
    "templates in a text that is no document": _repeated("local a"),
    "templates: blanks": _repeated("import "),
    "templates: colons": _repeated('": '),
    "templates: blanks in lines": _repeated("\n \t \t "),
}

_UNDER_A_NAME = (
    "assignments",
    "look-alikes",
    "double quotes",
    "fallbacks",
    "letters",
    "spaces",
    "emoji",
    "private keys",
)
_IN_A_COMMAND = (
    "assignments",
    "flags",
    "short flags",
    "separators of a shell",
    "logins",
    "quotes with spaces",
    "headers",
)

HOSTILE: Mapping[str, Hostile] = {
    **{f"a value of {what}": value(text) for what, text in TRIGGERS.items()},
    **{f"a password of {what}": value(TRIGGERS[what], "DB_PASSWORD") for what in _UNDER_A_NAME},
    **{f"an argument of {what}": argument(TRIGGERS[what]) for what in _IN_A_COMMAND},
    **STRUCTURES,
}
