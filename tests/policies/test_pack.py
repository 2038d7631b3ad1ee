"""The pack that ships is the one that `policies/` gives, and nothing that could mislead a judge becomes a pack."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from ecs_admission.catalogue import SEVERITIES
from ecs_admission.engines.build import build_pack
from ecs_admission.engines.embedded import EmbeddedEngine
from ecs_admission.engines.pack import OPA_ARTEFACT, WASM_ARTEFACT, Pack, load_pack
from ecs_admission.engines.sources import read_sources
from ecs_admission.errors import PolicyError
from ecs_admission.governance import read_governance
from tests.engines.opa_server import opa_program
from tests.policies.examples import POLICIES

SHIPPED = Path(__file__).parents[2] / "service" / "ecs_admission" / "pack"
RULE = Path("admission/rules/bounds/exceeded/exceeded.rego")

METADATA = """# METADATA
# title: Some rule
# description: Some text.
# related_resources:
#   - ref: https://example.com/
# custom:
#   why: Some reason.
#   severity: high
#   action: deny
#   message: some message
#   remediation: Some remedy.
"""

SECRETLY = {
    "the environment of the process": 'opa.runtime().env.HOME != ""',
    "the environment, called by another spelling": 'opa["runtime"]().env.HOME != ""',
    "the environment, in place of a built-in": "count(numbers.range(1, 2)) > 0 with numbers.range as opa.runtime",
    "the network": 'http.send({"method": "GET", "url": "http://127.0.0.1/"}).status_code == 200',
    "a name service": 'net.lookup_ip_addr("example.com") != set()',
    "the clock": "time.now_ns() > 0",
    "the clock, in place of the environment": "time.now_ns() > 0 with time.now_ns as opa.runtime",
    "chance": 'rand.intn("seed", 2) == 1',
    "text of a caller's making": 'sprintf("%s", [input.request.uid]) != ""',
    "a trace": 'trace("x")',
    "a built-in that only OPA has": 'regex.replace("a", "b", "c") != ""',
}

UNSAFE = {
    "http.send", "net.lookup_ip_addr", "opa.runtime", "time.now_ns", "rand.intn", "uuid.rfc4122", "sprintf", "trace",
    "print", "rego.parse_module", "json.patch", "io.jwt.decode_verify", "crypto.hmac.sha256", "regex.replace",
}  # fmt: skip


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    """A copy of `policies/` to change."""
    return Path(shutil.copytree(POLICIES, tmp_path / "policies"))


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pack of `policies/` as it is now."""
    folder = tmp_path_factory.mktemp("built")
    build_pack(read_sources(POLICIES), folder, opa=opa_program())
    return folder


def build(policies: Path) -> Pack:
    output = policies.parent / "pack"
    build_pack(read_sources(policies), output, opa=opa_program())
    return load_pack(output)


def add_rule(policies: Path, body: str, *, metadata: str = METADATA, rule: str = "extra/some_rule") -> None:
    name = rule.rpartition("/")[2]
    folder = policies / "admission" / "rules" / rule
    folder.mkdir(parents=True)
    package = f"package admission.rules.{rule.replace('/', '.')}\n\n"
    (folder / f"{name}.rego").write_text(metadata + package + f'findings contains {{"at": ""}} if {body}\n')


def members(artefact: Path) -> dict[str, bytes]:
    """What is in an artefact, by the path below the folder that it was built in."""
    with tarfile.open(artefact) as archive:
        return {
            member.name.rpartition("/stage/")[2].lstrip("/"): archive.extractfile(member).read()  # type: ignore[union-attr]
            for member in archive
        }


def rewrite(source: Path, target: Path, change: Callable[[dict[str, bytes]], object]) -> None:
    """Copy an artefact with other contents."""
    content = members(source)
    change(content)
    with tarfile.open(target, "w:gz") as archive:
        for name, data in content.items():
            entry = tarfile.TarInfo("/" + name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))


