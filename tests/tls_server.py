# SPDX-License-Identifier: Apache-2.0
"""A TLS server and a CONNECT proxy that misbehave at a chosen point, over real sockets."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

import trustme

NAME = "studio.example.test"
"""The name of another host, for requests through a proxy."""


class Listener:
    """Accepts connections on a free port of the loopback and serves each in a thread. A context manager."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                raw, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(raw,), daemon=True).start()

    def _serve(self, raw: socket.socket) -> None:
        raise NotImplementedError


class TlsServer(Listener):
    """Receives requests over TLS and counts those that took effect. A context manager.

    :param ca: issues the certificate.
    :param misbehave: called with the connection after each request; by default it responds 200 with an empty object.
    :param handshake: called with the raw socket instead of the handshake.
    """

    def __init__(
        self,
        ca: trustme.CA,
        misbehave: Callable[[TlsConnection], None] | None = None,
        *,
        handshake: Callable[[socket.socket], None] | None = None,
    ) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert("127.0.0.1", "localhost", NAME).configure_cert(self._context)
        self._misbehave, self._handshake = misbehave or TlsConnection.respond, handshake
        super().__init__()
        self.url = f"https://127.0.0.1:{self.port}"
        self.connections = 0
        self.requests: list[bytes] = []

    def _serve(self, raw: socket.socket) -> None:
        self.connections += 1
        with raw, suppress(OSError):
            if self._handshake is not None:
                self._handshake(raw)
                return
            connection = TlsConnection(raw, self._context)
            while request := connection.read_request():
                self.requests.append(request)
                self._misbehave(connection)


class TlsConnection:
    """One connection with access to its TLS records, so that any of them can be wrong."""

    def __init__(self, raw: socket.socket, context: ssl.SSLContext) -> None:
        self.raw = raw
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._do(self._tls.do_handshake)

    def _do(self, step: Callable[..., Any], *arguments: Any) -> Any:
        while True:
            try:
                return step(*arguments)
            except ssl.SSLWantReadError:
                self.flush()
                received = self.raw.recv(65536)
                if not received:
                    return b""
                self._incoming.write(received)
            finally:
                self.flush()

    def flush(self) -> None:
        """Send the pending records."""
        if self._outgoing.pending:
            self.raw.sendall(self._outgoing.read())

    def read_request(self) -> bytes:
        """Read one request with its body; empty at the end of the connection."""
        text = b""
        while b"\r\n\r\n" not in text:
            received = self._do(self._tls.read, 65536)
            if not received:
                return b""
            text += received
        head, _, body = text.partition(b"\r\n\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        while len(body) < (int(lengths[0].partition(b":")[2]) if lengths else 0):
            body += self._do(self._tls.read, 65536)
        return head + b"\r\n\r\n" + body

    def respond(self, body: bytes = b"{}", announced: int | None = None) -> None:
        """Respond 200 with a body, and announce its length, or a larger one."""
        length = len(body) if announced is None else announced
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        self._do(self._tls.write, head.encode() + body)

    def send_alert(self) -> None:
        """Send the encrypted alert `bad_record_mac`, and close."""
        self._incoming.write(b"\x17\x03\x03\x00\x20" + b"?" * 32)  # OpenSSL responds to such a record with the alert
        with suppress(ssl.SSLError):
            self._tls.read(1)
        self.flush()

    def send_plain_text(self) -> None:
        """Send HTTP without encryption, as a proxy may."""
        self.raw.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")

    def close_without_notify(self) -> None:
        """End the connection without the alert `close_notify`."""
        self.raw.shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        """End the connection with a TCP reset."""
        reset(self.raw)


def reset(raw: socket.socket) -> None:
    """End a connection with a TCP reset."""
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raw.close()


def refuse_handshake(raw: socket.socket) -> None:
    """Respond to the client's first record with the fatal alert `handshake_failure`."""
    raw.recv(65536)
    raw.sendall(b"\x15\x03\x03\x00\x02\x02\x28")


def never_shake_hands(raw: socket.socket) -> None:
    """Read without a response until the client gives up."""
    while raw.recv(65536):
        pass


class Proxy(Listener):
    """A CONNECT proxy. A context manager.

    :param target: the local port that every tunnel leads to.
    :param status: the status of the response to CONNECT.
    """

    def __init__(self, target: int, status: bytes = b"200 Connection established") -> None:
        self._target, self._status = target, status
        super().__init__()
        self.url = f"http://127.0.0.1:{self.port}"
        self.tunnels: list[bytes] = []

    def _serve(self, raw: socket.socket) -> None:
        with raw, suppress(OSError):
            self.tunnels.append(raw.recv(65536).split(b"\r\n")[0])
            raw.sendall(b"HTTP/1.1 " + self._status + b"\r\n\r\n")
            if not self._status.startswith(b"200"):
                return
            with socket.create_connection(("127.0.0.1", self._target)) as server:
                back = threading.Thread(target=_copy, args=(server, raw), daemon=True)
                back.start()
                _copy(raw, server)
                back.join(30)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
