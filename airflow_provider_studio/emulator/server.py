# SPDX-License-Identifier: Apache-2.0
"""The emulator as an ASGI application and as a server: in a thread for tests, or a process of the command line."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import threading
from collections.abc import Collection
from datetime import datetime
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from airflow_provider_studio.emulator import control
from airflow_provider_studio.emulator.browser_guard import BrowserGuard
from airflow_provider_studio.emulator.contrary import contrary_service
from airflow_provider_studio.emulator.control_client import EmulatorControl
from airflow_provider_studio.emulator.middleware import ApiMiddleware
from airflow_provider_studio.emulator.replay import Replay
from airflow_provider_studio.emulator.routes import Api
from airflow_provider_studio.emulator.state import SECRET, EmulatorState
from airflow_provider_studio.emulator.tls import ThrowAwayAuthority


def make_app(state: EmulatorState, names: Collection[str] = (), replay: Replay | None = None) -> BrowserGuard:
    """Create the application for a state.

    :param names: names of this host by which clients request it, besides `localhost` and IP addresses.
    :param replay: recorded responses to serve instead of the emulated API.
    """
    if replay is not None:
        replay.prepare(state)
    return BrowserGuard(ApiMiddleware(replay or Api(), _controls(), state), names)


@functools.cache
def _controls() -> FastAPI:
    """Create the control endpoints once, because FastAPI is slow at it; they read the state from each request."""
    controls = FastAPI(title="Studio emulator", docs_url=None, redoc_url=None, openapi_url=None)
    controls.include_router(control.router)
    return controls


class Server(uvicorn.Server):
    """A server that stops immediately; uvicorn's sleeps for a fifth of a second, and a test suite stops hundreds."""

    _TICK_SECONDS = 0.1
    _SHUTDOWN_POLL_SECONDS = 0.001

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Stop the server from another thread."""
        self.should_exit = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed already
                self._loop.call_soon_threadsafe(self._stopping.set)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to serve."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        """Serve until `stop`, or a signal, which sets `should_exit`."""
        ticks = 0
        while not await self.on_tick(ticks):
            ticks += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self._TICK_SECONDS)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, and finish the responses in progress."""
        for server in self.servers:
            server.close()
        for sock in sockets or []:
            sock.close()
        state = self.server_state
        for connection in list(state.connections):
            connection.shutdown()
        while (state.connections or state.tasks) and not self.force_exit:  # noqa: ASYNC110  uvicorn has no event for it
            await asyncio.sleep(self._SHUTDOWN_POLL_SECONDS)


def make_server(
    state: EmulatorState,
    authority: ThrowAwayAuthority | None = None,
    names: Collection[str] = (),
    replay: Replay | None = None,
) -> Server:
    """Create a server without logs for a state; the caller passes the sockets to it.

    :param authority: issues the certificate of a server that speaks TLS.
    :param names: as in `make_app`.
    :param replay: as in `make_app`.
    """
    config = uvicorn.Config(
        make_app(state, names, replay),
        log_level="critical",
        access_log=False,
        lifespan="off",
        timeout_keep_alive=60,
        date_header=False,  # the quirk `date_header` decides
    )
    if authority is not None:
        state.speaks_tls = True
        authority.serve_with(config, lambda: state.faults)
    return Server(config)


def listen(host: str, port: int) -> socket.socket:
    """Listen on a port; clients can connect before the server runs. 0 selects a free port.

    :raises OSError: the port is in use or not permitted.
    """
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(128)
    except OSError:
        bound.close()
        raise
    return bound


class StudioEmulator:
    """A context manager that serves an emulated workspace over HTTP on the loopback, from a thread of this process.

    With `tls`, clients trust it if `REQUESTS_CA_BUNDLE` is its `ca_file`, which is None without.

    :param workspace: the workspace's name.
    :param reports: how many Reports it has initially.
    :param seed: determines the initial workspace.
    :param port: the port; 0 selects a free one.
    :param rate_limit: whether the service's limit is enforced.
    :param now: its initial time; the real time by default.
    :param speed: emulated seconds per real second; 0 stops its clock, which `control` can still set.
    :param tls: whether it serves HTTPS, with a certificate of a new authority.
    :param contrary: a seed that chooses a setting of everything that is not certain about the service, TLS included;
        `contrary_service` is what it chose.
    :param replay: a cassette of `airflow studio doctor --record` to serve instead; `workspace` is then that of the
        cassette.
    """

    def __init__(
        self,
        workspace: str = "acme",
        *,
        reports: int = 50,
        seed: int = 7,
        port: int = 0,
        rate_limit: bool = False,
        now: datetime | None = None,
        speed: float = 1.0,
        tls: bool = False,
        contrary: int | None = None,
        replay: Path | None = None,
    ) -> None:
        recorded = None if replay is None else Replay(replay)
        if recorded is not None:
            workspace, reports = recorded.workspace, 0
        self.workspace = workspace
        self.contrary_service = chosen = None if contrary is None else contrary_service(contrary)
        tls = tls or (chosen is not None and chosen.tls)
        self._state = EmulatorState(workspace, reports, seed, now, speed, quirks=chosen.quirks if chosen else None)
        self._state.limits.configure(enabled=rate_limit, **(chosen.limit if chosen else {}))
        self._socket = listen("127.0.0.1", port)
        self._authority = ThrowAwayAuthority() if tls else None
        self.ca_file = self._authority.ca_file if self._authority else None
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._socket.getsockname()[1]}"
        self.control = EmulatorControl(self.url, self.ca_file)
        self._server = make_server(self._state, self._authority, replay=recorded)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="studio-emulator", daemon=True
        )

    @staticmethod
    def credentials(kind: str = "workspace") -> tuple[str, str]:
        """Return the public token and secret of a kind: workspace, member or personal."""
        return f"emulator-{kind}", SECRET

    def __enter__(self) -> StudioEmulator:
        self._thread.start()
        while not self._server.ready.wait(0.1):
            if not self._thread.is_alive():
                raise RuntimeError("the emulator did not start")
        return self

    def __exit__(self, *_exc: object) -> None:
        self._server.force_exit = self._authority is not None  # an idle client does not respond to close_notify
        self._server.stop()
        self._thread.join(10)
        self._socket.close()
        if self._authority is not None:
            self._authority.close()
