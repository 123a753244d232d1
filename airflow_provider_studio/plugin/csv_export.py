# SPDX-License-Identifier: Apache-2.0
"""Pieces of CSV become a response that is complete or visibly broken.

The file is written to disk before the response begins. So an error has its own status, the response states its exact
length, and a slow client holds neither a query nor memory. A stream cannot do that: Airflow's middleware ends a stream
that fails in the middle as if it were complete.
"""

from __future__ import annotations

import asyncio
import functools
import gzip
import os
import tempfile
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import IO, Any, cast

from fastapi import Request
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from airflow_provider_studio.governance.errors import StorageError
from airflow_provider_studio.governance.storage import make_private_folder
from airflow_provider_studio.plugin.query_limits import EXPORTS, BusyError

_BYTES_IN_A_CHUNK = 256 * 1024


class ClientGoneError(Exception):
    """The client disconnected before its export was ready."""


class Exports:
    """Writes exports in threads of its own, so that waiting exports hold none of Airflow's threads.

    :param at_once: how many are written at the same time.
    :param queue: how many more may wait; further ones are refused.
    :param most_open: how many files may exist, including those that clients are downloading.
    :param stall_seconds: how long a client may receive nothing before the connection is closed.
    """

    def __init__(
        self, *, at_once: int = EXPORTS.at_once, queue: int = 8, most_open: int = 64, stall_seconds: float = 120
    ) -> None:
        self._most_waiting = at_once + queue
        self._most_open = most_open
        self._stall_seconds = stall_seconds
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="studio-export")
        self._waiting = 0
        self._files: weakref.WeakSet[IO[bytes]] = weakref.WeakSet()

    async def response(self, request: Request, pieces: Iterator[str], folder: Path, name: str) -> StreamingResponse:
        """Return a CSV as a download, after it is written completely.

        :param folder: where the file is written; it has no name there, so that no other process can open it.
        :param name: the download's name.
        :raises BusyError: too many exports are waiting, or being downloaded.
        :raises ClientGoneError: the client disconnected.
        :raises StorageError: the file cannot be written.
        """
        downloading = sum(not file.closed for file in self._files)
        if self._waiting >= self._most_waiting or self._waiting + downloading >= self._most_open:
            raise BusyError("Too many exports run at the moment.")
        compressed = "gzip" in request.headers.get("accept-encoding", "")
        self._waiting += 1
        try:
            file = await self._written(request, pieces, folder, compressed=compressed)
        finally:
            self._waiting -= 1
        self._files.add(file)
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Vary": "Accept-Encoding"}
        if compressed:
            headers["Content-Encoding"] = "gzip"
        return _Download(file, headers, self._stall_seconds)

    async def _written(self, request: Request, pieces: Iterator[str], folder: Path, *, compressed: bool) -> IO[bytes]:
        stopped = threading.Event()
        write = functools.partial(_write, pieces, folder, stopped, compressed=compressed)
        writing = asyncio.get_running_loop().run_in_executor(self._pool, write)
        disconnecting = asyncio.ensure_future(_disconnect(request))
        try:
            first: set[asyncio.Future[Any]] = {writing, disconnecting}
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            if not writing.done():
                raise ClientGoneError
            return writing.result()
        finally:
            stopped.set()
            disconnecting.cancel()
            writing.cancel()


def _write(pieces: Iterator[str], folder: Path, stopped: threading.Event, *, compressed: bool) -> IO[bytes]:
    """Write the pieces into a file without a name.

    A file that is compressed here is not changed by Airflow's middleware, so its length stays true.
    """
    try:
        make_private_folder(folder)
        with ExitStack() as on_error:
            file = cast("IO[bytes]", on_error.enter_context(tempfile.TemporaryFile(dir=folder)))
            with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=5) if compressed else nullcontext(file) as target:
                for piece in pieces:
                    if stopped.is_set():
                        raise ClientGoneError
                    target.write(piece.encode())
            file.flush()
            on_error.pop_all()
    except OSError as error:
        raise StorageError(
            f"The export cannot be written to {folder}: {error.strerror}. Check that this disk has room."
        ) from None
    return file


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        continue


class _Download(StreamingResponse):
    """A file with a known length, which is closed when its client finishes, disconnects or stalls."""

    def __init__(self, file: IO[bytes], headers: dict[str, str], stall_seconds: float) -> None:
        length = file.seek(0, os.SEEK_END)
        file.seek(0)
        super().__init__(_chunks(file), media_type="text/csv", headers={**headers, "Content-Length": str(length)})
        self._file = file
        self._stall_seconds = stall_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(self._stall_seconds):
                await send(message)

        with self._file:
            await super().__call__(scope, receive, send_in_time)


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(_BYTES_IN_A_CHUNK):
        yield chunk
