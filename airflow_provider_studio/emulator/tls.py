# SPDX-License-Identifier: Apache-2.0
"""HTTPS for the emulator: a temporary certificate authority, and the TLS faults."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn

from airflow_provider_studio.emulator.faults import Faults
from airflow_provider_studio.extras import needs_extra

_NAMES = ("localhost", "127.0.0.1", "::1")


class ThrowAwayAuthority:
    """A temporary certificate authority, whose key is never written to a file, and its certificate for this machine.

    :param ca_file: where to write the authority's certificate, for `REQUESTS_CA_BUNDLE`; a temporary file by default.
    """

    def __init__(self, ca_file: Path | None = None) -> None:
        with needs_extra("emulator", "The emulator's TLS"):
            import trustme
        self._authorities: tuple[Any, Any] = trustme.CA(), trustme.CA()
        self._folder = tempfile.TemporaryDirectory(prefix="studio-emulator-")
        self.ca_file = ca_file or Path(self._folder.name) / "ca.pem"
        self._authorities[0].cert_pem.write_to_path(str(self.ca_file))

    def serve_with(self, config: uvicorn.Config, faults: Callable[[], Faults]) -> None:
        """Configure a server for TLS, with faults in its handshakes."""
        certificate = Path(self._folder.name) / "server.pem"
        self._issue(0).private_key_and_cert_chain_pem.write_to_path(str(certificate))
        config.ssl_certfile = str(certificate)
        config.loop = "asyncio"  # faults need the internals of its TLS; uvloop hides them
        config.load()
        untrusted = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._issue(1).configure_cert(untrusted)

        def on_handshake(connection: Any, _name: str | None, _context: ssl.SSLContext) -> int | None:
            fault = faults().next_for_handshake()
            if fault is not None and fault.kind == "tls_untrusted":
                connection.context = untrusted
            return ssl.ALERT_DESCRIPTION_HANDSHAKE_FAILURE if fault and fault.kind == "tls_handshake" else None

        if config.ssl is not None:
            config.ssl.sni_callback = on_handshake  # called in each handshake, also without a server name

    def _issue(self, number: int) -> Any:
        return self._authorities[number].issue_cert(*_NAMES)

    def close(self) -> None:
        """Remove the files."""
        self._folder.cleanup()


class TlsConnection:
    """Access to the TLS records of one connection, which asyncio keeps private.

    :param transport: the transport of the ASGI server.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._protocol: Any = transport._ssl_protocol  # type: ignore[attr-defined]

    def send_alert(self) -> None:
        """Send the alert `bad_record_mac` instead of a response, and close."""
        self._protocol._incoming.write(b"\x17\x03\x03\x00\x20" + bytes(32))  # OpenSSL responds with the alert
        try:
            self._protocol._sslobj.read(1)
        except ssl.SSLError:
            self._protocol._transport.write(self._protocol._outgoing.read())
        self.close()

    def send_plain_text(self) -> None:
        """Send HTTP without encryption instead of a response, as a proxy may, and close."""
        self._protocol._transport.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
        self.close()

    def close(self) -> None:
        """Close without the alert `close_notify`."""
        self._protocol._transport.close()
