"""Layers of policies for tests: folders and bundles made of a few texts."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

Files = Mapping[str, str | bytes]

RULE = """# METADATA
# title: Some rule of an organisation
# description: Some text.
# related_resources:
#   - ref: https://example.com/
# custom:
#   why: Some reason.
#   severity: high
#   action: deny
#   message: some message
#   remediation: Some remedy.
package admission.rules.{package}

findings contains {{"at": ""}} if {body}
"""


def rule(rule_id: str, body: str) -> dict[str, str]:
    """The file of a rule that finds something where `body` is true."""
    category, _, name = rule_id.partition("/")
    path = f"admission/rules/{rule_id}/{name}.rego"
    return {path: RULE.format(package=f'{category}["{name}"]', body=body)}


def folder(place: Path, files: Files) -> Path:
    """A folder with these files, by their paths in it."""
    place.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return place


def member(name: str, content: str | bytes = b"", **attributes: object) -> tuple[tarfile.TarInfo, bytes]:
    """A member of an archive, with attributes that its making would not give it."""
    data = content if isinstance(content, bytes) else content.encode()
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for attribute, value in attributes.items():
        setattr(info, attribute, value)
    return info, data


def bundle(place: Path, members: Files | Iterable[tuple[tarfile.TarInfo, bytes]]) -> Path:
    """A gzipped tar archive with these files, as OPA names them, or with any members."""
    if isinstance(members, Mapping):
        members = [member(f"/{name}", content) for name, content in members.items()]
    with tarfile.open(place, "w:gz") as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return place
