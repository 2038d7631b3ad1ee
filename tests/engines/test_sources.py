"""Sources of policies: what a folder or a bundle says, what layers make of each other, and where a part came from."""

from __future__ import annotations

import contextlib
import gzip
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_admission.engines.archives import MAX_ARCHIVE_BYTES, read_archive
from ecs_admission.engines.sources import Origin, Sources, lay_over, read_sources
from ecs_admission.errors import PolicyError
from ecs_admission.model import JSONObject
from tests.engines.layers import Files, bundle, folder, member, rule
from tests.project.samples import unhurried

Read = Callable[[Files], Sources]


@pytest.fixture(params=["folder", "bundle"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Files], Path]:
    """Puts files where policies can be read from, in either form."""

    def make(files: Files) -> Path:
        if request.param == "folder":
            return folder(tmp_path / "policies", files)
        return bundle(tmp_path / "policies.tar.gz", files)

    return make


def refusal(path: Path) -> str:
    with pytest.raises(PolicyError) as caught:
        read_sources(path)
    assert caught.value.__cause__ is None
    return str(caught.value)


class TestReading:
    def test_a_file_says_something_of_the_place_that_its_folder_names(self, place: Callable[[Files], Path]) -> None:
        sources = read_sources(
            place(
                {
                    "config/words/data.yaml": "# Words.\nsecret: [a, b]\n",
                    "config/kinds/data.json": '{"harmless": ["x"]}',
                    "config/accounts/data.yml": "'111122223333': prod\n",
                    "exceptions/data.yaml": "items: []\n",
                    "data.yaml": "own: {a: 1}\n",
                }
            )
        )
        assert sources.data == {
            "config": {
                "words": {"secret": ["a", "b"]},
                "kinds": {"harmless": ["x"]},
                "accounts": {"111122223333": "prod"},
            },
            "exceptions": {"items": []},
            "own": {"a": 1},
        }
        assert (dict(sources.rego), sources.capabilities) == ({}, None)

    def test_rego_is_kept_and_what_is_no_source_is_left_out(self, place: Callable[[Files], Path]) -> None:
        files = rule("own/some", "true")
        (name,) = files
        others = {
            name.replace(".rego", "_test.rego"): "package x_test\n",
            "admission/rules/own/some/examples.yaml": "- a: 1\n",
            "README.md": "# Notes\n",
            "config/words/words.yaml": "secret: [x]\n",
            "schemas/input.json": "{}",
            "capabilities.json": "{}",
            "config/capabilities.json": "no capabilities",
            ".manifest": "{}",
        }
        sources = read_sources(place({**files, **others}))
        assert {path: content.decode() for path, content in sources.rego.items()} == files
        assert (sources.data, sources.capabilities) == ({}, b"{}")

    @pytest.mark.parametrize("content", ["# Nothing yet.\n", "", "~\n", "{}\n", "---\n"])
    def test_a_file_of_comments_alone_says_nothing_and_is_no_mistake(
        self, place: Callable[[Files], Path], content: str
    ) -> None:
        assert read_sources(place({"exceptions/data.yaml": content})).data == {"exceptions": {}}

    @pytest.mark.parametrize("files", [{}, {"README.md": "# Notes\n"}, {"capabilities.json": "{}"}])
    def test_a_place_without_policies_is_a_mistake(self, place: Callable[[Files], Path], files: Files) -> None:
        path = place(files)
        assert refusal(path) == f"{path}: holds no rule and no data"

    def test_a_place_that_is_not_there_is_a_mistake(self, tmp_path: Path) -> None:
        with pytest.raises(PolicyError, match="cannot read none: No such file or directory"):
            read_sources(tmp_path / "none")

    def test_a_bundle_that_opa_built_holds_what_the_build_made_and_is_read_without_it(self, tmp_path: Path) -> None:
        data = '{"catalogue": {"rules": {}}, "revision": {"id": "x"}, "config": {"a": [1]}}'
        sources = read_sources(bundle(tmp_path / "x.tar.gz", {"data.json": data, ".manifest": "{}"}))
        assert sources.data == {"config": {"a": [1]}}

    @pytest.mark.parametrize("name", ["catalogue", "revision", "catalogue/rules"])
    def test_what_the_build_makes_has_no_file(self, place: Callable[[Files], Path], name: str) -> None:
        path = place({f"{name}/data.yaml": "id: x\n"})
        expected = "the build makes catalogue and revision; your data needs another name"
        assert refusal(path) == f"{path}/{name}/data.yaml: {expected}"

    @pytest.mark.parametrize(
        ("file", "content"),
        [
            ("admission/rules/plaintext/environment/data.yaml", "findings: []\n"),
            ("admission/data.json", "{}"),
            ("data.yaml", "admission: {lib: {}}\n"),
        ],
    )
    def test_data_does_not_stand_in_the_place_of_rules(
        self, place: Callable[[Files], Path], file: str, content: str
    ) -> None:
        path = place({file: content})
        assert refusal(path) == f"{path}/{file}: admission is where rules are; your data needs another name"

    @pytest.mark.parametrize(
        ("file", "content", "told"),
        [
            ("a/data.yaml", b"x: [1\n", ": The document is not valid YAML (line 2, column 1)."),
            ("a/data.yaml", b"x: 1\nx: 2\n",
             ": A mapping holds one key twice (line 2, column 1): remove one of them."),
            ("a/data.yaml", b"x: &a 1\n",
             ": The YAML has an anchor (line 1, column 4), which is not read: write plain values, in one document."),
            ("a/data.yaml", b"1: x\n", ": A key is no string (line 1, column 1): quote it."),
            ("a/data.yaml", b"x: \xff\n", ": is not UTF-8"),
            ("a/data.json", b'{"x": 1,\n "y": }', ": The document is not valid JSON (line 2, column 7)."),
            ("a/data.json", b'{"x": 1, "x": 2}', ": An object holds one key twice: which counts is left open."),
            ("a/data.json", b"[" * 100_000, ": The document is nested more than 64 levels deep."),
            ("a/data.json", b'{"x": 99999999999999999999}',
             ": An integer has more than 18 digits: write it as a string."),
            ("data.yaml", b"- 1\n", ": expected a mapping"),
            ("data.json", b'"x"', ": expected a mapping"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_read_is_told_with_its_file(
        self, place: Callable[[Files], Path], file: str, content: bytes, told: str
    ) -> None:
        path = place({file: content})
        assert refusal(path) == f"{path}/{file}{told}"

    @pytest.mark.parametrize(
        ("files", "second", "key"),
        [
            ({"a/data.yaml": "x: 1\n", "a/data.json": '{"x": 2}'}, "a/data.yaml", "x"),
            ({"data.yaml": "a: {x: 1}\n", "a/data.yaml": "x: 1\n"}, "data.yaml", "x"),
            ({"a/data.yaml": "b: 5\n", "a/b/data.yaml": "x: 1\n"}, "a/data.yaml", "b"),
            ({"a/data.yaml": "[1]\n", "a/b/data.yaml": "x: 1\n"}, "a/data.yaml", "a"),
        ],
    )
    def test_two_files_do_not_say_different_things_of_one_place(
        self, place: Callable[[Files], Path], files: Files, second: str, key: str
    ) -> None:
        path = place(files)
        assert refusal(path) == f"{path}/{second}: another file says what {key} is"

    def test_two_files_may_each_say_a_part(self, place: Callable[[Files], Path]) -> None:
        files = {"data.yaml": "a: {x: {m: 1}}\n", "a/data.yaml": "y: 2\n", "a/x/data.json": '{"n": 3}'}
        assert read_sources(place(files)).data == {"a": {"x": {"m": 1, "n": 3}, "y": 2}}

    def test_a_name_that_cannot_be_shown_is_refused(self, tmp_path: Path) -> None:
        path = folder(tmp_path / "policies", {"con\nfig/data.yaml": "a: 1\n"})
        assert refusal(path) == f"{path}: a file's name has characters that cannot be shown"


class TestFolders:
    def test_links_are_followed_as_kubernetes_makes_them(self, tmp_path: Path) -> None:
        """A mounted ConfigMap: a hidden folder that is replaced as a whole, and links through a link to it."""
        place = folder(tmp_path / "policies", {"..2026_01/config/words/data.yaml": "secret: [a]\n"})
        (place / "..data").symlink_to("..2026_01")
        (place / "config").symlink_to("..data/config")
        assert read_sources(place).data == {"config": {"words": {"secret": ["a"]}}}

    def test_a_linked_file_and_a_linked_place_are_read(self, tmp_path: Path) -> None:
        kept = folder(tmp_path / "kept", {"data.yaml": "a: 1\n"})
        place = folder(tmp_path / "policies", {})
        (place / "data.yaml").symlink_to(kept / "data.yaml")
        (tmp_path / "current").symlink_to(place)
        assert read_sources(tmp_path / "current").data == {"a": 1}

    def test_what_is_hidden_is_left_out(self, tmp_path: Path) -> None:
        files = {".git/data.yaml": "x: 1\n", ".x/admission/x.rego": "package x\n", "a/data.yaml": "y: 1\n"}
        sources = read_sources(folder(tmp_path / "policies", files))
        assert (sources.data, dict(sources.rego)) == ({"a": {"y": 1}}, {})

    @pytest.mark.parametrize("target", ["..", ".", "../b"])
    def test_links_in_a_circle_end(self, tmp_path: Path, target: str) -> None:
        place = folder(tmp_path / "policies", {"a/data.yaml": "x: 1\n", "b/data.yaml": "x: 1\n"})
        (place / "a" / "loop").symlink_to(target)
        (place / "b" / "loop").symlink_to("../a")
        assert refusal(place).endswith(": is a link to a folder that is read already")

    def test_a_broken_link_is_not_passed_over(self, tmp_path: Path) -> None:
        place = folder(tmp_path / "policies", {"a/data.yaml": "x: 1\n"})
        (place / "b").mkdir()
        (place / "b" / "data.yaml").symlink_to("nowhere")
        assert refusal(place) == f"{place}/b/data.yaml: cannot be read: No such file or directory"

    def test_what_is_no_file_is_not_waited_for(self, tmp_path: Path) -> None:
        place = folder(tmp_path / "policies", {})
        os.mkfifo(place / "data.yaml")
        assert refusal(place) == f"{place}/data.yaml: is no regular file"

    def test_a_folder_that_cannot_be_looked_into_is_not_passed_over(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        place = folder(tmp_path / "policies", {"a/data.yaml": "x: 1\n", "b/data.yaml": "y: 1\n"})
        scandir = os.scandir

        def closed(path: Any) -> Any:
            if os.fspath(path).endswith("/b"):
                raise PermissionError(13, "Permission denied", os.fspath(path))
            return scandir(path)

        monkeypatch.setattr(os, "scandir", closed)
        assert refusal(place) == f"{place}/b: cannot be read: Permission denied"


class TestHostileArchives:
    def read(self, tmp_path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> dict[str, bytes]:
        return read_archive(bundle(tmp_path / "x.tar.gz", members))

    @pytest.mark.parametrize("prefix", ["", "/", "./"])
    def test_files_are_known_by_their_path_in_it(self, tmp_path: Path, prefix: str) -> None:
        members = [member(f"{prefix}a", type=tarfile.DIRTYPE), member(f"{prefix}a/data.json", "{}")]
        assert self.read(tmp_path, *members) == {"a/data.json": b"{}"}

    @pytest.mark.parametrize(
        "name",
        ["../x.rego", "a/../../x.rego", "/../x.rego", "//x.rego", "a//x.rego", "a/./x.rego", "..", "a/..",
         "a\n.rego", "a\x1b[2J.rego", "\udcff.rego"],
    )  # fmt: skip
    def test_a_name_that_leads_out_of_it_is_refused(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(PolicyError, match="a name that leads out of it or cannot be shown") as caught:
            self.read(tmp_path, member(name, "package x"))
        assert str(caught.value).isprintable()

    @pytest.mark.parametrize(
        "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE], ids=repr
    )
    def test_what_is_neither_file_nor_folder_is_refused(self, tmp_path: Path, kind: bytes) -> None:
        linked = member("a/data.json", type=kind, linkname="/etc/passwd")
        with pytest.raises(PolicyError, match="something other than files and folders"):
            self.read(tmp_path, member("data.json", "{}"), linked)

    def test_a_file_that_claims_to_be_sparse_is_not_filled_up(self, tmp_path: Path) -> None:
        """A few bytes of archive would become as many as they claim."""
        sparse = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(1 << 40)}
        huge = member("data.json", b"1\n0\n1\n" + b"\0" * 506, pax_headers=sparse | {"GNU.sparse.name": "data.json"})
        path = bundle(tmp_path / "x.tar.gz", [huge])
        with tarfile.open(path) as archive:
            (found,) = archive
            assert (found.issparse(), found.size) == (True, 1 << 40)
        with pytest.raises(PolicyError, match="something other than files and folders"):
            read_archive(path)

    def test_a_file_that_is_there_twice_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(PolicyError, match=r"has data\.json twice"):
            self.read(tmp_path, member("data.json", "{}"), member("/data.json", '{"x": 1}'))

    def test_what_unpacks_to_too_much_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(PolicyError, match="larger than 64 MiB"):
            self.read(tmp_path, member("data.json", b"\0" * (MAX_ARCHIVE_BYTES + 1)))

    @pytest.mark.parametrize("content", [b"", b"text", b"\x1f\x8b", b"\x1f\x8b\x08\0" + b"\xff" * 64, b"\0" * 2048])
    def test_what_is_no_archive_is_refused(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "x.tar.gz"
        path.write_bytes(content)
        with pytest.raises(PolicyError, match="the policy pack is damaged"):
            read_archive(path)

    @unhurried
    @given(offset=st.integers(0, 1023), byte=st.integers(0, 255))
    def test_whatever_a_header_says_it_is_read_or_refused(
        self, tmp_path_factory: pytest.TempPathFactory, offset: int, byte: int
    ) -> None:
        place = tmp_path_factory.mktemp("tar")
        bundle(place / "x.tar.gz", {"data.json": "{}"})
        raw = bytearray(gzip.decompress((place / "x.tar.gz").read_bytes()))
        raw[offset] = byte
        (place / "x.tar.gz").write_bytes(gzip.compress(bytes(raw)))
        with contextlib.suppress(PolicyError):
            read_archive(place / "x.tar.gz")


def data(value: JSONObject, name: str = "l") -> Sources:
    """Sources of data alone, with an origin for each part."""
    origins: dict[tuple[str | int, ...], Origin] = {}

    def walk(part: Any, path: tuple[str | int, ...]) -> None:
        origins[path] = Origin(name, path, "")
        items = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
        for key, inner in items:
            walk(inner, (*path, key))

    walk(value, ())
    return Sources({}, value, origins)


def laid(*layers: JSONObject) -> JSONObject:
    return lay_over([data(layer) for layer in layers]).data


class TestLayers:
    @pytest.mark.parametrize(
        ("below", "above", "expected"),
        [
            ({"a": {"x": 1}}, {"a": {"y": 2}}, {"a": {"x": 1, "y": 2}}),
            ({"a": {"x": 1}}, {"a": {"x": 2}}, {"a": {"x": 2}}),
            ({"a": ["x"]}, {"a": ["y"]}, {"a": ["x", "y"]}),
            ({"a": ["x", "y"]}, {"a": ["y", "x", "z"]}, {"a": ["x", "y", "z"]}),
            ({"a": ["x"]}, {"a": []}, {"a": ["x"]}),
            ({"a": [{"id": 1}]}, {"a": [{"id": 1}, {"id": 2}]}, {"a": [{"id": 1}, {"id": 2}]}),
            ({"a": "x"}, {"a": ["y"]}, {"a": ["y"]}),
            ({"a": ["x"]}, {"a": "y"}, {"a": "y"}),
            ({"a": ["x"]}, {"a": None}, {"a": None}),
            ({"a": {"x": 1}}, {"a": {}}, {"a": {"x": 1}}),
            ({}, {"b": [1]}, {"b": [1]}),
            ({"a": [1, 2, 3]}, {"removals": {"a": [2]}}, {"a": [1, 3]}),
            ({"a": [1, 2]}, {"removals": {"a": [1]}, "a": [1]}, {"a": [2, 1]}),
            ({"a": {"b": ["x", "y"], "c": ["x"]}}, {"removals": {"a": {"b": ["x"]}}}, {"a": {"b": ["y"], "c": ["x"]}}),
            ({"a": [{"id": 1}]}, {"removals": {"a": [{"id": 1}]}}, {"a": []}),
            ({"a": [1]}, {"removals": {}}, {"a": [1]}),
        ],
    )
    def test_mappings_merge_lists_grow_and_values_are_replaced(
        self, below: JSONObject, above: JSONObject, expected: JSONObject
    ) -> None:
        assert laid(below, above) == expected

    @pytest.mark.parametrize(
        ("removals", "told"),
        [
            ({"a": [9]}, "removals/a/0: an item is not there to be removed"),
            ({"a": [1, 9]}, "removals/a/1: an item is not there to be removed"),
            ({"b": [1]}, "removals/b: b is not there to be removed"),
            ({"m": {"y": [1]}}, "removals/m/y: y is not there to be removed"),
            ({"a": {"x": [1]}}, "removals/a: only items of lists can be removed"),
            ({"a": 1}, "removals/a: only items of lists can be removed"),
            ({"m": ["x"]}, "removals/m: only items of lists can be removed"),
            ({"m": {"x": "v"}}, "removals/m/x: only items of lists can be removed"),
            ([1], "removals: only items of lists can be removed"),
        ],
    )
    def test_what_cannot_be_removed_is_an_error(self, removals: Any, told: str) -> None:
        above = Sources({}, {"removals": removals}, {})
        with pytest.raises(PolicyError) as caught:
            lay_over([data({"a": [1, 2], "m": {"x": "v"}}), above])
        assert str(caught.value) == told

    def test_layers_below_are_as_they_were(self) -> None:
        below, above = {"a": {"l": [1], "m": {"x": 1}}}, {"a": {"l": [2], "m": {"y": 1}}, "removals": {"a": {"l": [1]}}}
        laid(below, above)
        assert below == {"a": {"l": [1], "m": {"x": 1}}}
        assert above == {"a": {"l": [2], "m": {"y": 1}}, "removals": {"a": {"l": [1]}}}

    def test_a_later_layer_has_the_last_word(self) -> None:
        first, second, third = {"a": "x", "l": [1]}, {"a": "y", "l": [2]}, {"a": "z", "removals": {"l": [2]}}
        assert laid(first, second, third) == {"a": "z", "l": [1]}
        assert laid(first, second) == {"a": "y", "l": [1, 2]}

    def test_each_part_is_known_by_the_layer_that_it_came_from(self) -> None:
        below = data({"a": {"l": ["x"], "m": {"k": 1}}}, "below")
        above = data({"a": {"l": ["x", "y"], "m": {"k": 2, "n": 3}}}, "above")
        origins = lay_over([below, above]).origins
        assert {path: origins[path].file for path in origins if path[:2] in (("a", "l"), ("a", "m"))} == {
            ("a", "l"): "above",
            ("a", "l", 0): "below",
            ("a", "l", 1): "above",
            ("a", "m"): "above",
            ("a", "m", "k"): "above",
            ("a", "m", "n"): "above",
        }
        assert origins[("a", "l", 1)].path == ("a", "l", 1)

    def test_an_item_that_moved_keeps_its_place_in_its_file(self) -> None:
        above = Sources({}, {"l": ["x", "y"]}, {("l", 1): Origin("f", ("l", 1), "")})
        merged = lay_over([data({"l": ["x", "a", "b"]}, "below"), above])
        assert merged.data == {"l": ["x", "a", "b", "y"]}
        assert (merged.origins[("l", 3)].file, merged.origins[("l", 3)].path) == ("f", ("l", 1))

    values = st.recursive(
        st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from("xy"),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
        max_leaves=8,
    )
    documents = st.dictionaries(st.sampled_from("abc"), values, max_size=3)

    @unhurried
    @given(below=documents, above=documents)
    def test_a_layer_is_laid_over_once(self, below: JSONObject, above: JSONObject) -> None:
        once = laid(below, above)
        assert laid(once, above) == once
        assert laid(below, {}) == below
        assert laid({}, above) == above

    @unhurried
    @given(below=documents, above=documents)
    def test_every_part_of_two_layers_has_an_origin(self, below: JSONObject, above: JSONObject) -> None:
        merged = lay_over([data(below), data(above)])
        expected = data(merged.data)
        assert merged.origins.keys() - {()} == expected.origins.keys() - {()}


class TestRegoOfLayers:
    def layers(self, tmp_path: Path, *layers: Files) -> Sources:
        return lay_over([read_sources(folder(tmp_path / str(n), files)) for n, files in enumerate(layers)])

    def test_rules_add_up(self, tmp_path: Path) -> None:
        merged = self.layers(tmp_path, rule("a/one", "true"), rule("a/two", "true"), rule("b/one", "true"))
        assert merged.rego.keys() == {*rule("a/one", ""), *rule("a/two", ""), *rule("b/one", "")}

    def test_packages_of_its_own_are_a_layers_business(self, tmp_path: Path) -> None:
        own = {"org/lib.rego": "# Ours.\n\npackage org.lib # here\n\nx := 1\n"}
        assert "org/lib.rego" in self.layers(tmp_path, rule("a/one", "true"), {**rule("a/two", "true"), **own}).rego

    def test_a_file_that_is_there_is_not_overwritten(self, tmp_path: Path) -> None:
        (name,) = rule("a/one", "")
        with pytest.raises(PolicyError) as caught:
            self.layers(tmp_path, rule("a/one", "true"), rule("a/one", "false"))
        assert str(caught.value) == f"{name} is there already: give a rule of your own an id of its own"

    @pytest.mark.parametrize(
        "text",
        [
            "package admission.rules.a.one\n",
            'package admission.rules.a["one"]\n',
            'package admission["rules"]["a"]["one"].more\n',
            "# Comment\n\t\n# package org\n  package admission.rules.a.one # x\n",
            "package admission.rules.a.one",
        ],
    )
    def test_a_rule_that_is_there_gets_no_further_body(self, tmp_path: Path, text: str) -> None:
        """Under another name, the file would give the rule's own helpers and sets more bodies."""
        with pytest.raises(PolicyError) as caught:
            self.layers(tmp_path, rule("a/one", "true"), {"x/more.rego": text})
        assert str(caught.value) == "x/more.rego: rule a/one is there already: give yours an id of its own"

    @pytest.mark.parametrize(
        "package",
        ["admission", "admission.lib", "admission.lib.literals", "admission.main", "admission.rules",
         "admission.rules.new", 'admission["lib"].literals', "admission.library"],
    )  # fmt: skip
    def test_what_rules_share_is_not_for_a_layer(self, tmp_path: Path, package: str) -> None:
        with pytest.raises(PolicyError, match=r"x\.rego: package .* is not for a layer: rules are admission\.rules"):
            self.layers(tmp_path, rule("a/one", "true"), {"x.rego": f"package {package}\n"})

    @pytest.mark.parametrize("package", ["config.kinds", "config", "exceptions", "revision", "catalogue.rules"])
    def test_rego_does_not_stand_in_the_place_of_data(self, tmp_path: Path, package: str) -> None:
        """Policies would read it, and nothing that compares data would see it."""
        below = {"config/kinds/data.yaml": "harmless: []\n", "exceptions/data.yaml": "items: []\n"}
        with pytest.raises(PolicyError, match=r"x\.rego: package .* stands in the place of data"):
            self.layers(tmp_path, below, {"x.rego": f"package {package}\n"})

    @pytest.mark.parametrize(
        "text",
        ["", "# package org\n", "package\norg\n", "package org; x := 1\n", "import data.x\npackage org\n",
         'package org["\\u0061"]\n', "package org[`a`]\n", "package org .a\n", "\ufeffpackage org\n",
         "package \u00e4\n"],
    )  # fmt: skip
    def test_a_package_that_is_not_written_plainly_is_refused(self, tmp_path: Path, text: str) -> None:
        with pytest.raises(PolicyError, match=r"x\.rego: its package cannot be read"):
            self.layers(tmp_path, rule("a/one", "true"), {"x.rego": text})

    @pytest.mark.parametrize(("content", "is_refused"), [("{}", False), ("{} ", True)])
    def test_what_may_be_called_is_not_for_a_layer_to_say(self, tmp_path: Path, content: str, is_refused: bool) -> None:
        below, above = {**rule("a/one", "true"), "capabilities.json": "{}"}, {"a/data.yaml": "x: 1\n"}
        if is_refused:
            with pytest.raises(PolicyError, match=r"capabilities\.json: what policies may call is not for a layer"):
                self.layers(tmp_path, below, {**above, "capabilities.json": content})
        else:
            assert self.layers(tmp_path, below, {**above, "capabilities.json": content}).capabilities == b"{}"


class TestDigest:
    def digest(self, tmp_path: Path, files: Files) -> str:
        place = folder(tmp_path / str(len(list(tmp_path.iterdir()))), files)
        return read_sources(place).digest

    def test_everything_that_can_change_a_verdict_is_in_it(self, tmp_path: Path) -> None:
        base: Files = {**rule("a/one", "true"), "a/data.yaml": "x: [1, 2]\n", "capabilities.json": "{}"}
        (name,) = rule("a/one", "")
        changes: list[Files] = [
            base,
            {**base, **rule("a/one", "false")},
            {**base, **rule("a/two", "true")},
            {**base, "a/data.yaml": "x: [2, 1]\n"},
            {**base, "a/data.yaml": "x: ['1', 2]\n"},
            {**base, "a/data.yaml": "y: [1, 2]\n"},
            {**base, "b/data.yaml": "x: 1\n"},
            {**base, "capabilities.json": "{ }"},
            {key: value for key, value in base.items() if key != "capabilities.json"},
            {key: value for key, value in base.items() if key != name},
        ]
        assert len({self.digest(tmp_path, files) for files in changes}) == len(changes)

    def test_nothing_else_is(self, tmp_path: Path) -> None:
        base: Files = {"a/data.yaml": "x: [1]\ny: {m: 1, n: 2}\n"}
        same: list[Files] = [
            base,
            {"a/data.yaml": "# Comment\ny: {n: 2, m: 1}\nx:\n  - 1\n"},
            {"a/data.json": '{"y": {"m": 1, "n": 2}, "x": [1]}'},
            {"data.yaml": "a: {x: [1], y: {m: 1, n: 2}}\n"},
            {**base, "README.md": "x", "a/a_test.rego": "package a_test\n"},
        ]
        assert len({self.digest(tmp_path, files) for files in same}) == 1


class TestPlaces:
    """Where a mistake is, as an author looks for it."""

    TEXT = """# A comment.
first: 1
"quoted": {inner: 2}
list:
  # Another comment.
  - a
  -   - b
      - c

deep:
  deeper:
    - name: x
      value: y
"111122223333": prod
"""

    @pytest.mark.parametrize(
        ("path", "line"),
        [
            ((), 2),
            (("first",), 2),
            (("quoted",), 3),
            (("quoted", "inner"), 3),
            (("list",), 4),
            (("list", 0), 6),
            (("list", 1), 7),
            (("list", 1, 1), 8),
            (("deep", "deeper", 0, "value"), 13),
            (("111122223333",), 14),
            (("deep", "none"), 10),
            (("list", 7), 4),
        ],
    )
    def test_the_line_is_that_on_which_the_part_begins(self, path: tuple[str | int, ...], line: int) -> None:
        assert Origin("data.yaml", path, self.TEXT).line == line

    @pytest.mark.parametrize("file", ["data.json", "x/data.json"])
    def test_json_has_no_lines(self, file: str) -> None:
        assert Origin(file, ("a",), '{"a": 1}').line is None

    def test_a_file_of_comments_has_no_line(self) -> None:
        assert Origin("data.yaml", ("a",), "# x\n").line is None

    def test_an_error_is_located_by_the_nearest_part_that_has_an_origin(self) -> None:
        text = "a:\n  b: 1\n"
        origin = Origin("f/data.yaml", ("a",), text)
        sources = Sources({}, {}, {("x", "a"): origin, ("x", "a", "b"): Origin("f/data.yaml", ("a", "b"), text)})
        located = [
            str(sources.locate(PolicyError("reason", at=at)))
            for at in (("x", "a", "b"), ("x", "a", "c", 0), ("y",), None)
        ]
        assert located == ["f/data.yaml:2: reason", "f/data.yaml:1: reason", "y: reason", "reason"]
