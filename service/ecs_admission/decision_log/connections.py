"""Which database a URL names."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from ecs_admission.decision_log.database import Database
from ecs_admission.decision_log.sqlite import SQLite
from ecs_admission.errors import SettingsError

_FORMS = "write sqlite:////path/to/decisions.db or postgresql://role@host/database"


def database_at(url: str) -> Database:
    """The database at `url`, not connected to yet. Raises `SettingsError`, which does not repeat the URL."""
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite":
        return SQLite(parsed)
    from ecs_admission.decision_log.postgresql import PostgreSQL  # who has SQLite does not wait for it

    return PostgreSQL(parsed)


def database_file(url: str) -> Path | None:
    """The file of a SQLite database; None for a server, which has its own. Raises as `database_at`."""
    parsed = _parsed(url)
    return SQLite(parsed).file if parsed.get_backend_name() == "sqlite" else None


def database_folder(url: str) -> Path | None:
    """The folder in which that lies; None for a server."""
    file = database_file(url)
    return None if file is None else file.parent


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise SettingsError(f"the database URL is not a URL; {_FORMS}") from None
    if parsed.drivername not in {"sqlite", "sqlite+pysqlite", "postgresql", "postgresql+psycopg"}:
        raise SettingsError(f"the database URL is for another database; {_FORMS}")
    return parsed
