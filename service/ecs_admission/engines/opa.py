"""The engine `opa`: an OPA server, asked through opa-python-client.

What the client leaves open is closed here. As it comes, it sends the input to whatever proxy the environment
names, lets a netrc file choose the credentials, limits the time per read instead of per call, swaps answers
between processes after a fork, and raises exceptions that hold the request. Importing this module is slow (the
client's package imports aiohttp), so only who uses this engine does.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import orjson
import requests
from opa_client.opa import OpaClient
from urllib3.exceptions import HTTPError, ProtocolError
from urllib3.util import Retry

from ecs_admission.engines import opa_transport
from ecs_admission.engines.last_call import LastCall
from ecs_admission.engines.opa_transport import DeadlineAdapter, Dial
from ecs_admission.engines.protocol import read_evaluation
from ecs_admission.errors import (
    AdmissionError,
    CannotDecideError,
    DeadlineError,
    EngineUnavailableError,
    EngineUnreachableError,
    SettingsError,
)
from ecs_admission.model import Evaluation, PolicyInput

EVALUATION_PATH = "admission/main/evaluation"
"""The rule that is asked for, as a path below `/v1/data/`. It is a constant: the client does not quote paths."""

MAX_ANSWER_BYTES = 4 * 1024 * 1024
"""Headers included. An evaluation of 200 findings is a hundredth of this."""

_PROBE_SECONDS = 1.0
"""How long a connection may take before its other end counts as one that listens and is busy."""

_HEADERS = {"Content-Type": "application/json", "Accept-Encoding": "identity", "User-Agent": "ecs-admission"}
_ERROR_CODE = re.compile(r"[a-z_]{1,40}")
_NO_RETRIES = Retry(total=False)
_FAILURES = (HTTPError, OSError, ValueError)  # the last for nonsense such as a chunk of negative length
_DEFAULT_PORTS = {"http": 80, "https": 443}


class OpaEngine:
    """Evaluates on an OPA server. Implements `PolicyEngine`.

    `url` is `http://HOST:PORT`, `https://HOST:PORT` or `unix:///PATH`. At most `threads` calls are on their way
    at once; a call beyond them waits for its turn. `deadline_seconds` bounds a whole call: the wait, connecting,
    sending, the last byte of the answer. Nothing is opened before the first call, and after a fork each process
    has connections of its own. `mark` is a file by which all processes of a node know how the last call ended
    (`LastCall`). Raises `SettingsError` for a URL that is none of the three.
    """

    name = "opa"

    def __init__(self, url: str, *, threads: int, deadline_seconds: float, mark: Path | None = None) -> None:
        self._endpoint = _read_endpoint(url)
        self._threads = threads
        self._deadline_seconds = deadline_seconds
        self._clients: dict[int, _Client] = {}
        self._last_call = LastCall(mark)

    def evaluate(self, policy_input: PolicyInput) -> Evaluation:
        """See `PolicyEngine.evaluate`."""
        target = f"/v1/data/{EVALUATION_PATH}?strict-builtin-errors=true"
        reply = self._exchange("POST", target, b'{"input":' + policy_input.body + b"}")
        # An exception raised here has no other behind it, which might hold the request.
        if isinstance(reply, AdmissionError):
            raise reply
        return read_evaluation(_result(reply))

    def probe(self) -> None:
        """Raise unless OPA is up and has activated its bundles once. See `PolicyEngine.probe`."""
        reply = self._exchange("GET", "/health?bundles", None)
        if isinstance(reply, AdmissionError):
            raise reply
        if reply.status != 200:
            raise EngineUnavailableError(f"the policy engine is not ready: its health check gave {reply.status}")

    def is_unreachable(self) -> bool:
        """See `PolicyEngine`. Whoever takes a connection is there, however slow it may be."""
        if self._last_call.was_unanswered():
            return False
        with opa_transport.limits(seconds=min(self._deadline_seconds, _PROBE_SECONDS), received_bytes=0):
            try:
                self._endpoint.dial().close()
            except OSError as error:
                return error.errno in opa_transport.ABSENT
            return False

    def _exchange(self, method: str, target: str, body: bytes | None) -> _Reply | AdmissionError:
        reply = self._client().exchange(method, target, body)
        if isinstance(reply, _Reply):
            self._last_call.note_answer()
        elif not isinstance(reply, EngineUnreachableError):
            self._last_call.note_failure()
        return reply

    def close(self) -> None:
        """Close this process's connections. The next call opens new ones."""
        client = self._clients.pop(os.getpid(), None)
        if client is not None:
            client.close_connection()  # type: ignore[no-untyped-call]

    def _client(self) -> _Client:
        """The client of this process, made when it is first asked for.

        There is no lock, since a fork may copy a held one: two threads may both make a client, which opens
        nothing, and agree on one. A parent's client is kept but never touched: its locks may be held as well, and
        closing it would be of no use to the parent.
        """
        process = os.getpid()
        client = self._clients.get(process)
        if client is None:
            made = _Client(self._endpoint, threads=self._threads, deadline_seconds=self._deadline_seconds)
            client = self._clients.setdefault(process, made)
        return client


