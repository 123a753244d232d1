# SPDX-License-Identifier: Apache-2.0
"""A mail server on localhost that stores every message."""

from __future__ import annotations

import email
import email.policy
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage

_REPLIES = {"EHLO": b"250 localhost", "DATA": b"354 continue", "QUIT": b"221 bye"}


class _Session(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.wfile.write(b"220 localhost\r\n")
        for line in self.rfile:
            command = line.decode().strip().upper()[:4]
            self.wfile.write(_REPLIES.get(command, b"250 ok") + b"\r\n")
            if command == "QUIT":
                return
            if command == "DATA":
                self._message()

    def _message(self) -> None:
        lines = []
        for line in self.rfile:
            if line == b".\r\n":
                break
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        message = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
        self.server.messages.append(message)  # type: ignore[attr-defined]
        self.wfile.write(b"250 stored\r\n")


@contextmanager
def smtp_server() -> Iterator[tuple[int, list[EmailMessage]]]:
    """Yield the port and the list of received messages."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Session) as server:
        server.daemon_threads = True
        messages: list[EmailMessage] = []
        server.messages = messages  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1], messages
        finally:
            server.shutdown()
