"""`/metrics` on a port of its own: what the processes of a service count, and what the decision log says of itself.

A process of its own, so that a scrape waits for no review and a review for no scrape. It holds nothing that anybody
sent, and asks nobody who they are: the port is for the monitoring system alone.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import orjson
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector

from ecs_admission import __version__, metrics
from ecs_admission.decision_log.lag import SealingLag, sealing_lag
from ecs_admission.decision_log.queries import LogReader
from ecs_admission.errors import AdmissionError, SettingsError
from ecs_admission.metering import Meters
from ecs_admission.metrics_folder import ended_files, process_of, shared_folder
from ecs_admission.observation import Observe, unobserved
from ecs_admission.settings import Settings
from ecs_admission.telemetry import log_error, logger
from ecs_admission.tls import certificate_expiry

_LOOK_SECONDS: Final = 1.0
_LOG_SECONDS: Final = 5.0
"""How old what is told of the decision log may be: any number of scrapers make one query in this time."""

_LOG_TIMEOUT_SECONDS: Final = 3.0
_CONNECTION_SECONDS: Final = 10.0
_MAX_CONNECTIONS: Final = 8
_MAX_KEPT_SERIES: Final = 10_000


def run(settings: Settings, folder: Path, *, parent: int | None) -> None:
    """Serve the metrics of a service until a signal says that it is enough or the parent is gone.

    Raises `SettingsError` where nobody can listen at the address.
    """
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    # Of a terminal's interrupt a child leaves it to its parent when to end: metrics are there until the last answer.
    signal.signal(signal.SIGINT, (lambda *_: stop.set()) if parent is None else signal.SIG_IGN)
    registry = CollectorRegistry()
    registry.register(WorkerMetrics(folder))
    with serving(settings, registry):
        while not stop.wait(_LOOK_SECONDS):
            if parent is not None and os.getppid() != parent:
                return


@contextmanager
def serving(settings: Settings, registry: CollectorRegistry) -> Iterator[str]:
    """Serve a registry, and what there is to say of the log and the build, from threads until the block ends.

    The block is given the address. Raises `SettingsError` where nobody can listen there.
    """
    registry.register(_Log(lambda: _open(settings)))
    registry.register(_Build(settings))
    server = _listen(settings.metrics_bind, registry)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="metrics", daemon=True)
    thread.start()
    host, port = server.server_address[:2]
    address = f"[{host!s}]:{port}" if ":" in str(host) else f"{host!s}:{port}"
    logger().info("metrics are served", bind=address)
    try:
        yield address
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def sealer_observer(settings: Settings) -> Iterator[Observe]:
    """Who is told what a sealer does: it counts beside the workers, or where it runs by itself serves its own metrics.

    A sealer without metrics is better than none, so one that cannot listen says so and goes on.
    """
    if settings.metrics_bind == "off":
        yield unobserved
        return
    meters = Meters("sealer")
    with ExitStack() as stack:
        if shared_folder() is None:
            try:
                stack.enter_context(serving(settings, meters.registry))
            except SettingsError as error:
                logger().warning("there are no metrics", reason=str(error))
        yield meters


def _open(settings: Settings) -> LogReader:
    return LogReader.open(settings.log_read_url, timeout_seconds=_LOG_TIMEOUT_SECONDS)


def _listen(bind: str, registry: CollectorRegistry) -> _Server:
    host, _, port = bind.rpartition(":")
    host = host.strip("[]")
    try:
        return _Server(host, int(port), registry)
    except OSError as error:
        raise SettingsError(f"metrics_bind: cannot listen there: {error.strerror or type(error).__name__}") from None


class _Server(ThreadingHTTPServer):
    """Answers a few scrapers at a time, and hangs up on more."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, host: str, port: int, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.scraping = threading.Lock()
        self._free = threading.BoundedSemaphore(_MAX_CONNECTIONS)
        self.address_family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """See `HTTPServer.server_bind`, which would look the address up in DNS."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def process_request(self, request: Any, client_address: Any) -> None:
        """See `ThreadingMixIn.process_request`."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """See `ThreadingMixIn.process_request_thread`."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """See `BaseServer.handle_error`, which prints a traceback. Whoever hung up knows."""
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, ConnectionError | TimeoutError):
            log_error(error)


class _Handler(BaseHTTPRequestHandler):
    """Answers `GET /metrics`, and repeats nothing of what it was asked."""

    timeout = _CONNECTION_SECONDS
    server_version = "ecs-admission"
    sys_version = ""
    server: _Server

    def do_GET(self) -> None:
        """Answer a scrape."""
        if self.path.partition("?")[0] != "/metrics":
            self.send_error(404)
            return
        encode, content_type = choose_encoder(self.headers.get("Accept", ""))
        with self.server.scraping:
            body = encode(self.server.registry)
        self._answer(200, content_type, body)

    def do_HEAD(self) -> None:
        """Whether somebody is there."""
        self._answer(200 if self.path.partition("?")[0] == "/metrics" else 404, "text/plain; charset=utf-8", b"")

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """See `BaseHTTPRequestHandler.send_error`, which repeats the method."""
        self.close_connection = True
        self._answer(int(code), "text/plain; charset=utf-8", b"the metrics are at /metrics\n")

    def _answer(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response_only(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the standard library's
        """Left out: lines are JSON, and paths are the caller's text."""


