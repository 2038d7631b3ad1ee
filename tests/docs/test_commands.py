"""Every command in the documentation runs, ends as its page says and prints what its page shows, or has a reason."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, blocks
from tests.docs.sandbox import Sandbox
from tests.engines.opa_server import opa_program
from tests.service.running_service import RunningService

WITH_COMMANDS = [page for page in PAGES if any(block.is_shell and block.not_run is None for block in blocks(page))]


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_block_has_a_language_and_every_omission_a_reason(page: Path) -> None:
    assert [block.line for block in blocks(page) if not block.language] == []
    assert [block.line for block in blocks(page) if block.not_run is not None and len(block.not_run) < 10] == []
    assert [block.line for block in blocks(page) if block.not_run is not None and not block.is_shell] == []
    empty = [block.line for block in blocks(page) if block.is_shell and not block.commands]
    assert empty == [], "a console has lines that begin with `$ `"


def pinned(program: str) -> str:
    """The path of a pinned program. Without one the test is skipped, but fails where CI=true."""
    found = subprocess.run([ROOT / "tools" / program], capture_output=True, text=True, check=False)
    if found.returncode == 0:
        return found.stdout.strip()
    told = found.stderr.strip().rpartition("\n")[2]
    return pytest.fail(told) if os.environ.get("CI") == "true" else pytest.skip(told)


@pytest.mark.service
@pytest.mark.opa
@pytest.mark.parametrize("page", WITH_COMMANDS, ids=name)
def test_the_commands_of_a_page_run(page: Path, documented: RunningService, tmp_path: Path) -> None:
    text = page.read_text()
    others = {program: pinned(program) for program in ("helm", "regal") if f"$ {program} " in text}
    sandbox = Sandbox.make(tmp_path / "clone", documented, opa=opa_program(), others=others)
    for block in blocks(page):
        try:
            sandbox.run(block)
        except AssertionError as error:
            pytest.fail(f"{name(page)}:{block.line}: {error}")
