"""Reading bytes: one format, one meaning, and errors that never repeat what they refuse."""

from __future__ import annotations

import codecs
import json
import traceback
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ecs_admission.adapt.bounds import MAX_BYTES, MAX_DEPTH, MAX_EVENTS
from ecs_admission.adapt.documents import read_document
from ecs_admission.errors import InputError

CANARY = "hunter2canary"

simple_text = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs"), max_codepoint=0xD7FF))
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**18) + 1, 10**18 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | simple_text
)
keys = simple_text.filter(lambda key: key != "<<")
json_objects = st.dictionaries(
    keys, st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(keys, inner), max_leaves=20)
)


def error_of(data: bytes) -> InputError | None:
    try:
        read_document(data)
    except InputError as error:
        return error
    return None


def refusal(data: bytes | str) -> InputError:
    """The error for `data`, after a look at what a log would show of it."""
    with pytest.raises(InputError) as caught:
        read_document(data.encode() if isinstance(data, str) else data)
    error = caught.value
    assert error.__context__ is None
    assert error.__cause__ is None
    assert CANARY not in "".join(traceback.format_exception_only(error))
    return error


def code(data: bytes | str) -> tuple[str | None, int]:
    error = refusal(data)
    return error.code, error.status


def nested_json(depth: int) -> str:
    return '{"a":' * (depth - 1) + "[]" + "}" * (depth - 1)


def nested_yaml(depth: int) -> str:
    return "\n".join("  " * level + "a:" for level in range(depth)) + " 1"


class TestBytes:
    def test_a_byte_order_mark_is_skipped(self) -> None:
        assert read_document(codecs.BOM_UTF8 + b'{"family": "web"}') == {"family": "web"}
        assert read_document(codecs.BOM_UTF8 + b"family: web") == {"family": "web"}

    @pytest.mark.parametrize("text", [b'{"family": "web"}', b"family: web", b""])
    def test_only_one_byte_order_mark_is(self, text: bytes) -> None:
        with pytest.raises(InputError):
            read_document(codecs.BOM_UTF8 * 2 + text)

    @pytest.mark.parametrize("data", [b"", b" \r\n\t ", codecs.BOM_UTF8, b"# only a comment\n"])
    def test_nothing_is_refused_as_empty(self, data: bytes) -> None:
        assert code(data) == ("empty", 400)

    @pytest.mark.parametrize(
        "data",
        [
            '{"family": "web"}'.encode("utf-16"),
            '{"family": "web"}'.encode("utf-16-be"),
            '{"family": "web"}'.encode("utf-32"),
            codecs.BOM_UTF32_BE + '{"family": "web"}'.encode("utf-32-be"),
            '{"family": "wéb"}'.encode("latin-1"),
            b'{"family": "\xed\xa0\x80"}',
            b'{"family": "web\0"}',
            b"family: web\0",
        ],
    )
    def test_other_encodings_are_refused(self, data: bytes) -> None:
        assert code(data) == ("not-utf-8", 400)

    def test_the_largest_document_is_one_mebibyte(self) -> None:
        envelope = len('{"a":""}')
        assert read_document(b'{"a":"%s"}' % (b"x" * (MAX_BYTES - envelope)))
        assert code(b'{"a":"%s"}' % (b"x" * (MAX_BYTES - envelope + 1))) == ("too-large", 413)


class TestChoiceOfFormat:
    @pytest.mark.parametrize("text", ["{family: web}", "[a, b]", "{'family': 'web'}", '{"a": 1,}', '{"a": 1} # note'])
    def test_what_starts_like_json_is_never_read_as_yaml(self, text: str) -> None:
        assert code(" \n" + text) == ("malformed-json", 400)

    def test_anything_else_is_yaml(self) -> None:
        assert read_document(b'--- {"family": "web"}') == {"family": "web"}
        assert read_document(b"'family': 'web'") == {"family": "web"}
        assert read_document(b'"web"') == "web"


