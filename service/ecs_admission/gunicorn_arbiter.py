"""gunicorn's arbiter, the master process: it has companions beside its workers, and drains before it ends."""

from __future__ import annotations

import time
from typing import Any

from gunicorn.arbiter import Arbiter as GunicornArbiter

from ecs_admission.companions import Companions
from ecs_admission.drain import Drain
from ecs_admission.telemetry import logger


class Arbiter(GunicornArbiter):  # type: ignore[misc]
    """The master. It looks after its companions whenever it looks after its workers, at least once a second.

    SIGTERM begins to drain: the service says that it is not ready, and serves on for as long as it takes those who ask
    that to send nothing more. Then it listens no longer, and what has begun is finished. A second SIGTERM, or SIGINT,
    leaves out the waiting; SIGQUIT, or a second SIGINT, ends without finishing.
    """

    def __init__(self, app: Any, *, companions: Companions, drain: Drain, drain_seconds: float) -> None:
        """See `gunicorn.arbiter.Arbiter`."""
        self._companions = companions
        self._drain = drain
        self._drain_seconds = drain_seconds
        self._listens_until = float("inf")
        super().__init__(app)

    def handle_term(self) -> None:
        """See `gunicorn.arbiter.Arbiter.handle_term`."""
        if self._drain.has_begun or self._drain_seconds == 0:
            raise StopIteration
        self._drain.begin()
        self._listens_until = time.monotonic() + self._drain_seconds
        logger().info("draining", wait_seconds=self._drain_seconds)

    def handle_int(self) -> None:
        """See `gunicorn.arbiter.Arbiter.handle_int`, which would not finish what has begun."""
        self._drain.begin()
        raise StopIteration

    def handle_hup(self) -> None:
        """See `gunicorn.arbiter.Arbiter.handle_hup`. Workers that could not start would end the service."""
        if self.app.can_start():
            super().handle_hup()

    def wait_for_signals(self, timeout: float = 1.0) -> Any:
        """See `gunicorn.arbiter.Arbiter.wait_for_signals`."""
        return super().wait_for_signals(max(0.0, min(timeout, self._listens_until - time.monotonic())))

    def manage_workers(self) -> None:
        """See `gunicorn.arbiter.Arbiter.manage_workers`. Workers are forked first: they serve, companions can wait."""
        if time.monotonic() >= self._listens_until:
            raise StopIteration
        super().manage_workers()
        self._companions.supervise()

    def reap_workers(self) -> None:
        """See `gunicorn.arbiter.Arbiter.reap_workers`, which collects every child whose status nobody has read yet."""
        self._companions.reap()
        super().reap_workers()