class WorkerMetrics:
    """What the processes of a service counted, those that are gone included.

    A process that is gone leaves its counters, and each worker that is replaced would leave more files: they are added
    to files of nobody's (process 0), and what it said of itself goes.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = MultiProcessCollector(None, path=str(folder))
        self._helps = {metric.name.removesuffix("_total"): metric.help for metric in metrics.CATALOGUE}

    def collect(self) -> Iterator[Family]:
        """See `prometheus_client.registry.Collector`."""
        for path in ended_files(self._folder):
            _keep(path, self._folder)
        for family in self._files.collect():
            family.documentation = self._helps.get(family.name, "")
            yield family
        yield from self._policies()

    def _policies(self) -> Iterator[Family]:
        found = [_read(path) for path in sorted(self._folder.glob("policies_*.json")) if process_of(path)]
        states = [state for state in found if state is not None]
        if not states:
            return
        revisions = [str(state["revision"]) for state in states]
        yield _family(metrics.POLICIES, [((each,), revisions.count(each)) for each in sorted(set(revisions))])
        yield _family(metrics.POLICIES_SINCE, [((), min(state["since"] for state in states))])
        yield _family(metrics.POLICIES_REFUSED, [((), max(int(state["isRefused"]) for state in states))])
        yield _family(metrics.POLICIES_WAITING, [((), max(int(state["isWaiting"]) for state in states))])
        yield _family(metrics.TRIPWIRES_FAILING, [((), max(int(not state["isFit"]) for state in states))])
        yield _family(metrics.POLICIES_WEAKENED, [((), max(state["weakened"] for state in states))])
        yield _family(metrics.EXCEPTIONS, [((), max(state["exceptions"] for state in states))])
        expiries = [state["nextExpiry"] for state in states if state["nextExpiry"] is not None]
        if expiries:
            yield _family(metrics.EXCEPTION_EXPIRY, [((), min(expiries))])


class _Log:
    """How far the sealer is behind, as the decision log says. Also where no sealer runs that could say so."""

    def __init__(self, connect: Callable[[], LogReader]) -> None:
        self._connect = connect
        self._reader: LogReader | None = None
        self._read_at: float | None = None
        self._lag: SealingLag | None = None

    def collect(self) -> Iterator[Family]:
        """See `prometheus_client.registry.Collector`."""
        if self._read_at is None or time.monotonic() - self._read_at >= _LOG_SECONDS:
            self._lag = self._read()
            self._read_at = time.monotonic()
        lag = self._lag
        yield _family(metrics.LOG_READABLE, [((), 0 if lag is None else 1)])
        if lag is None:
            return
        yield _family(metrics.UNSEALED, [((), lag.unsealed)])
        yield _family(metrics.SEALING_LAG, [((), lag.seconds(time.time_ns() // 1000))])
        yield _family(metrics.DIGESTS, [((), 0 if lag.newest_digest is None else lag.newest_digest + 1)])
        yield _family(metrics.ANCHOR_WAITING, [((each.anchor,), each.waiting) for each in lag.anchors])
        yield _family(
            metrics.ANCHOR_FAILING, [((each.anchor,), int(each.failing_since_us is not None)) for each in lag.anchors]
        )

    def _read(self) -> SealingLag | None:
        try:
            if self._reader is None:
                self._reader = self._connect()
            return sealing_lag(self._reader)
        except AdmissionError as error:
            if self._read_at is None or self._lag is not None:  # not the same every few seconds
                logger().warning("the decision log cannot be read for metrics", reason=error.reason)
            return None


class _Build:
    """Which version runs, and until when its certificate does."""

    def __init__(self, settings: Settings) -> None:
        self._certificate = settings.tls_certificate_file

    def collect(self) -> Iterator[Family]:
        """See `prometheus_client.registry.Collector`."""
        yield _family(metrics.BUILD, [((__version__,), 1)])
        expiry = None if self._certificate is None else certificate_expiry(self._certificate)
        if expiry is not None:
            yield _family(metrics.CERTIFICATE_EXPIRY, [((), expiry)])


def _family(metric: metrics.Metric, samples: Iterable[tuple[tuple[str, ...], float]]) -> Family:
    family = GaugeMetricFamily(metric.name, metric.help, labels=[label.name for label in metric.labels])
    for values, value in samples:
        family.add_metric(values, value)
    return family


def _read(path: Path) -> dict[str, Any] | None:
    try:
        document = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):  # its process has just gone
        return None
    return document if isinstance(document, dict) else None


def _keep(path: Path, folder: Path) -> None:
    """Add what a process that is gone counted to what is kept, and remove its file."""
    kind = path.stem.rpartition("_")[0]
    if kind in ("counter", "histogram"):
        kept = MmapedDict(str(folder / f"{kind}_0.db"))
        try:
            known = {key for key, _, _ in kept.read_all_values()}
            for key, value, _, _ in MmapedDict.read_all_values_from_file(str(path)):
                if key in known or len(known) < _MAX_KEPT_SERIES:
                    known.add(key)
                    kept.write_value(key, kept.read_value(key)[0] + value, 0.0)
        except (OSError, RuntimeError, ValueError):  # it was killed while it wrote: what is whole was added
            logger().warning("the counters of a process that was killed are not whole")
        finally:
            kept.close()
    path.unlink(missing_ok=True)
