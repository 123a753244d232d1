# SPDX-License-Identifier: Apache-2.0
"""Record the phase that a request reached, because only the phase proves that it never arrived.

The class of an exception does not prove it: a failed handshake and a connection that broke after the server had started
a run raise the same TLS error. So the connections record when the first byte of a request is passed to the socket. An
unrecorded phase is unknown, and a request in an unknown phase may have arrived.
"""

from __future__ import annotations

import http.client
import io
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, cast

import requests
from urllib3 import HTTPConnectionPool, PoolManager
from urllib3.connection import HTTPConnection

from airflow_provider_studio.client.response_limits import MeteredReader, ResponseMeter


class Phase(StrEnum):
    """The phase that a request reached."""

    UNKNOWN = "unknown"
    """Nothing was recorded."""
    CONNECTING = "connecting"
    """No byte was passed to a socket: name lookup, TCP, a proxy's tunnel and the TLS handshake come first."""
    SENT = "sent"
    """At least one byte was passed to the socket."""
    RESPONDING = "responding"
    """Status and headers of the response were read."""


@dataclass
class Delivery:
    """The record of one request.

    :param meter: measures its response; None does not limit it.
    """

    meter: ResponseMeter | None = None
    phase: Phase = Phase.UNKNOWN


_current: ContextVar[Delivery | None] = ContextVar("studio_delivery", default=None)


@contextmanager
def recorded(meter: ResponseMeter | None = None) -> Iterator[Delivery]:
    """Yield the record of the request that this thread sends in this context, through `RecordingAdapter`.

    :param meter: measures the response, also while its body is read after this context.
    """
    delivery = Delivery(meter)
    token = _current.set(delivery)
    try:
        yield delivery
    finally:
        _current.reset(token)


def _record(phase: Phase) -> None:
    delivery = _current.get()
    if delivery is not None:
        delivery.phase = phase


class _MeteredResponse(http.client.HTTPResponse):
    """Reads from its socket through the meter of the request."""

    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        delivery = _current.get()
        if delivery is not None and delivery.meter is not None:
            self.fp = io.BufferedReader(MeteredReader(self.fp.detach(), sock, delivery.meter))


class _RecordingConnection(HTTPConnection):
    """Records the first byte of a request, and meters the response. CONNECT to a proxy is part of connecting."""

    response_class = _MeteredResponse
    _is_connecting = False

    def connect(self) -> None:
        self._is_connecting = True
        try:
            super().connect()
        finally:
            self._is_connecting = False

    def send(self, data: Any) -> None:
        if not self._is_connecting:
            if self.sock is None and self.auto_open:
                self.connect()  # otherwise it happens below, where its failure is indistinguishable from that of a send
            _record(Phase.SENT)
        super().send(data)


@cache
def _recording(pool: type[HTTPConnectionPool]) -> type[HTTPConnectionPool]:
    """Return a class of connection pool whose connections record the phase, also through a SOCKS proxy."""
    plain = pool.ConnectionCls
    connection = type(f"Recording{plain.__name__}", (_RecordingConnection, plain), {})
    return cast("type[HTTPConnectionPool]", type(f"Recording{pool.__name__}", (pool,), {"ConnectionCls": connection}))


class RecordingAdapter(requests.adapters.HTTPAdapter):
    """Sends requests over connections that record the phase of each."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Create the pools of direct connections."""
        super().init_poolmanager(*args, **kwargs)
        _record_phases(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Create the pools of connections through one proxy."""
        is_new = proxy not in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **kwargs)
        if is_new:
            _record_phases(manager)
        return manager

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        """Send a request; it is in the phase CONNECTING until a connection records its first byte."""
        _record(Phase.CONNECTING)
        response = super().send(*args, **kwargs)
        _record(Phase.RESPONDING)
        return response


def _record_phases(manager: PoolManager) -> None:
    manager.pool_classes_by_scheme = {
        scheme: _recording(pool) for scheme, pool in manager.pool_classes_by_scheme.items()
    }
