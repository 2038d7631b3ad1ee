"""Write the lock of the rules that ship: `make pack` runs it after the pack is compiled."""

from __future__ import annotations

from pathlib import Path

import orjson

from ecs_admission.decide import UNEXCEPTABLE
from ecs_admission.engines.pack import load_pack
from ecs_admission.governance import read_governance
from ecs_admission.lock import make_lock

FILE = Path(__file__).parents[1] / "service" / "ecs_admission" / "pack" / "lock.json"


def text() -> bytes:
    """The lock as it is written."""
    pack = load_pack()
    governance = read_governance({**pack.data, "exceptions": {"items": []}}, pack.catalogue, now=0)
    return orjson.dumps({"rules": make_lock(governance, undecided=UNEXCEPTABLE)}, option=orjson.OPT_INDENT_2) + b"\n"


if __name__ == "__main__":
    FILE.write_bytes(text())
