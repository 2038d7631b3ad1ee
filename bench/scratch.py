"""Where a bench keeps what it needs for a moment: on this disk and not in memory, and in no commit."""

from __future__ import annotations

from pathlib import Path


def scratch() -> Path:
    """The folder `var` of this clone, which Git ignores."""
    folder = Path(__file__).resolve().parent.parent / "var"
    folder.mkdir(exist_ok=True)
    return folder
