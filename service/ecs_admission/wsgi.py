"""What gunicorn loads in each worker, after fork: `application`."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import sys
import time
from typing import TYPE_CHECKING

from ecs_admission import telemetry
from ecs_admission.app import Service, create_service
from ecs_admission.drain import Drain
from ecs_admission.errors import AdmissionError, RecordUnavailableError
from ecs_admission.gunicorn_worker import UNREADABLE
from ecs_admission.metrics_folder import shared_folder
from ecs_admission.observation import Observe, WorkerStarted, WorkerStopped, unobserved
from ecs_admission.settings import Settings
from ecs_admission.tracing import Trace, Tracer, untraced

if TYPE_CHECKING:
    from flask import Flask

_M_ARENA_MAX = -8
"""See mallopt(3)."""

_RETRY_SECONDS = 1.0
"""How long a worker that cannot take another's place waits, so that its successors do not keep a processor busy."""

_running: list[Service] = []
_meters: list[Observe] = []
_tracers: list[Tracer] = []


def application(settings: Settings, drain: Drain, *, is_replacement: bool = False) -> Flask:
    """The application of this worker. The settings are the master's: a file that changes since is not half in force.

    A worker that takes another's place is tried again where it cannot start, whatever keeps it: the others go on
    judging by what they have, and a mistake in a file is no reason to end them. The first ones end the service.
    """
    telemetry.configure(settings.log_level)
    os.umask(0o077)
    _share_memory_among_threads()
    observe = _observer(settings.threads)
    try:
        service = create_service(
            settings,
            unreadable=UNREADABLE,
            observe=observe,
            trace=_tracer(settings.traces),
            is_draining=lambda: drain.has_begun,
        )
    except AdmissionError as error:
        # A database that is locked or full now may work soon: gunicorn starts another worker, where an error while
        # booting would end the whole service.
        if not (is_replacement or isinstance(error, RecordUnavailableError)):
            raise
        telemetry.logger().error("worker cannot start", error=type(error).__name__, reason=str(error))
        if is_replacement:
            time.sleep(_RETRY_SECONDS)
        sys.exit(1)
    _running.append(service)
    # What is here now stays for good: the collector need not look at it again while requests wait.
    gc.collect()
    gc.freeze()
    return service.app


def _observer(threads: int) -> Observe:
    """Who is told what happens in this worker: nobody where no exporter adds up what is counted."""
    if shared_folder() is None:
        return unobserved
    from ecs_admission.metering import Meters

    meters = Meters("worker")
    _meters.append(meters)
    meters(WorkerStarted(threads))
    return meters


def _tracer(traces: str) -> Trace:
    """Who names the trace of a review, and sends its span."""
    if traces == "off":
        return untraced
    tracer = Tracer()
    _tracers.append(tracer)
    return tracer


def _share_memory_among_threads() -> None:
    """Two arenas for glibc's allocator instead of one a thread: each keeps the largest body it ever held."""
    with contextlib.suppress(OSError, AttributeError):  # another libc
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)


def close() -> None:
    """Close the decision log of this worker, so that its chain has an end. Safe to call twice."""
    while _running:
        _running.pop().close()
    while _tracers:
        _tracers.pop().close()
    while _meters:
        _meters.pop()(WorkerStopped())