class TestJSON:
    @given(json_objects)
    def test_what_json_writes_is_read_back(self, value: dict[str, Any]) -> None:
        assert read_document(json.dumps(value).encode()) == value
        assert read_document(json.dumps(value, ensure_ascii=False, indent=2).encode()) == value

    @pytest.mark.parametrize(
        "text",
        [
            '{"a": 1, "a": 1}',
            '{"a": 1, "\\u0061": 2}',
            '{"b": [{"a": null, "c": 1, "a": null}]}',
            f'{{"{CANARY}": 1, "{CANARY}": 2}}',
        ],
    )
    def test_a_key_given_twice_is_refused(self, text: str) -> None:
        assert code(text) == ("duplicate-key", 400)

    @pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
    def test_numbers_that_json_lacks_are_refused(self, number: str) -> None:
        assert code(f'{{"a": {number}}}') == ("malformed-json", 400)

    @pytest.mark.parametrize("number", ["1e999", "-1e999", "1" * 19, "-" + "1" * 19, "1" * 5000])
    def test_numbers_that_readers_round_are_refused(self, number: str) -> None:
        assert code(f'{{"a": {number}}}') == ("number-out-of-range", 400)

    def test_the_largest_integers_are_read_exactly(self) -> None:
        assert read_document(b'{"a": [999999999999999999, -999999999999999999]}') == {"a": [10**18 - 1, -(10**18) + 1]}

    def test_a_malformed_document_is_located_but_not_quoted(self) -> None:
        error = refusal(f'{{"a":\n  {CANARY}}}')
        assert str(error) == "The document is not valid JSON (line 2, column 3)."

    @pytest.mark.parametrize(
        "text", ['{"a": 1} {"b": 2}', '{"a": "\n"}', '{"a": "\\x41"}', "[1, 2", '{"a": 01}', "[.5]"]
    )
    def test_leniencies_of_other_readers_are_refused(self, text: str) -> None:
        assert code(text) == ("malformed-json", 400)

    @pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 200, 5_000, 100_000])
    def test_deep_nesting_is_refused(self, depth: int) -> None:
        assert code(nested_json(depth)) == ("too-deep", 422)
        assert code("[" * depth + "]" * depth) == ("too-deep", 422)

    def test_nesting_up_to_the_bound_is_read(self) -> None:
        assert json.dumps(read_document(nested_json(MAX_DEPTH).encode()), separators=(",", ":")) == nested_json(
            MAX_DEPTH
        )


