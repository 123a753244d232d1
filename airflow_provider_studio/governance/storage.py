# SPDX-License-Identifier: Apache-2.0
"""Atomic writes: a file appears complete or not at all.

On a local path a file is written under a temporary name, flushed to disk and renamed; object stores write atomically.
"""

from __future__ import annotations

import os
import stat
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING

from airflow_provider_studio.client.errors import StudioConfigurationError, StudioError
from airflow_provider_studio.governance.errors import StorageError

if TYPE_CHECKING:
    from upath import UPath

CLOCKS_DIFFER_BY = timedelta(hours=1)
"""The largest accepted difference between the clocks of two hosts."""
SAME_TIME = timedelta(seconds=1)
"""Times of Studio that differ by at most this are equal: some sources have milliseconds, others seconds."""
LONGEST_NAME = 255
"""The longest name of a file or folder in bytes, on the file systems of Linux and macOS."""
_STAMP = "%Y%m%dT%H%M%S%fZ"


def utcnow() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def file_stamp(time: datetime) -> str:
    """Return a time as text that sorts in time order."""
    return time.astimezone(UTC).strftime(_STAMP)


def from_file_stamp(text: str) -> datetime:
    """Return the time of a text that `file_stamp` returned.

    :raises ValueError: the text is not in exactly that form.
    """
    time = datetime.strptime(text, _STAMP).replace(tzinfo=UTC)
    if file_stamp(time) != text:
        raise ValueError(f"{text!r} is not a time as file_stamp writes it.")
    return time


@contextmanager
def explained(doing: str, path: UPath) -> Iterator[None]:
    """Turn an error of a file system into a StorageError that names the operation and the path."""
    try:
        yield
    except (StudioError, ValueError):
        raise
    except Exception as error:
        # The clients of object stores raise their own errors when there is no response.
        if not isinstance(error, OSError) and local_path(path) is not None:
            raise
        reason = getattr(error, "strerror", None) or f"{type(error).__name__} {error}".strip()
        raise StorageError(
            f"Cannot {doing} {path}: {reason}. Set [studio] storage_path to a path that every worker can use."
        ) from None


def local_path(path: UPath) -> Path | None:
    """Return the path on this machine's disk, or None for an object store."""
    return Path(path.path) if path.protocol in {"", "file", "local"} else None


def check_lengths(path: UPath) -> None:
    """Refuse a path on this machine's disk with a name that is longer than names can be.

    :raises StudioConfigurationError: names the file or folder.
    """
    local = local_path(path)
    for name in () if local is None else local.parts:
        length = len(name.encode(errors="replace"))
        if length > LONGEST_NAME:
            raise StudioConfigurationError(
                f"The path has the name {name!r}, which is {length} bytes long; a file or folder may have "
                f"{LONGEST_NAME}. Use a shorter name."
            )


def write_atomically(path: UPath, content: bytes) -> None:
    """Write a file atomically; replace an existing file.

    :raises StorageError: names the path and the reason.
    """
    with explained("write", path):
        local = local_path(path)
        if local is None:
            path.write_bytes(content)
        else:
            _write_local(local, [content])


def write_once(path: UPath, content: bytes) -> bool:
    """Write a file unless it exists. Return whether this call wrote it.

    This is exact for concurrent writers on a local path and in object stores with conditional writes (S3, GCS); other
    stores have a race. If two writers write the same content, both calls may return True.
    """
    with explained("write", path):
        local = local_path(path)
        if local is not None:
            return _write_local(local, [content], replace=False)
        if path.exists():
            return False
        try:
            path.fs.pipe_file(path.path, content, mode="create")
        except (NotImplementedError, TypeError):  # a file system without conditional writes
            path.write_bytes(content)
        except OSError:
            if not path.exists():
                raise
            # A client that retries after a lost response finds the file that it wrote itself.
            return path.read_bytes() == content
        return True


def write_stream(path: UPath, chunks: Iterable[bytes]) -> None:
    """Write a file of any size atomically and in constant memory.

    :raises StorageError: names the path and the reason.
    """
    with explained("write", path):
        local = local_path(path)
        if local is None:
            _write_remote(path, chunks)
        else:
            _write_local(local, chunks)