@pytest.mark.opa
class TestShipped:
    """The committed artefacts."""

    @pytest.mark.parametrize("name", [OPA_ARTEFACT, WASM_ARTEFACT])
    def test_the_pack_that_ships_is_what_policies_give(self, name: str, built: Path) -> None:
        stale = "the pack that ships is not what policies/ gives: `make pack` rebuilds it"
        assert (built / name).read_bytes() == (SHIPPED / name).read_bytes(), stale

    def test_the_same_sources_give_the_same_bytes_wherever_they_are(self, policies: Path, built: Path) -> None:
        moved = policies.rename(policies.with_name("somewhere-else"))
        build(moved)
        for name in (OPA_ARTEFACT, WASM_ARTEFACT):
            assert (moved.parent / "pack" / name).read_bytes() == (built / name).read_bytes()

    def test_the_bundle_for_opa_servers_has_no_wasm(self) -> None:
        assert "policy.wasm" not in members(SHIPPED / OPA_ARTEFACT)

    def test_no_test_example_or_note_is_in_it(self) -> None:
        for name in (OPA_ARTEFACT, WASM_ARTEFACT):
            assert [path for path in members(SHIPPED / name) if "_test" in path or "example" in path] == []

    def test_a_file_that_is_no_source_changes_nothing(self, policies: Path, built: Path) -> None:
        (policies / "admission" / "rules" / "bounds" / "exceeded" / "other_test.rego").write_text("package x_test\n")
        (policies / "NOTES.md").write_text("# Notes\n")
        assert build(policies).revision == load_pack(built).revision

    def test_every_rule_is_in_the_catalogue(self, pack: Pack) -> None:
        rules = POLICIES / "admission" / "rules"
        assert pack.catalogue.keys() == {path.relative_to(rules).as_posix() for path in rules.glob("*/*")}

    def test_every_change_of_source_or_data_is_another_revision(self, policies: Path, built: Path) -> None:
        seen = {load_pack(built).revision}
        changes = {
            RULE: "\n",
            Path("config/kinds/data.yaml"): "new: [a]\n",
            Path("config/profiles/data.yaml"): "mild: {}\n",
            Path("capabilities.json"): "\n",
        }
        for name, addition in changes.items():
            path = policies / name
            path.write_text(path.read_text() + addition)
            seen.add(build(policies).revision)
        assert len(seen) == 5

    def test_how_data_is_written_is_no_part_of_a_revision(self, policies: Path, built: Path) -> None:
        kinds = policies / "config" / "kinds" / "data.yaml"
        words = policies / "config" / "words" / "data.yaml"
        kinds.write_text("# Another comment.\n\n" + kinds.read_text())
        words.with_suffix(".json").write_text(json.dumps(yaml.safe_load(words.read_text())))
        words.unlink()
        assert build(policies).revision == load_pack(built).revision


@pytest.mark.opa
class TestCapabilities:
    """What a policy cannot call, however it writes it."""

    def test_a_rule_that_keeps_to_them_is_built_and_evaluated(self, policies: Path) -> None:
        add_rule(policies, "count(numbers.range(1, 2)) == 2")
        pack = build(policies)
        assert pack.catalogue["extra/some_rule"].link == "https://example.com/"
        engine = EmbeddedEngine(pack, threads=1, deadline_seconds=10)
        engine.close()

    @pytest.mark.parametrize("way", SECRETLY)
    def test_a_rule_that_reaches_out_is_refused(self, way: str, policies: Path) -> None:
        add_rule(policies, SECRETLY[way])
        with pytest.raises(PolicyError, match=r"some_rule\.rego:"):
            build(policies)

    def test_the_list_is_part_of_opas_and_has_nothing_unsafe(self) -> None:
        ours = orjson.loads((POLICIES / "capabilities.json").read_bytes())
        told = subprocess.run([opa_program(), "capabilities", "--current"], capture_output=True, check=True)
        opas = {builtin["name"]: builtin for builtin in json.loads(told.stdout)["builtins"]}
        assert {builtin["name"] for builtin in ours["builtins"]} & UNSAFE == set()
        assert opas.keys() >= UNSAFE - {"print"}, "a name in this test is not a built-in at all"
        assert [builtin for builtin in ours["builtins"] if opas.get(builtin["name"]) != builtin] == []
        assert [builtin["name"] for builtin in ours["builtins"] if builtin.get("nondeterministic")] == []
        assert ours["allow_net"] == []


