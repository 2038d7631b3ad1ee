"""How large a submitted document may be. Everything after `adapt` relies on these bounds."""

from __future__ import annotations

from typing import Final

MAX_BYTES: Final = 1_048_576
"""Bytes of a document, as sent."""

MAX_DEPTH: Final = 64
"""Objects and arrays within each other, the document itself being the first."""

MAX_EVENTS: Final = 100_000
"""Events of a YAML document: its scalars, and two for each mapping and sequence."""

MAX_DIGITS: Final = 18
"""Digits of an integer, so that every reader's 64 bits hold it."""

MAX_NOTICES: Final = 50
"""Notices of one document; a last one says how many more there were."""
