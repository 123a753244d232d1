# SPDX-License-Identifier: Apache-2.0
"""The emulator as an ASGI application, and as a server: in a thread for tests, in a process from the command line."""

from __future__ import annotations

import socket
import threading
from datetime import datetime

import uvicorn
from fastapi import FastAPI

from airflow_provider_studio.emulator import control
from airflow_provider_studio.emulator.control_client import EmulatorControl
from airflow_provider_studio.emulator.gate import Gate
from airflow_provider_studio.emulator.routes import Api
from airflow_provider_studio.emulator.state import SECRET, EmulatorState


def make_app(state: EmulatorState) -> Gate:
    """Return the application for a state."""
    controls = FastAPI(title="Studio emulator", docs_url=None, redoc_url=None, openapi_url=None)
    controls.state.emulator = state
    controls.include_router(control.router)
    return Gate(Api(), controls, state)


def make_server(state: EmulatorState) -> uvicorn.Server:
    """Return a quiet server for a state; the caller gives it its sockets."""
    config = uvicorn.Config(
        make_app(state), log_level="critical", access_log=False, lifespan="off", timeout_keep_alive=60
    )
    return uvicorn.Server(config)


def listen(host: str, port: int) -> socket.socket:
    """Listen on a port, so that whoever connects from now on is answered once the server runs; 0 takes a free one.

    :raises OSError: the port is taken or may not be used.
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
    """An emulated workspace that serves real HTTP on the loopback from a thread of this process. A context manager.

    :param workspace: the workspace's name.
    :param reports: how many Reports it begins with.
    :param seed: what makes it the same again.
    :param port: where it listens; 0 takes a free port.
    :param rate_limit: whether the true limit is enforced.
    :param now: its time at the beginning; the real one by default.
    :param speed: emulated seconds in a real one; 0 stands still and is moved by hand.
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
    ) -> None:
        self.workspace = workspace
        self._state = EmulatorState(workspace, reports, seed, now, speed)
        self._state.limits.configure(enabled=rate_limit)
        self._socket = listen("127.0.0.1", port)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.control = EmulatorControl(self.url)
        self._server = make_server(self._state)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="studio-emulator", daemon=True
        )

    @staticmethod
    def credentials(kind: str = "workspace") -> tuple[str, str]:
        """Return the public token and secret of a kind: workspace, member or personal."""
        return f"emulator-{kind}", SECRET

    def __enter__(self) -> StudioEmulator:
        self._thread.start()
        while not self._server.started:
            self._thread.join(0.01)
        return self

    def __exit__(self, *_exc: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self._socket.close()
