# SPDX-License-Identifier: Apache-2.0
"""An HTTP server that responds with chosen bytes, for responses that no library would send."""

from __future__ import annotations

import socket
import time
from contextlib import suppress

from tests.tls_server import Listener


class RawServer(Listener):
    """Responds to each connection with the same bytes. A context manager.

    :param start: sent once.
    :param endless: sent after it until the client hangs up; without it, the connection is closed.
    :param pause: the seconds before each time.
    """

    def __init__(self, start: bytes, endless: bytes = b"", *, pause: float = 0.0) -> None:
        self._start, self._endless, self._pause = start, endless, pause
        super().__init__()
        self.url = f"http://127.0.0.1:{self.port}"
        self.requests: list[bytes] = []
        self.sent_bytes = 0

    def _serve(self, raw: socket.socket) -> None:
        with raw, suppress(OSError):
            self.requests.append(raw.recv(65536))
            raw.sendall(self._start)
            while self._endless:
                time.sleep(self._pause)
                raw.sendall(self._endless)
                self.sent_bytes += len(self._endless)
            raw.shutdown(socket.SHUT_WR)
            raw.recv(1)
