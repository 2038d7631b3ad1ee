"""How commands print lists: for a person in columns, for a program as JSON."""

from __future__ import annotations

from collections.abc import Iterable

import click
import orjson

from ecs_admission.model import JSONObject

output_option = click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)


def table(rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Rows as lines with their columns aligned. All rows are of one length."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def json_text(document: JSONObject) -> str:
    """One object, indented."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()
