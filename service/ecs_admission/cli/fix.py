"""`ecs-admission fix`: write a file the way its findings ask for, and say what is left to do."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from ecs_admission.cli import fail
from ecs_admission.cli.asking import ADVISORY, context_options, make_judge, policy_options, read_file
from ecs_admission.errors import AdmissionError
from ecs_admission.respond.report import exit_code, fix_report, read_patch, verdict

_INDENT = re.compile(rb"\{[ \t]*\r?\n( +|\t+)[\"}]")


@click.command(name="fix")
@click.argument("file", metavar="FILE")
@click.option("--output", metavar="PATH", help="Where to write (- is standard output); default: FILE itself.")
@context_options
@policy_options
def command(file: str, output: str | None, **options: Any) -> None:
    """Mend FILE: literals become references, log tokens secret options, a sidecar is waited for, and so on.

    A value that was in the file is not kept anywhere: it has to be replaced in any case. What is left to do is printed:
    values to store, permissions to give, texts to write again. Of a YAML file comments are not kept.

    Exit code: that of `check` for the file as written.
    """
    content = read_file(file)
    try:
        judge = make_judge(**options)
    except AdmissionError as error:
        fail(error)
        return
    response = judge(content)
    operations = read_patch(response)
    patched = _patched(content, operations) if operations else content
    after = judge(patched) if operations else response
    if verdict(response) in ("allowed", "denied"):
        target = output or file
        # Whoever reads the output gets a whole file also where there is nothing to mend.
        if operations or target != file or target == "-":
            _write(patched, Path(target), to_stdout=target == "-")
    click.echo(fix_report(file, response, after), err=True)
    click.echo(ADVISORY, err=True)
    sys.exit(exit_code([{"source": {"file": file, "resource": None}, "response": after}]))


def _patched(content: bytes, operations: list[Any]) -> bytes:
    """The document with the operations made to it, in the format that it had."""
    import jsonpatch

    from ecs_admission.adapt.documents import read_document

    value = jsonpatch.apply_patch(read_document(content), operations, in_place=True)
    if content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        return _json(value, content)
    from ecs_admission.adapt.yaml12 import write_yaml

    return write_yaml(value).encode()


def _json(value: Any, like: bytes) -> bytes:
    """JSON indented as another text is."""
    import json

    match = _INDENT.search(like)
    text = json.dumps(value, indent=match.group(1).decode() if match else None, ensure_ascii=False)
    return text.encode() + (b"\n" if like.endswith(b"\n") else b"")


def _write(content: bytes, path: Path, *, to_stdout: bool) -> None:
    if to_stdout:
        sys.stdout.buffer.write(content)
        return
    try:
        if path.is_file():
            _replace(content, path.resolve())
        else:
            path.write_bytes(content)
    except OSError as error:
        raise click.UsageError(f"cannot write {path}: {error.strerror}") from None


def _replace(content: bytes, path: Path) -> None:
    """Replace a file as a whole, so that an interruption leaves one of the two and nothing in between."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.chmod(name, path.stat().st_mode & 0o777)
        os.replace(name, path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