@dataclass(frozen=True, slots=True)
class _Endpoint:
    scheme: str
    host: str
    port: int
    dial: Dial


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    body: bytes


class _Client(OpaClient):
    """opa-python-client with a session that trusts nothing but its own settings, and calls in bytes."""

    def __init__(self, endpoint: _Endpoint, *, threads: int, deadline_seconds: float) -> None:
        self._dial = endpoint.dial
        self._threads = threads
        self._deadline_seconds = deadline_seconds
        super().__init__(  # type: ignore[no-untyped-call]
            host=endpoint.host,
            port=endpoint.port,
            ssl=endpoint.scheme == "https",
            headers=_HEADERS,
            retries=0,
            timeout=deadline_seconds,
        )

    def _init_session(self) -> requests.Session:
        """See `OpaClient._init_session`."""
        session = super()._init_session()
        session.trust_env = False
        session.max_redirects = 0
        adapter = DeadlineAdapter(self._dial, connections=self._threads, tls=bool(self.ssl))
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        self._pool = adapter.poolmanager.connection_from_url(self.root_url)
        return session

    def exchange(self, method: str, target: str, body: bytes | None) -> _Reply | EngineUnavailableError | DeadlineError:
        """Send a request, once more if a connection was lost, and read the answer. Returns failures as values.

        Sending twice is safe: an evaluation changes nothing. It asks the pool of the session's adapter directly:
        requests takes 0.1 of 0.4 ms for what is not needed here, and its exceptions hold the request.
        """
        with opa_transport.limits(seconds=self._deadline_seconds, received_bytes=MAX_ANSWER_BYTES):
            try:
                return self._attempt(method, target, body)
            except _FAILURES as error:
                was_cut = any(isinstance(cause, ConnectionError) for cause in error.args)
            if opa_transport.is_absent():
                return EngineUnreachableError("the policy engine cannot be reached: nobody listens there")
            if was_cut:
                opa_transport.demand_fresh_connection()
                try:
                    return self._attempt(method, target, body)
                except _FAILURES:
                    pass  # its text is not for the caller: it may quote what the server sent
            if opa_transport.is_expired():
                return DeadlineError(f"the policy engine did not answer within {self._deadline_seconds:g} s")
            if opa_transport.is_exhausted():
                return EngineUnavailableError(f"the policy engine's answer is longer than {MAX_ANSWER_BYTES} bytes")
            return EngineUnavailableError("the policy engine could not be reached or broke off")

    def _attempt(self, method: str, target: str, body: bytes | None) -> _Reply:
        response = self._pool.urlopen(
            method,
            target,
            body=body,
            headers=_HEADERS,
            retries=_NO_RETRIES,
            redirect=False,
            assert_same_host=False,
            preload_content=False,
            decode_content=False,
        )
        try:
            # With a length, since without one as much memory is reserved as the answer's header asks for.
            content = response.read(MAX_ANSWER_BYTES)
            if response.length_remaining:
                raise ProtocolError("the answer was cut short")
            return _Reply(response.status, content)
        finally:
            # A connection whose answer was read to its end is back in the pool already, and stays open.
            response.close()
            response.release_conn()


def _read_endpoint(url: str) -> _Endpoint:
    """Read where OPA listens. The URL is not repeated in the error: it might hold a password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = SplitResult("", "", "", "", ""), None
    host = parts.hostname or ""
    plain = not parts.query and not parts.fragment and "@" not in parts.netloc and port != 0
    if plain and parts.scheme == "unix" and not parts.netloc and parts.path.startswith("/") and len(parts.path) > 1:
        return _Endpoint("http", "localhost", 80, partial(opa_transport.dial_unix, parts.path))
    if plain and parts.scheme in _DEFAULT_PORTS and host and parts.path in {"", "/"}:
        port = port or _DEFAULT_PORTS[parts.scheme]
        literal = f"[{host}]" if ":" in host else host
        return _Endpoint(parts.scheme, literal, port, partial(opa_transport.dial_tcp, host, port))
    raise SettingsError("the URL of the OPA server must be http://HOST:PORT, https://HOST:PORT or unix:///PATH")


def _result(reply: _Reply) -> Any:
    """Take the result out of OPA's answer. An undefined rule is an answer without a result."""
    answer = _parse(reply.body)
    if reply.status != 200:
        code = answer.get("code") if isinstance(answer, dict) else None
        told = f" ({code})" if isinstance(code, str) and _ERROR_CODE.fullmatch(code) else ""
        raise EngineUnavailableError(f"the policy engine answered with status {reply.status}{told}")
    if not isinstance(answer, dict):
        raise EngineUnavailableError("the policy engine's answer is not OPA's")
    if "result" not in answer:
        raise CannotDecideError("the policy engine has no evaluation: the rule is undefined or no bundle is loaded")
    return answer["result"]


def _parse(body: bytes) -> Any:
    """The JSON in `body`, or None: orjson's error would carry all of the body."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
