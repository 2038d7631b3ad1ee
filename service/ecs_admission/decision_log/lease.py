"""Who seals: one process of several, by a row that only their database role may write.

No clock is compared with another machine's. Who wants to lead watches the leader's beat by its own monotonic clock and
takes over when that has stood still for long enough. The takeover raises the epoch, and whatever the old leader writes
carries its own epoch in the same transaction: so a leader that slept writes nothing any more, whatever it believes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sqlalchemy import insert, select, update
from sqlalchemy.engine import Connection

from ecs_admission.decision_log.digest_tables import sealer_lease
from ecs_admission.errors import AdmissionError

PATIENCE_SECONDS: Final = 30.0
"""How long a beat must stand still: three intervals of the default."""

_ROW: Final = 1


class LeaseLostError(AdmissionError):
    """Another sealer leads. Nothing of the transaction that found out may be committed."""


class Lease:
    """One process's view of it. All methods work inside the caller's transaction, see `Sealer`."""

    def __init__(self, holder: str, *, monotonic: Callable[[], float], patience_seconds: float = PATIENCE_SECONDS):
        self.holder = holder
        self.epoch: int | None = None
        self._monotonic = monotonic
        self._patience = patience_seconds
        self._seen: tuple[int, int] | None = None
        self._seen_at = 0.0

    def take(self, connection: Connection) -> bool:
        """Whether this process leads from now on, once the transaction is committed."""
        row = connection.execute(select(sealer_lease).where(sealer_lease.c.id == _ROW)).first()
        if row is None:
            connection.execute(insert(sealer_lease).values(id=_ROW, epoch=1, beat=0, holder=self.holder))
            self.epoch = 1
            return True
        beat = (row.epoch, row.beat)
        if row.holder is not None and beat != self._seen:
            self._seen, self._seen_at = beat, self._monotonic()
            return False
        if row.holder is not None and self._monotonic() - self._seen_at < self._patience:
            return False
        taken = connection.execute(
            update(sealer_lease)
            .where(sealer_lease.c.id == _ROW, sealer_lease.c.epoch == row.epoch, sealer_lease.c.beat == row.beat)
            .values(epoch=row.epoch + 1, beat=0, holder=self.holder)
        )
        self._seen = None
        self.epoch = row.epoch + 1 if taken.rowcount == 1 else None
        return self.epoch is not None

    def renew(self, connection: Connection) -> None:
        """Show that this process is there, and that it still leads. Raises `LeaseLostError`."""
        self._change(connection, beat=sealer_lease.c.beat + 1)

    def release(self, connection: Connection) -> None:
        """Let another take over at once. Raises `LeaseLostError`."""
        self._change(connection, holder=None)

    def _change(self, connection: Connection, **values: object) -> None:
        changed = connection.execute(
            update(sealer_lease)
            .where(sealer_lease.c.id == _ROW, sealer_lease.c.epoch == self.epoch, sealer_lease.c.holder == self.holder)
            .values(**values)
        )
        if changed.rowcount != 1:
            self.epoch = None
            raise LeaseLostError("another sealer leads")
