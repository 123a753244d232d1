# SPDX-License-Identifier: Apache-2.0
"""Where ledgers are kept, named by a URL: `sqlite:///…` for all processes of one host, `memory://` for one process.

A store runs the ledger's algorithm atomically; a store for many hosts implements the same five calls where its data is.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol, cast
from urllib.parse import unquote, urlsplit

from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.client.ratelimit.budget import Budget, Priority, RateLimitFeedback
from airflow_provider_studio.client.ratelimit.ledger import Ledger

_BUSY_SECONDS = 30.0

Clock = Callable[[], float]


class SlotStore(Protocol):
    """What a limiter asks of a store. Each call is atomic for all users of the same key, and none of them sleeps."""

    def reserve(self, key: str, budget: Budget, priority: Priority) -> tuple[int, float]:
        """Take a place; its number and the seconds to wait (0.0: send now)."""

    def stamp(self, key: str, budget: Budget, number: int) -> float:
        """Ask to send from a place; the seconds to wait on (0.0: send now)."""

    def release(self, key: str, number: int) -> None:
        """Give a place back unused."""

    def observe(self, key: str, budget: Budget, feedback: RateLimitFeedback) -> None:
        """Correct the ledger by what the server said."""

    def pause(self, key: str, seconds: float) -> None:
        """Let nobody send for so long."""


class LedgerStore(ABC):
    """Runs the algorithm in this process on a ledger that a subclass loads and saves."""

    @abstractmethod
    def _ledger(self, key: str) -> AbstractContextManager[tuple[Ledger, float]]:
        """Yield the key's ledger and the time, alone with it; keep what was changed."""

    def reserve(self, key: str, budget: Budget, priority: Priority) -> tuple[int, float]:
        """Take a place; its number and the seconds to wait (0.0: send now)."""
        with self._ledger(key) as (ledger, now):
            return ledger.reserve(now, budget, priority)

    def stamp(self, key: str, budget: Budget, number: int) -> float:
        """Ask to send from a place; the seconds to wait on (0.0: send now)."""
        with self._ledger(key) as (ledger, now):
            return ledger.stamp(now, budget, number)

    def release(self, key: str, number: int) -> None:
        """Give a place back unused."""
        with self._ledger(key) as (ledger, _):
            ledger.release(number)

    def observe(self, key: str, budget: Budget, feedback: RateLimitFeedback) -> None:
        """Correct the ledger by what the server said."""
        with self._ledger(key) as (ledger, now):
            ledger.observe(now, budget, feedback)

    def pause(self, key: str, seconds: float) -> None:
        """Let nobody send for so long."""
        with self._ledger(key) as (ledger, now):
            ledger.pause(now, seconds)


class MemoryStore(LedgerStore):
    """Ledgers of this process alone.

    :param now: the clock, in seconds.
    """

    def __init__(self, now: Clock = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._ledgers: dict[str, Ledger] = {}

    @contextmanager
    def _ledger(self, key: str) -> Iterator[tuple[Ledger, float]]:
        with self._lock:
            yield self._ledgers.setdefault(key, Ledger()), self._now()


class SQLiteStore(LedgerStore):
    """Ledgers in a file, for all processes of one host.

    Stamps are of the monotonic clock, which no change of the wall clock moves; a reboot starts it anew, so a ledger
    carries the boot it belongs to. A killed holder's transaction is rolled back by SQLite.

    :param path: the file; its folder is created.
    :param now: the clock, in seconds.
    :raises StudioConfigurationError: the folder cannot be written, or is on a network file system, whose locks cannot
        be trusted.
    """

    def __init__(self, path: Path, now: Clock = time.monotonic) -> None:
        self._path = path
        self._now = now
        self._boot = _boot_id()
        self._local = threading.local()
        _refuse_network_file_system(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unusable(error.strerror or str(error)) from None

    @contextmanager
    def _ledger(self, key: str) -> Iterator[tuple[Ledger, float]]:
        try:
            connection = self._connection()
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise self._unusable(str(error)) from None
        try:
            row = connection.execute("SELECT boot, ledger FROM ledgers WHERE key = ?", (key,)).fetchone()
            text = row[1] if row is not None and row[0] == self._boot else None
            ledger = Ledger() if text is None else Ledger.from_json(json.loads(text))
            yield ledger, self._now()
            changed = json.dumps(ledger.to_json(), separators=(",", ":"))
            if changed != text:
                connection.execute("REPLACE INTO ledgers VALUES (?, ?, ?)", (key, self._boot, changed))
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._unusable(str(error)) from None
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _connection(self) -> sqlite3.Connection:
        """Return this thread's connection, made in this process: SQLite's do not survive a fork."""
        if getattr(self._local, "pid", None) != os.getpid():
            connection = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("CREATE TABLE IF NOT EXISTS ledgers (key TEXT PRIMARY KEY, boot TEXT, ledger TEXT)")
            self._local.pid, self._local.connection = os.getpid(), connection
        return cast("sqlite3.Connection", self._local.connection)

    def _unusable(self, reason: str) -> StudioConfigurationError:
        return StudioConfigurationError(
            f"The rate limit's ledger {self._path} cannot be used: {reason}. Set [studio] rate_limit_url to "
            "sqlite:////a/folder/on/this/host/that/every/worker/may/write/ratelimit.db."
        )


def store_from_url(url: str) -> SlotStore:
    """Return the store that a URL names.

    :raises StudioConfigurationError: an unknown scheme, or a path that is not absolute.
    """
    parts = urlsplit(url)
    if parts.scheme == "memory":
        return MemoryStore()
    if parts.scheme == "sqlite":
        path = Path(unquote(parts.path.removeprefix("/")))
        if parts.netloc or not path.is_absolute():
            raise StudioConfigurationError(
                f"rate_limit_url is {url!r}; the path must be absolute, with four slashes: sqlite:////var/lib/…"
            )
        return SQLiteStore(path)
    raise StudioConfigurationError(
        f"rate_limit_url has the scheme {parts.scheme!r}; it must be sqlite:////an/absolute/path.db or memory://."
    )


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"


_NETWORK_FILE_SYSTEMS = {
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "ceph",
    "glusterfs",
    "fuse.sshfs",
    "9p",
    "afs",
}


def _refuse_network_file_system(path: Path) -> None:
    try:
        mounts = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    fields = [line.split(" ") for line in mounts]
    holding = [entry for entry in fields if path.is_relative_to(entry[1].replace("\\040", " "))]
    kind = max(holding, key=lambda entry: len(entry[1]))[2] if holding else ""
    if kind in _NETWORK_FILE_SYSTEMS:
        raise StudioConfigurationError(
            f"rate_limit_url points to {path}, which is on {kind}: its locks cannot be trusted. "
            "Choose a folder on a disk of this host."
        )