@pytest.mark.opa
class TestRefusedSources:
    """Sources that do not become a pack, each with a reason that helps its author."""

    def test_a_rule_without_metadata(self, policies: Path) -> None:
        add_rule(policies, "true", metadata="")
        with pytest.raises(PolicyError, match="rule extra/some_rule: its package has no METADATA"):
            build(policies)

    @pytest.mark.parametrize("lacking", ["title", "description", "why", "message", "remediation", "severity", "action"])
    def test_a_rule_without_a_part_of_its_metadata(self, lacking: str, policies: Path) -> None:
        lines = METADATA.splitlines(keepends=True)
        metadata = "".join(line for line in lines if not line.lstrip("# ").startswith(f"{lacking}:"))
        add_rule(policies, "true", metadata=metadata)
        with pytest.raises(PolicyError, match=f"rule extra/some_rule: .*{lacking}"):
            build(policies)

    def test_a_rule_without_a_link(self, policies: Path) -> None:
        metadata = "".join(
            line for line in METADATA.splitlines(keepends=True) if "related" not in line and "ref:" not in line
        )
        add_rule(policies, "true", metadata=metadata)
        with pytest.raises(PolicyError, match="rule extra/some_rule: METADATA lacks link"):
            build(policies)

    @pytest.mark.parametrize(
        ("known", "unknown", "told"),
        [
            ("severity: high", "severity: terrible", ", ".join(SEVERITIES)),
            ("action: deny", "action: shout", "deny, warn, dryrun"),
        ],
    )
    def test_a_rule_with_an_unknown_word(self, known: str, unknown: str, told: str, policies: Path) -> None:
        add_rule(policies, "true", metadata=METADATA.replace(known, unknown))
        with pytest.raises(PolicyError, match=told):
            build(policies)

    def test_a_rule_with_a_key_that_nobody_reads(self, policies: Path) -> None:
        add_rule(policies, "true", metadata=METADATA + "#   remedation: Some remedy.\n")
        with pytest.raises(PolicyError, match="rule extra/some_rule: METADATA has other keys than action, controls, "):
            build(policies)

    @pytest.mark.parametrize(
        ("content", "place"),
        [("harmless: [empty", r"\(line 2, column 1\)"), ("harmless:\n  {a: b: c}", r"\(line 2, column 8\)")],
        ids=["open", "nested"],
    )
    def test_a_broken_data_file(self, content: str, place: str, policies: Path) -> None:
        path = policies / "config" / "kinds" / "data.yaml"
        path.write_text(content)
        with pytest.raises(PolicyError, match=f"^{path}: .*{place}"):
            build(policies)

    @pytest.mark.parametrize(
        "body",
        ["", "input.", "some x in input; y", "not_defined(input)", 'input.x == "'],
        ids=["empty", "open", "unsafe", "undefined", "unclosed"],
    )
    def test_a_rule_that_does_not_compile(self, body: str, policies: Path) -> None:
        add_rule(policies, body)
        with pytest.raises(PolicyError, match=r"some_rule\.rego:"):
            build(policies)

    def test_what_only_strict_mode_minds(self, policies: Path) -> None:
        add_rule(policies, "{ unused := 1 }")
        with pytest.raises(PolicyError, match="unused"):
            build(policies)

    def test_data_that_looks_like_a_rule(self, policies: Path) -> None:
        folder = policies / "admission" / "rules" / "extra" / "no_rule"
        folder.mkdir(parents=True)
        (folder / "data.yaml").write_text("findings: []\n")
        with pytest.raises(PolicyError, match="extra/no_rule"):
            build(policies)

    @pytest.mark.parametrize(
        ("name", "content"), [("catalogue", "rules: {plaintext/field: {action: dryrun}}"), ("revision", "id: forged")]
    )
    def test_data_in_the_place_of_what_is_generated(self, name: str, content: str, policies: Path) -> None:
        (policies / name).mkdir()
        (policies / name / "data.yaml").write_text(content)
        with pytest.raises(PolicyError, match=f"{name}/data.yaml: the build makes catalogue and revision"):
            build(policies)

    def test_no_rules(self, policies: Path) -> None:
        for path in (policies / "admission" / "rules").rglob("*.rego"):
            path.unlink()
        with pytest.raises(PolicyError, match="a pack without rules would allow everything"):
            build(policies)

    def test_no_capabilities(self, policies: Path) -> None:
        (policies / "capabilities.json").unlink()
        with pytest.raises(PolicyError, match=r"there is no capabilities\.json to say what policies may call"):
            build(policies)

    def test_a_pack_that_was_there_stays_when_sources_are_refused(self, policies: Path) -> None:
        pack = build(policies)
        add_rule(policies, "opa.runtime().x")
        with pytest.raises(PolicyError):
            build(policies)
        assert load_pack(policies.parent / "pack") == pack

    def test_no_program(self, tmp_path: Path) -> None:
        with pytest.raises(PolicyError, match="did not run"):
            build_pack(read_sources(POLICIES), tmp_path, opa=str(tmp_path / "no-opa"))


