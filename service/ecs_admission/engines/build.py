"""From a folder of policies to the two artefacts of a revision. For authors and CI: needs an `opa` program.

Sources are staged, the catalogue is generated from the METADATA annotations and added as data, and `opa build` makes a
bundle for OPA servers and the same policies as WebAssembly. OPA's output is reproducible, so the same sources give the
same bytes.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ecs_admission.catalogue import read_catalogue
from ecs_admission.engines.archives import read_archive
from ecs_admission.engines.bundles.format import MANIFEST, WASM, Release, manifest, write_archive
from ecs_admission.engines.pack import ENTRYPOINT, OPA_ARTEFACT, WASM_ARTEFACT, Pack, load_pack
from ecs_admission.engines.sources import CAPABILITIES, RULES, Sources
from ecs_admission.errors import PolicyError, PolicyUnavailableError

_BUILD_TIMEOUT_SECONDS = 120


def build_pack(
    sources: Sources,
    output: Path,
    *,
    opa: str,
    check: Callable[[Pack], object] = lambda _: None,
    release: Release | None = None,
) -> Pack:
    """Build the pack of `sources` into the folder `output`, unless `check` raises: then what is there stays.

    With a `release` the bundle is one that travels: it says where it stands among others, and is whole.

    Raises `PolicyError` with OPA's own words where the sources do not check, use a built-in that is not in their
    capabilities, or lack METADATA.
    """
    if sources.capabilities is None:
        raise PolicyError(f"there is no {CAPABILITIES} to say what policies may call")
    opa = str(Path(opa).absolute())
    with tempfile.TemporaryDirectory(prefix="ecs-admission-build-") as folder:
        stage, built = Path(folder) / "stage", Path(folder) / "built"
        built.mkdir()
        (built / CAPABILITIES).write_bytes(sources.capabilities)
        for name, content in sources.rego.items():
            target = stage / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        _write_data(stage / "data.json", sources.data)
        allowed = ("--capabilities", str(built / CAPABILITIES))
        _run(opa, "check", "--strict", *allowed, "--bundle", ".", folder=stage)
        catalogue = _catalogue(opa, stage)
        read_catalogue(catalogue)
        _write_data(stage / "catalogue" / "data.json", {"rules": catalogue})
        _write_data(stage / "revision" / "data.json", {"id": sources.digest})
        common = (*allowed, "--revision", sources.digest, "--bundle", ".")
        _run(opa, "build", *common, "--output", str(built / OPA_ARTEFACT), folder=stage)
        wasm = ("--target", "wasm", "--entrypoint", ENTRYPOINT, *common)
        _run(opa, "build", *wasm, "--output", str(built / WASM_ARTEFACT), folder=stage)
        if release is not None:
            _make_whole(built, release)
        # What would make the pack refuse to load is told to its author now.
        pack = load_pack(built)
        check(pack)
        output.mkdir(parents=True, exist_ok=True)
        for name in (OPA_ARTEFACT, WASM_ARTEFACT, CAPABILITIES):
            shutil.copyfile(built / name, output / name)
    return pack


def _make_whole(built: Path, release: Release) -> None:
    """Put into the bundle what OPA does not read of it, and into both artefacts what they are a release of."""
    bundle, compiled = (read_archive(built / name) for name in (OPA_ARTEFACT, WASM_ARTEFACT))
    described = json.loads(compiled[MANIFEST])
    compiled[MANIFEST] = manifest(described["revision"], release, wasm=described["wasm"])
    bundle[MANIFEST] = manifest(described["revision"], release)
    bundle |= {WASM: compiled["policy.wasm"], CAPABILITIES: (built / CAPABILITIES).read_bytes()}
    for name, files in ((OPA_ARTEFACT, bundle), (WASM_ARTEFACT, compiled)):
        (built / name).write_bytes(write_archive(files))


def find_opa() -> str:
    """The `opa` on PATH. Raises `PolicyError` that says where to get one."""
    program = shutil.which("opa")
    if program is None:
        raise PolicyError("no opa program on PATH: build the pinned release with tools/opa, or get it from its makers")
    return program


def _catalogue(opa: str, stage: Path) -> dict[str, Any]:
    report = json.loads(_run(opa, "inspect", "--annotations", "--format", "json", ".", folder=stage))
    found: dict[str, Any] = {}
    for item in report.get("annotations") or []:
        path = [term["value"] for term in item.get("path") or []]
        annotations = item.get("annotations") or {}
        if path[1:3] == list(RULES) and len(path) == 5 and annotations.get("scope") == "package":
            found["/".join(path[3:])] = _describe(annotations)
    for folder in sorted(stage.joinpath(*RULES).glob("*/*")):
        rule_id = folder.relative_to(stage.joinpath(*RULES)).as_posix()
        if rule_id not in found:
            raise PolicyError(f"rule {rule_id}: its package has no METADATA")
    return found


def _describe(annotations: dict[str, Any]) -> dict[str, Any]:
    resources = annotations.get("related_resources") or [{}]
    described = {key: annotations.get(key) for key in ("title", "description")}
    return described | {"link": resources[0].get("ref")} | (annotations.get("custom") or {})


def _write_data(path: Path, document: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, sort_keys=True))


def _run(program: str, *arguments: str, folder: Path) -> str:
    """Run `opa` inside the stage: paths go into what it makes, and the stage is somewhere else each time."""
    try:
        done = subprocess.run(
            [program, *arguments],
            capture_output=True,
            text=True,
            timeout=_BUILD_TIMEOUT_SECONDS,
            check=False,
            cwd=folder,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PolicyUnavailableError(f"{program} {arguments[0]} did not run: {type(error).__name__}") from error
    if done.returncode != 0:
        raise PolicyError(f"opa {arguments[0]} failed:\n{(done.stderr or done.stdout).strip()}")
    return done.stdout
