"""An entry in one row of texts: what tables and CSV files show. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from ecs_admission.model import JSONObject

COLUMNS: Final = (
    *("time", "id", "kind", "outcome", "reason", "operation", "family", "environment", "account", "region"),
    *("cluster", "service", "repository", "commit", "actor", "run", "ticket", "caller", "enforcementPoint", "dryRun"),
    *("revision", "rules", "exceptions", "findings", "errorCode", "writer", "sequence", "hash"),
)
"""The columns of a CSV file, in their order."""

_CONTEXT: Final = (
    *("environment", "account", "region", "cluster", "service", "repository", "commit", "actor", "run", "ticket"),
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

# What a spreadsheet takes for the beginning of a formula, OWASP "CSV injection"; blanks before it do not help.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def flat(document: JSONObject, hashed: str) -> dict[str, str]:
    """The texts of one entry. What it does not have is empty."""
    request = document.get("request") or {}
    context = request.get("context") or {}
    findings = document.get("findings") or []
    row: dict[str, Any] = {
        "time": moment(document["time"]),
        "operation": request.get("operation"),
        "family": request.get("family"),
        **{name: context.get(name) for name in _CONTEXT},
        "caller": (document.get("caller") or {}).get("username"),
        "enforcementPoint": request.get("enforcementPoint"),
        "dryRun": str(request["dryRun"]).lower() if "dryRun" in request else None,
        "revision": (document.get("policy") or {}).get("revision"),
        "rules": " ".join(_once(finding.get("rule") for finding in findings)),
        "exceptions": " ".join(_once(finding.get("exception") for finding in findings)),
        "findings": len(findings) + document.get("findingsTruncated", 0) if document.get("outcome") else None,
        "errorCode": (document.get("error") or {}).get("code"),
        "hash": hashed,
    }
    row |= {name: document.get(name) for name in ("id", "kind", "outcome", "reason", "writer", "sequence")}
    return {name: "" if row[name] is None else str(row[name]) for name in COLUMNS}


def csv_line(cells: Sequence[str]) -> str:
    """A line of a CSV file (RFC 4180), in which no cell is a formula to a spreadsheet."""
    line = io.StringIO()
    csv.writer(line).writerow([safe_cell(cell) for cell in cells])
    return line.getvalue()


def safe_cell(text: str) -> str:
    """The text, after an apostrophe where a spreadsheet would compute it."""
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def moment(time_us: int) -> str:
    """A time in microseconds since the epoch as RFC 3339 in UTC, all of one length so that texts are in order."""
    return (_EPOCH + timedelta(microseconds=time_us)).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _once(values: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(value for value in values if value))
