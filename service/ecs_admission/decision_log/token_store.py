"""API tokens in the log's database: found by the digest, made and revoked by inserting."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from sqlalchemy import LargeBinary, Select, cast, insert, select
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from ecs_admission.auth.tokens import Pepper, TokenRecord
from ecs_admission.decision_log.connections import database_at
from ecs_admission.decision_log.database import translated
from ecs_admission.decision_log.token_tables import api_tokens, token_revocations
from ecs_admission.errors import SettingsError

_LOCK: Final = "tokens"
_READING: Final = "the tokens cannot be read"
_WRITING: Final = "the tokens cannot be written"


@dataclass(frozen=True, slots=True)
class StoredToken:
    """A token as it is now. `revoked` is since when it is not accepted any more, in microseconds since the epoch."""

    record: TokenRecord
    revoked: int | None


class TokenReader:
    """Looks tokens up, for any number of threads. Methods raise `RecordUnavailableError` when that does not work."""

    def __init__(self, connect: Callable[[], Connection], pepper: Pepper) -> None:
        """`connect` gives connections that can read, such as `LogReader.connect`."""
        self._connect = connect
        self._pepper = pepper

    def find(self, token: str) -> StoredToken | None:
        """What is known of a token; None of one that was not made with this database and key."""
        query = _tokens().where(api_tokens.c.digest == self._pepper.digest(token))
        with translated(_READING), self._connect() as connection:
            row = connection.execute(query).first()
        if row is None:
            return None
        found = self._authentic(row.content, row.mac, row.revoked)
        # Also compared here, in constant time: the database's own comparison is not ours to trust.
        return found if found and hmac.compare_digest(found.record.digest, self._pepper.digest(token)) else None

    def all(self) -> list[StoredToken]:
        """Every token, the oldest first. Rows that were not made with the key are left out: they open nothing."""
        with translated(_READING), self._connect() as connection:
            rows = connection.execute(_tokens()).all()
        found = (self._authentic(row.content, row.mac, row.revoked) for row in rows)
        return sorted((token for token in found if token is not None), key=lambda token: token.record.created)

    def _authentic(self, content: object, mac: object, revoked: int | None) -> StoredToken | None:
        if not isinstance(content, bytes) or not isinstance(mac, bytes):
            return None
        if not hmac.compare_digest(self._pepper.mac(content), mac):
            return None
        try:
            return StoredToken(TokenRecord.read(content), revoked)
        except SettingsError:
            return None


class TokenWriter:
    """Makes and revokes tokens at the database URL of the service. For the command line."""

    def __init__(self, url: str, *, timeout_seconds: float) -> None:
        self._database = database_at(url)
        self._timeout_seconds = timeout_seconds

    def add(self, record: TokenRecord, pepper: Pepper) -> None:
        """Make a token known. Raises `RecordUnavailableError`."""
        content = record.content()
        values = {"id": record.id, "digest": record.digest, "bytes": content, "mac": pepper.mac(content)}
        with self._transaction() as connection:
            connection.execute(insert(api_tokens).values(values))

    def revoke(self, token_id: str, *, time_us: int) -> bool:
        """Accept a token no longer; False where it was revoked already. Raises `RecordUnavailableError`."""
        with self._transaction() as connection:
            try:
                connection.execute(insert(token_revocations).values(id=token_id, time=time_us))
            except IntegrityError:
                connection.rollback()
                return False
        return True

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        deadline = time.monotonic() + self._timeout_seconds
        engine = self._database.write_engine()
        try:
            with translated(_WRITING), self._database.connect(engine, deadline=deadline) as connection:
                self._database.begin(connection, _LOCK, deadline=deadline)
                yield connection
                connection.commit()
        finally:
            engine.dispose()


def _tokens() -> Select[tuple[bytes, bytes, int]]:
    return select(
        cast(api_tokens.c.bytes, LargeBinary).label("content"),
        cast(api_tokens.c.mac, LargeBinary).label("mac"),
        token_revocations.c.time.label("revoked"),
    ).outerjoin_from(api_tokens, token_revocations, api_tokens.c.id == token_revocations.c.id)