def _temporary_name() -> str:
    """Return a name for an unfinished file. It is short, because the file's own name may be as long as names can be."""
    return f".{uuid.uuid4().hex}"


def _write_remote(path: UPath, chunks: Iterable[bytes]) -> None:
    """Write under a temporary name and rename: closing a half-written object would publish it."""
    temporary = path.with_name(_temporary_name())
    try:
        with temporary.open("wb") as file:
            file.writelines(chunks)
        path.fs.mv(temporary.path, path.path)
    except BaseException:
        with suppress(Exception):
            temporary.unlink(missing_ok=True)
        raise


def check_writable(folder: UPath) -> None:
    """Fail before the work starts if a folder is not writable.

    :raises StorageError: names the folder and the reason.
    """
    probe = folder / f".probe-{uuid.uuid4().hex}"
    write_atomically(probe, b"")
    with explained("write", folder):
        probe.unlink()


def has_conditional_writes(folder: UPath) -> bool:
    """Whether a file can be written on the condition that it does not exist, which `write_once` needs to be exact.

    :raises StorageError: the folder is not writable.
    """
    probe = folder / f".probe-{uuid.uuid4().hex}"
    write_atomically(probe, b"first")
    try:
        if local_path(folder) is not None:
            return not write_once(probe, b"second")
        with explained("write", probe):
            return _is_create_refused(probe)
    finally:
        remove_files([probe])


def _is_create_refused(path: UPath) -> bool:
    """Whether an object store refuses to create an object that exists."""
    try:
        path.fs.pipe_file(path.path, b"second", mode="create")
    except (NotImplementedError, TypeError):  # a file system without conditional writes
        return False
    except OSError:
        return True
    return False


def remove_files(paths: Iterable[UPath]) -> None:
    """Remove files, in this order; those that are missing are as they should be.

    :raises StorageError: a file cannot be removed.
    """
    for path in paths:
        with explained("remove", path):
            path.unlink(missing_ok=True)


def remove_folder(folder: UPath, *, first: str = "") -> None:
    """Remove a folder with its files; a missing one is as it should be.

    :param first: the name of the file that is removed before the others, because without it the rest means nothing.
    :raises StorageError: the folder cannot be listed, or a file or the folder cannot be removed.
    """
    with explained("list", folder):
        files = sorted(folder.iterdir(), key=lambda path: path.name != first) if folder.exists() else []
    remove_files(files)
    with explained("remove", folder):
        if folder.exists():  # object stores have no folders
            folder.rmdir()


def make_private_folder(path: Path) -> None:
    """Create a folder of this machine, with its parents, that only its user can open; an existing one stays as it is.

    In a folder that its group may write to, the group gets the same permissions: an admin shares a storage root between
    users by them (`chmod 2770`). Nobody else gets any.
    """
    if path.is_dir():
        return
    make_private_folder(path.parent)
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
        shared = _shared_bits(path.parent) & (stat.S_IRWXG | stat.S_ISGID)
        if shared:
            path.chmod(0o700 | shared)


def _shared_bits(folder: Path) -> int:
    """Return the permissions of a folder's group if it may write to the folder, else 0."""
    mode = folder.stat().st_mode
    return mode & (stat.S_IRWXG | stat.S_ISGID) if mode & stat.S_IWGRP else 0


def _open_private(path: Path) -> IO[bytes]:
    """Create a file that only its user, or the group that shares its folder, can open."""
    shared = _shared_bits(path.parent) & (stat.S_IRGRP | stat.S_IWGRP)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    if shared:
        os.fchmod(file, 0o600 | shared)
    return os.fdopen(file, "wb")


def _write_local(path: Path, chunks: Iterable[bytes], *, replace: bool = True) -> bool:
    make_private_folder(path.parent)
    temporary = path.with_name(_temporary_name())
    try:
        with _open_private(temporary) as file:
            file.writelines(chunks)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            temporary.replace(path)
        else:
            path.hardlink_to(temporary)
    except FileExistsError:
        return False
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return True