class TestYAML:
    @given(json_objects)
    def test_json_is_yaml_as_well(self, value: dict[str, Any]) -> None:
        text = "---\n" + json.dumps(value, ensure_ascii=False)
        assert read_document(text.encode()) == value

    def test_block_style_is_read(self) -> None:
        text = "family: web # note\ncontainerDefinitions:\n- name: app\n"
        text += "  command: [a, 'b', \"c\\n\"]\n  user: |\n    x\n    y\n"
        container = {"name": "app", "command": ["a", "b", "c\n"], "user": "x\ny\n"}
        assert read_document(text.encode()) == {"family": "web", "containerDefinitions": [container]}

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("", None),
            ("~", None),
            ("null", None),
            ("NULL", None),
            ("nUll", "nUll"),
            ("true", True),
            ("False", False),
            ("tRue", "tRue"),
            ("yes", "yes"),
            ("NO", "NO"),
            ("on", "on"),
            ("y", "y"),
            ("0", 0),
            ("012", 12),
            ("-7", -7),
            ("+7", 7),
            ("0o14", 12),
            ("0x1F", 31),
            ("-0x1F", "-0x1F"),
            ("0b1", "0b1"),
            ("1_000", "1_000"),
            ("12:30:45", "12:30:45"),
            ("2001-12-14", "2001-12-14"),
            ("1.5", 1.5),
            ("1.", 1.0),
            (".5", 0.5),
            ("1e3", 1000.0),
            ("-1.5E-1", -0.15),
            (".", "."),
            ("1.2.3", "1.2.3"),
            ("٣", "٣"),
            ("=", "="),
            ("'12'", "12"),
            ('"true"', "true"),
            ("''", ""),
            ("${NAME}", "${NAME}"),
        ],
    )
    def test_plain_scalars_follow_the_core_schema(self, text: str, value: object) -> None:
        read = read_document(f"a: {text}".encode())["a"]
        assert (type(read), read) == (type(value), value)

    @pytest.mark.parametrize("number", [".inf", "-.INF", "+.Inf", ".nan", ".NaN", "1e999", "9" * 19, "9" * 5000])
    def test_numbers_nobody_can_send_are_refused(self, number: str) -> None:
        assert code(f"a: {number}") == ("number-out-of-range", 400)

    @pytest.mark.parametrize("number", ["0x" + "f" * 19, "0x" + "f" * 9000, "0o7" + "7" * 40])
    def test_large_numbers_in_other_bases_are_refused(self, number: str) -> None:
        assert code(f"a: {number}") == ("number-out-of-range", 400)

    @pytest.mark.parametrize(
        "text",
        [
            f"a: !!str {CANARY}",
            f"a: ! {CANARY}",
            f"a: !{CANARY} b",
            "a: !!python/object/apply:os.system [true]",
            f"a: &{CANARY} b",
            f"a: &x [1]\nb: *x # {CANARY}",
            "*x",
            "&a a: &b b",
            "!!map\na: b",
            f"<<: {{a: {CANARY}}}",
            "a: b\n'<<': {c: d}",
            "%YAML 1.1\n---\na: b",
            f"%TAG ! tag:{CANARY}:\n---\na: b",
            f"a: b\n---\nc: {CANARY}",
            f'a: "x\u2028{CANARY}"',
            f"a: x\u2029{CANARY}",
            f"a: x\x85{CANARY}",
        ],
    )
    def test_features_that_readers_differ_on_are_refused(self, text: str) -> None:
        assert code(text) == ("yaml-feature", 400)

    @pytest.mark.parametrize(
        "text", [f"{CANARY}: 1\n{CANARY}: 2", "a: 1\n'a': 2", "a: {b: 1, b: 1}", '- a: 1\n  "\\x61": 2', "a:\na:\n"]
    )
    def test_a_key_given_twice_is_refused(self, text: str) -> None:
        assert code(text) == ("duplicate-key", 400)

    @pytest.mark.parametrize(
        "text", ["1: a", "true: a", "null: a", "~: a", "? \n: a", "1.5: a", "? [a]\n: b", "a: {{b: c}: d}"]
    )
    def test_a_key_must_be_a_string(self, text: str) -> None:
        error = refusal(text)
        assert error.code in {"non-string-key", "unrendered-template"}

    def test_a_quoted_or_word_key_is_a_string(self) -> None:
        assert read_document(b"'1': a\nyes: b\n012x: c") == {"1": "a", "yes": "b", "012x": "c"}

    @pytest.mark.parametrize(
        "text", [f"a: [{CANARY}", f"a: '{CANARY}", f"a: {CANARY}: b", f"a:\n\t- {CANARY}", f"@{CANARY}"]
    )
    def test_a_malformed_document_is_located_but_not_quoted(self, text: str) -> None:
        error = refusal(text)
        assert (error.code, error.status) == ("malformed-yaml", 400)
        assert "(line " in str(error)

    def test_characters_yaml_forbids_are_refused(self) -> None:
        assert code(f"a: {CANARY}\x01") == ("malformed-yaml", 400)

    @pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 300])
    def test_deep_nesting_is_refused(self, depth: int) -> None:
        assert code(nested_yaml(depth)) == ("too-deep", 422)

    def test_nesting_up_to_the_bound_is_read(self) -> None:
        value = read_document(nested_yaml(MAX_DEPTH).encode())
        for _ in range(MAX_DEPTH):
            value = value["a"]
        assert value == 1

    @pytest.mark.parametrize("unit", ["[", "{", "- ", "? ", "a: [", "a: {", "[[{", "- ? ", "&a ", "*a ", "! ", "|\n"])
    def test_200_kilobytes_of_an_opening_are_refused(self, unit: str) -> None:
        assert refusal(unit * (200_000 // len(unit))).status in {400, 413, 422}
        assert refusal("x: " + unit * (200_000 // len(unit))).status in {400, 413, 422}

    def test_more_nodes_than_the_bound_are_refused(self) -> None:
        assert code("- a\n" * (MAX_EVENTS + 1)) == ("too-large", 413)


@pytest.mark.parametrize(
    "text",
    [
        '{"family": {{ must_env "FAMILY" }}}',
        '[{"cpu": ${fargate_cpu}}]',
        '{"image": "a", {% if x %} "b": 1 {% endif %}}',
        "{{- $x := 1 }}\nfamily: web",
        "family: {{ .Values.family }}",
        'family: "a"\n{% if x %}\ncpu: 1\n{% endif %}',
        "cpu: <+pipeline.variables.cpu>: 1",
        'local env = std.extVar("env");\n{\n  family: env,\n}',
        "{ family: std.extVar('family') }",
        '{"family": $family, "cpu": 1}',
        '.containerDefinitions[0].image = "web"',
        "<% if x %>",
    ],
)
def test_the_source_of_a_template_is_named_as_one(text: str) -> None:
    error = refusal(text)
    assert (error.code, error.status) == ("unrendered-template", 422)
    assert "render it first" in str(error)


@pytest.mark.parametrize("text", ['{"image": "a:${TAG}" "b": 1}', "{'a': 'b'}", "a: [b", "pwn.js: ["])
def test_a_slip_is_not_taken_for_a_template(text: str) -> None:
    assert refusal(text).status == 400


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode(errors="surrogatepass")))
@example(b"\xff\xfe")
@example(b"- ?\n- :")
@example(b'{"a":"\\ud800"}')
def test_arbitrary_bytes_are_read_or_refused(data: bytes) -> None:
    error = error_of(data)
    if error:
        assert error.status in {400, 413, 422}
        assert error.__context__ is None


@given(
    st.text("[]{}-:?,&*!|>'\"%@`#\n <$+.0123456789etrunl~=x", max_size=60),
    st.text("[]{}-:?,&*!|>'\"%@`#\n <$+.", max_size=60),
)
def test_no_error_repeats_what_was_sent(before: str, after: str) -> None:
    error = error_of((before + CANARY + after).encode())
    if error:
        assert CANARY not in "".join(traceback.format_exception(error.with_traceback(None)))
