"""gunicorn's arbiter, the master process, with companions beside its workers."""

from __future__ import annotations

from typing import Any

from gunicorn.arbiter import Arbiter as GunicornArbiter

from ecs_admission.companions import Companions


class Arbiter(GunicornArbiter):  # type: ignore[misc]
    """The master. It looks after its companions whenever it looks after its workers, at least once a second."""

    def __init__(self, app: Any, companions: Companions) -> None:
        """See `gunicorn.arbiter.Arbiter`."""
        self._companions = companions
        super().__init__(app)

    def manage_workers(self) -> None:
        """See `gunicorn.arbiter.Arbiter.manage_workers`. Workers are forked first: they serve, companions can wait."""
        super().manage_workers()
        self._companions.supervise()

    def reap_workers(self) -> None:
        """See `gunicorn.arbiter.Arbiter.reap_workers`, which collects every child whose status nobody has read yet."""
        self._companions.reap()
        super().reap_workers()
