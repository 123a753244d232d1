# SPDX-License-Identifier: Apache-2.0
"""Ledgers in a SQLite file, for all processes of one host."""

from __future__ import annotations

import fcntl
import logging
import os
import pwd
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar, cast

import tenacity

from airflow_provider_studio.client.errors import StudioConfigurationError
from airflow_provider_studio.client.ratelimit.ledger import Ledger
from airflow_provider_studio.client.ratelimit.stores import Clock, LedgerStore, StoreUnavailableError

log = logging.getLogger(__name__)

_BUSY_SECONDS = 5.0
"""How long to wait for the lock of another process; each holds it for a fraction of a millisecond."""

_PERMISSION_ERRORS = {
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
}

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_SAVE = "REPLACE INTO ledgers (key, boot, ledger) VALUES (?, ?, ?)"  # a later version may have more columns

T = TypeVar("T")


class DamagedFileError(StoreUnavailableError, StudioConfigurationError):
    """The file is no database. It may belong to another program, so it stays unchanged and a private share is used."""


class UnwritableFileError(StoreUnavailableError, StudioConfigurationError):
    """This user may not write the file or its folder; a private share is used."""


class SQLiteStore(LedgerStore):
    """Ledgers in a file, for all processes of one host.

    Times are of the monotonic clock, which is independent of the wall clock. A reboot restarts it, so a ledger is
    stored with its boot id. SQLite rolls back the transaction of a process that is killed.

    :param path: the file; its folder is created.
    :param now: the clock, in seconds.
    :raises StudioConfigurationError: the folder is on a network file system, whose locks are unreliable.
    """

    def __init__(self, path: Path, now: Clock = time.monotonic) -> None:
        super().__init__()
        self._path = path
        self._now = now
        self._boot = _boot_id()
        self._local = threading.local()
        _refuse_network_file_system(path)

    def with_ledger(self, key: str, change: Callable[[Ledger, float], T]) -> T:
        """Change the key's ledger in one transaction."""
        try:
            try:
                return self._transaction(key, change)
            except sqlite3.DatabaseError as error:
                if _code(error) != sqlite3.SQLITE_CORRUPT:
                    raise
                self._replace(error)
                return self._transaction(key, change)
        except sqlite3.Error as error:
            if _code(error) in _PERMISSION_ERRORS:
                raise self._unwritable(str(error)) from None
            if _code(error) in _DAMAGED:
                raise DamagedFileError(
                    f"The rate limit's ledger {self._path} cannot be used: {error}. Set [studio] rate_limit_url to "
                    "sqlite:////a/folder/on/this/host/that/every/worker/may/write/ratelimit.db"
                ) from None
            raise StoreUnavailableError(f"{self._path}: {error}") from None
        except OSError as error:  # of the folder
            raise self._unwritable(error.strerror or str(error)) from None

    def _transaction(self, key: str, change: Callable[[Ledger, float], T]) -> T:
        connection = self._connection()
        connection.execute("BEGIN IMMEDIATE")
        try:
            row = connection.execute("SELECT boot, ledger FROM ledgers WHERE key = ?", (key,)).fetchone()
            text = row[1] if row is not None and row[0] == self._boot else None
            ledger = self._loaded(key, text)
            result = change(ledger, self._now())
            changed = ledger.dumps()
            if changed != text:
                connection.execute(_SAVE, (key, self._boot, changed))
            connection.execute("COMMIT")
            return result
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _replace(self, error: sqlite3.DatabaseError) -> None:
        """Move a damaged database aside, unless another process did; the next connection creates a new one.

        :raises StoreUnavailableError: it cannot be moved.
        """
        self._disconnect()
        try:
            with Path(f"{self._path}.lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not self._is_damaged():
                    return
                aside = f"{self._path}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S}"
                for ending in ("-wal", "-shm", ""):  # the database last: it must never exist without its log
                    with suppress(FileNotFoundError):
                        Path(f"{self._path}{ending}").rename(f"{aside}{ending}")
        except OSError as failure:
            raise StoreUnavailableError(f"{self._path}: {error}, and it cannot be replaced: {failure}") from None
        log.warning(
            "The rate limit's ledger %s was damaged (%s). A new one replaces it; it is now %s.",
            self._path,
            error,
            aside,
        )

    def _is_damaged(self) -> bool:
        try:
            with closing(self._opened()) as connection:
                return bool(connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",))
        except sqlite3.DatabaseError as error:
            return _code(error) in _DAMAGED

    def _disconnect(self) -> None:
        if getattr(self._local, "pid", None) == os.getpid():
            self._local.connection.close()
        self._local.pid = None

    def _connection(self) -> sqlite3.Connection:
        """Return this thread's connection, opened by this process to the current file.

        SQLite's connections do not survive a fork, and continue to use a file that was moved aside or deleted.
        """
        local = self._local
        if getattr(local, "pid", None) == os.getpid() and local.file != self._identity():
            self._disconnect()
        if getattr(local, "pid", None) != os.getpid():
            # If many processes open a new file at the same time, SQLite returns "locked" without its configured wait.
            with_retries = tenacity.Retrying(
                retry=tenacity.retry_if_exception(_is_locked),
                stop=tenacity.stop_after_delay(_BUSY_SECONDS),
                wait=tenacity.wait_random(0.0, 0.05),
                reraise=True,
            )
            local.file = self._identity()  # read before it is opened: in the worst case it is opened again
            local.connection = with_retries(self._opened)
            local.pid = os.getpid()
        return cast("sqlite3.Connection", local.connection)

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _opened(self) -> sqlite3.Connection:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        connection = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None)
        connection.text_factory = lambda stored: stored.decode(errors="replace")  # damaged text is replaced, not raised
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("CREATE TABLE IF NOT EXISTS ledgers (key TEXT PRIMARY KEY, boot TEXT, ledger TEXT)")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _unwritable(self, reason: str) -> UnwritableFileError:
        user, owner, folder = _user(), _owner(self._path), self._path.parent
        fix = f"sudo install -d -o {user} {folder}" if owner is None else f"sudo chown {user} {folder} {self._path}*"
        return UnwritableFileError(
            f"The rate limit's ledger {self._path} cannot be used: {reason}. This process runs as {user}"
            f"{'' if owner is None else f', and the file belongs to {owner}'}. Run `{fix}`, or set [studio] "
            "rate_limit_url to sqlite:////a/folder/on/this/host/that/every/worker/may/write/ratelimit.db"
        )


def _code(error: sqlite3.Error) -> int:
    """Return SQLite's primary error code; 0 for an error of Python."""
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


def _user() -> str:
    """Return the name of this process's user, or its number: containers often run as a user without a name."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _owner(path: Path) -> str | None:
    """Return the owner of a file; None if it does not exist or cannot be seen."""
    try:
        uid = path.stat().st_uid
        return pwd.getpwuid(uid).pw_name
    except OSError:
        return None
    except KeyError:
        return str(uid)


def _is_locked(error: BaseException) -> bool:
    return isinstance(error, sqlite3.OperationalError) and _code(error) == sqlite3.SQLITE_BUSY


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
            f"rate_limit_url points to {path}, which is on {kind}: its locks are unreliable. "
            "Choose a folder on a disk of this host."
        )