class TestRefusedPacks:
    """Artefacts that do not load."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """A copy of the pack that ships."""
        return Path(shutil.copytree(SHIPPED, tmp_path / "pack"))

    def edit_data(self, folder: Path, change: Callable[[Any], object]) -> None:
        """Change data.json of both artefacts."""

        def edit(content: dict[str, bytes]) -> None:
            data = orjson.loads(content["data.json"])
            change(data)
            content["data.json"] = orjson.dumps(data)

        for name in (OPA_ARTEFACT, WASM_ARTEFACT):
            rewrite(folder / name, folder / name, edit)

    def test_what_is_only_packed_again_loads(self, folder: Path, pack: Pack) -> None:
        self.edit_data(folder, lambda _: None)
        assert load_pack(folder) == pack

    @pytest.mark.parametrize("rules", [{}, None, [], "x"], ids=repr)
    def test_an_empty_catalogue(self, rules: object, folder: Path) -> None:
        self.edit_data(folder, lambda data: data["catalogue"].update(rules=rules))
        with pytest.raises(PolicyError, match="a pack without rules"):
            load_pack(folder)

    def test_no_catalogue(self, folder: Path) -> None:
        self.edit_data(folder, lambda data: data.pop("catalogue"))
        with pytest.raises(PolicyError, match="a pack without rules"):
            load_pack(folder)

    @pytest.mark.parametrize("forged", ["", None, "sha256:other"], ids=repr)
    def test_another_revision_in_its_data(self, forged: object, folder: Path) -> None:
        self.edit_data(folder, lambda data: data["revision"].update(id=forged))
        with pytest.raises(PolicyError, match="not of the revision"):
            load_pack(folder)

    @pytest.mark.parametrize("name", [OPA_ARTEFACT, WASM_ARTEFACT])
    def test_artefacts_of_two_revisions(self, name: str, folder: Path) -> None:
        def forge(content: dict[str, bytes]) -> None:
            content[".manifest"] = orjson.dumps(orjson.loads(content[".manifest"]) | {"revision": "sha256:other"})

        rewrite(folder / name, folder / name, forge)
        with pytest.raises(PolicyError, match="not of the revision"):
            load_pack(folder)

    @pytest.mark.parametrize("name", [OPA_ARTEFACT, WASM_ARTEFACT])
    def test_an_artefact_that_is_missing(self, name: str, folder: Path) -> None:
        (folder / name).unlink()
        with pytest.raises(PolicyError, match="No such file"):
            load_pack(folder)

    @pytest.mark.parametrize("member", ["data.json", ".manifest", "policy.wasm"])
    def test_a_member_that_is_missing(self, member: str, folder: Path) -> None:
        rewrite(folder / WASM_ARTEFACT, folder / WASM_ARTEFACT, lambda content: content.pop(member))
        with pytest.raises(PolicyError, match=member):
            load_pack(folder)

    @pytest.mark.parametrize("member", ["data.json", ".manifest"])
    @pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff"], ids=repr)
    def test_a_member_that_is_no_object(self, member: str, content: bytes, folder: Path) -> None:
        rewrite(folder / WASM_ARTEFACT, folder / WASM_ARTEFACT, lambda found: found.update({member: content}))
        with pytest.raises(PolicyError, match=member):
            load_pack(folder)

    DAMAGES: Mapping[str, Callable[[bytes], bytes]] = {
        "empty": lambda _: b"",
        "no gzip": lambda _: b"not an archive",
        "cut short": lambda content: content[: len(content) // 2],
        "gzip of no archive": lambda _: gzip.compress(b"\x01" * 2048),
    }

    @pytest.mark.parametrize("damage", DAMAGES)
    @pytest.mark.parametrize("name", [OPA_ARTEFACT, WASM_ARTEFACT])
    def test_a_damaged_archive(self, name: str, damage: str, folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(self.DAMAGES[damage](content))
        with pytest.raises(PolicyError):
            load_pack(folder)

    @pytest.mark.parametrize("name", [OPA_ARTEFACT, WASM_ARTEFACT])
    def test_a_bit_that_flipped(self, name: str, folder: Path) -> None:
        content = (folder / name).read_bytes()
        unpacked = gzip.decompress(content)
        for offset in range(0, len(content), len(content) // 150):
            damaged = bytearray(content)
            damaged[offset] ^= 1 << offset % 8
            (folder / name).write_bytes(damaged)
            with contextlib.suppress(PolicyError):
                load_pack(folder)
                # Between blocks of the compressed data there are bits that say nothing.
                assert gzip.decompress(damaged) == unpacked

    @pytest.mark.parametrize("name", [OPA_ARTEFACT, WASM_ARTEFACT])
    @pytest.mark.parametrize("length", [1, 4, 8, 9])
    def test_an_end_that_is_missing(self, length: int, name: str, folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[:-length])
        with pytest.raises(PolicyError, match="damaged"):
            load_pack(folder)

    @pytest.mark.parametrize(
        "wasm", [b"x", b"\0asm\1\0\0\0", b"\0asm\1\0\0\0" + b"\xff" * 64], ids=["text", "empty module", "garbage"]
    )
    def test_policies_that_are_no_wasm_of_opa(self, wasm: bytes, folder: Path) -> None:
        rewrite(folder / WASM_ARTEFACT, folder / WASM_ARTEFACT, lambda content: content.update({"policy.wasm": wasm}))
        broken = load_pack(folder)
        with pytest.raises(PolicyError, match="do not load"):
            EmbeddedEngine(broken, threads=1, deadline_seconds=1)

    @pytest.mark.parametrize("part", ["profiles", "environments", "accounts"])
    def test_governance_that_is_no_mapping(self, part: str, pack: Pack) -> None:
        data = {**pack.data, "config": {**pack.config, part: ["x"]}}
        with pytest.raises(PolicyError, match=f"config/{part}"):
            read_governance(data, pack.catalogue, now=0)


def test_every_data_file_is_yaml_with_a_comment_that_says_what_it_is_for() -> None:
    files = sorted(POLICIES.rglob("data.yaml"))
    assert files
    for path in files:
        assert path.read_text().startswith("# "), path
        assert isinstance(yaml.safe_load(path.read_bytes()), dict), path
