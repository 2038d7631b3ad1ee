"""Stands between a client and PostgreSQL and breaks the connection at a COMMIT, in one of the ways networks do."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

_SOCKET = ".s.PGSQL.5432"
_COMMIT = b"COMMIT\0"

Fault = Literal["lose-commit", "lose-answer", "delay-commit"]
"""What happens to the next COMMIT, whose client is cut off: it never arrives, only its answer is lost, or it arrives
when `released` is set."""


@dataclass(slots=True)
class PostgreSQLProxy:
    """A running proxy. `folder` has the socket that clients connect to."""

    folder: Path
    server: Path
    fault: Fault | None = None
    released: threading.Event = field(default_factory=threading.Event)
    stopping: threading.Event = field(default_factory=threading.Event)

    def serve(self, client: socket.socket) -> None:
        """Hand messages on in both directions until one side ends."""
        with ExitStack() as stack:
            stack.enter_context(closing(client))
            server = stack.enter_context(socket.socket(socket.AF_UNIX))
            try:
                server.connect(str(self.server / _SOCKET))
                while self._hand_on(client, server):
                    pass
            except OSError:
                return  # one side is gone, and the other follows

    def _hand_on(self, client: socket.socket, server: socket.socket) -> bool:
        for ready in select.select([client, server], [], [], 0.1)[0]:
            data = ready.recv(65_536)
            if ready is client and self.fault is not None and data.endswith(_COMMIT):
                self._break(client, server, data)
                return False
            (server if ready is client else client).sendall(data)
            if not data:
                return False
        return not self.stopping.is_set()

    def _break(self, client: socket.socket, server: socket.socket, commit: bytes) -> None:
        fault, self.fault = self.fault, None
        if fault == "delay-commit":
            client.close()
            self.released.wait()
        if fault != "lose-commit":
            server.sendall(commit)
            server.recv(65_536)


@contextmanager
def run_proxy(folder: Path, server: Path) -> Iterator[PostgreSQLProxy]:
    """A proxy in `folder` to the server whose socket is in `server`, until the block ends."""
    proxy = PostgreSQLProxy(folder, server)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / _SOCKET))
        listener.listen()
        listener.settimeout(0.1)
        threads: list[threading.Thread] = []

        def accept() -> None:
            while not proxy.stopping.is_set():
                try:
                    client, _ = listener.accept()
                except TimeoutError:
                    continue
                client.settimeout(None)
                threads.append(threading.Thread(target=proxy.serve, args=(client,)))
                threads[-1].start()

        threads.append(threading.Thread(target=accept))
        threads[0].start()
        try:
            yield proxy
        finally:
            proxy.stopping.set()
            proxy.released.set()
            for thread in threads:
                thread.join()
