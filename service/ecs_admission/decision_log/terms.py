"""The terms under which a decision is found by what it has several of: its findings, and what their literals were.

Derived from the entry's bytes and from its body when it is written, and again by `verify`. A term is `name=value`, so
that one table serves all names and a range of it serves one.
"""

from __future__ import annotations

import re
from typing import Any, Final

from ecs_admission.decision_log.entries import EntryDraft
from ecs_admission.model import REDACTED, JSONObject

FINDING_TERMS: Final = {
    "rule": "rule",
    "severity": "severity",
    "container": "container",
    "exception": "exception",
    "control": "controls",
}
"""Names of terms, and the key of a finding that each comes from."""

_KEYS: Final = tuple(FINDING_TERMS.items())

FINGERPRINT: Final = "fingerprint"

TERM_NAMES: Final = frozenset({*FINDING_TERMS, FINGERPRINT})

# In canonical JSON a quote inside a text follows a backslash, so this is only found where it is a member. To read the
# whole body as JSON would cost an append a tenth more.
_FINGERPRINT: Final = re.compile(rb'"fingerprint":"(k[0-9a-f]{8}:[0-9a-f]{32})"')


def derive_terms(document: JSONObject, body: bytes | None) -> frozenset[str]:
    """The terms of an entry. Never raises, whatever a tampered document looks like.

    Without its `body`, which retention may have dropped, those of `FINGERPRINT` are missing and all others are there.
    """
    terms = {term(name, value) for name, value in _of_findings(document.get("findings"))}
    if body is not None:
        terms |= {term(FINGERPRINT, found.decode()) for found in _FINGERPRINT.findall(body)}
    return frozenset(terms)


def term(name: str, value: str) -> str:
    """The term of a value. PostgreSQL has no text with a zero character."""
    return f"{name}={value}".replace("\0", "\ufffd")


def term_range(name: str) -> tuple[str, str]:
    """Where all terms of a name lie: from the first, inclusive, to the second, exclusive."""
    return f"{name}=", f"{name}>"


def term_values(draft: EntryDraft) -> list[tuple[str, int, str]]:
    """The rows of `entry_terms` for an entry that is about to be written."""
    time_us, entry_id = draft.document["time"], draft.id
    return [(each, time_us, entry_id) for each in sorted(derive_terms(draft.document, draft.body))]


def _of_findings(findings: Any) -> set[tuple[str, str]]:
    """Names and values. Findings have most of them in common, and an append waits for this: so texts are made once."""
    found: set[tuple[str, str]] = set()
    for finding in findings if isinstance(findings, list) else ():
        if not isinstance(finding, dict):
            continue
        for name, key in _KEYS:
            value = finding.get(key)
            if isinstance(value, str):
                found.add((name, value))
            elif isinstance(value, list):
                found.update((name, each) for each in value if isinstance(each, str))
    return {each for each in found if each[1] != REDACTED}
