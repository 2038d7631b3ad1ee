"""Where policies are, as settings and options list it: a module of its own, as commands import no settings."""

from __future__ import annotations

import os
from pathlib import Path


def read_places(text: str) -> tuple[Path, ...]:
    """The places in a list of policies: separated by commas, or as those of PATH are."""
    parts = (part.strip() for piece in text.split(",") for part in piece.split(os.pathsep))
    return tuple(Path(part) for part in parts if part)
