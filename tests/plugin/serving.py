# SPDX-License-Identifier: Apache-2.0
"""The pages behind a real uvicorn, with middleware of the kinds that Airflow puts around a plugin's app."""

from __future__ import annotations

import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI, Request, Response
from starlette.middleware.gzip import GZipMiddleware

DEADLINE_SECONDS = 60.0


async def _unchanged(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    return await call_next(request)


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """Serve an app on a free port and return its URL."""
    app.middleware("http")(_unchanged)  # Starlette's BaseHTTPMiddleware, which Airflow refreshes cookies with
    app.add_middleware(GZipMiddleware, minimum_size=1024)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True
        thread.join(DEADLINE_SECONDS)


def wait_until(condition: Callable[[], bool]) -> None:
    """Return once a condition is true.

    :raises TimeoutError: it does not become true.
    """
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the condition did not become true")
        time.sleep(0.01)
