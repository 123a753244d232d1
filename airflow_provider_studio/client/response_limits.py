# SPDX-License-Identifier: Apache-2.0
"""Limits of a response: how long it may take and how large it may be, whatever the server sends.

A read timeout alone limits only the time between two bytes. The limits apply where bytes leave the socket, so they also
cover headers, the frames of a chunked body, and interim responses; a second count covers what is decompressed.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn, cast

MAX_RESPONSE_MB = 16
MAX_DOWNLOAD_MB = 10_000
_BYTES_PER_MB = 1_000_000
_TIMEOUTS_PER_RESPONSE = 2
_STALLED_AFTER_SECONDS = 120.0
_PROGRESS_BYTES = 65_536


class ResponseLimitError(OSError):
    """A response exceeded a limit. It is an OSError so that the layers of HTTP close the connection."""


@dataclass(frozen=True)
class ResponseLimits:
    """The limits of one response.

    :param seconds: how long it may take.
    :param max_mb: its size in MB, compressed and decompressed.
    :param option: the name of the `[studio]` option that sets the size.
    :param progress_bytes: if it is set, `seconds` are for each this many bytes instead of for all.
    """

    seconds: float
    max_mb: float
    option: str
    progress_bytes: int | None = None

    @classmethod
    def of_api(cls, timeout_seconds: float, max_mb: float) -> ResponseLimits:
        """Return the limits of a response that is read into memory."""
        return cls(_TIMEOUTS_PER_RESPONSE * timeout_seconds, max_mb, "max_response_mb")

    @classmethod
    def of_download(cls, timeout_seconds: float, max_mb: float) -> ResponseLimits:
        """Return the limits of a response that is streamed into a file, which may take hours while it progresses."""
        seconds = max(_TIMEOUTS_PER_RESPONSE * timeout_seconds, _STALLED_AFTER_SECONDS)
        return cls(seconds, max_mb, "max_download_mb", _PROGRESS_BYTES)


@dataclass
class ResponseMeter:
    """Measures one response against its limits.

    :param excess: which limit was exceeded, in words; None so far.
    :param is_too_large: whether it was the size.
    """

    limits: ResponseLimits
    now: Callable[[], float] = time.monotonic
    excess: str | None = None
    is_too_large: bool = False
    _started_at: float = field(init=False, default=0.0)
    _read_bytes: int = field(init=False, default=0)
    _progress_at_bytes: int = field(init=False, default=0)
    _decoded_bytes: int = field(init=False, default=0)

    def start(self) -> None:
        """Start to count the time."""
        self._started_at = self.now()

    def apply(self, limits: ResponseLimits) -> None:
        """Apply other limits from now on: an error in place of a download is read like any error."""
        self.limits = limits
        self.start()

    def seconds_left(self) -> float:
        """Return how long the next read may take.

        :raises ResponseLimitError: the time is over.
        """
        left = self._started_at + self.limits.seconds - self.now()
        if left <= 0:
            self.expire()
        return left

    def expire(self) -> NoReturn:
        """End the response because its time is over.

        :raises ResponseLimitError: always.
        """
        progress = self.limits.progress_bytes
        what = "the response was not complete" if progress is None else f"fewer than {progress:,} bytes arrived"
        self._exceed(f"{what} within {self.limits.seconds:g} s")

    def count_read(self, size: int) -> None:
        """Count bytes that were read from the socket.

        :raises ResponseLimitError: they are too many.
        """
        self._read_bytes += size
        self._check_size(self._read_bytes)
        progress = self.limits.progress_bytes
        if progress is not None and self._read_bytes - self._progress_at_bytes >= progress:
            self._progress_at_bytes, self._started_at = self._read_bytes, self.now()

    def count_decoded(self, size: int) -> None:
        """Count bytes of the body after decompression.

        :raises ResponseLimitError: they are too many.
        """
        self._decoded_bytes += size
        self._check_size(self._decoded_bytes)

    def _check_size(self, size: int) -> None:
        if size > self.limits.max_mb * _BYTES_PER_MB:
            self.is_too_large = True
            self._exceed(
                f"the response is larger than {self.limits.max_mb:g} MB; if that is right, increase "
                f"[studio] {self.limits.option}"
            )

    def _exceed(self, excess: str) -> NoReturn:
        self.excess = excess
        raise ResponseLimitError(excess)


class MeteredReader(io.RawIOBase):
    """Reads from a socket through a meter. A read may take the socket's timeout, or the rest of the response's time.

    :param raw: the unbuffered file of the socket.
    """

    def __init__(self, raw: io.RawIOBase, sock: Any, meter: ResponseMeter) -> None:
        self._raw, self._sock, self._meter = raw, sock, meter
        self._timeout: float | None = sock.gettimeout()

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read what is available.

        :raises ResponseLimitError: the response exceeded a limit.
        """
        left = self._meter.seconds_left()
        is_last = self._timeout is None or left <= self._timeout
        self._sock.settimeout(left if is_last else self._timeout)
        try:
            size = self._raw.readinto(buffer)
        except TimeoutError:
            if is_last:
                self._meter.expire()
            raise
        self._meter.count_read(size or 0)
        return cast("int | None", size)

    def close(self) -> None:
        """Close the file of the socket."""
        if not self.closed:
            self._raw.close()
        super().close()
