# SPDX-License-Identifier: Apache-2.0
"""Files that appear whole or not at all, and never change.

On a local path a file is written under another name, flushed to the disk and renamed; an object store does the like by
itself.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_studio.client.errors import StudioError
from airflow_provider_studio.governance.errors import StorageError

if TYPE_CHECKING:
    from upath import UPath

CLOCKS_DIFFER_BY = timedelta(hours=1)
"""What another host wrote may be that far in the future; more, and a clock is wrong."""
SAME_TIME = timedelta(seconds=1)
"""Times of Studio that are no further apart may be one: sources write them to the millisecond or to the second."""
_STAMP = "%Y%m%dT%H%M%S%fZ"


def utcnow() -> datetime:
    """Return the time in UTC."""
    return datetime.now(UTC)


def file_stamp(time: datetime) -> str:
    """Write a time so that names sort as times do."""
    return time.astimezone(UTC).strftime(_STAMP)


def from_file_stamp(text: str) -> datetime:
    """Read what `file_stamp` wrote.

    :raises ValueError: it is not exactly that.
    """
    time = datetime.strptime(text, _STAMP).replace(tzinfo=UTC)
    if file_stamp(time) != text:
        raise ValueError(f"{text!r} is not a time as file_stamp writes it.")
    return time


@contextmanager
def explained(doing: str, path: UPath) -> Iterator[None]:
    """Turn what a file system raises into a StorageError that says what was being done to which path."""
    try:
        yield
    except (StudioError, ValueError):
        raise
    except Exception as error:
        # The clients of object stores have errors of their own for what no store answered.
        if not isinstance(error, OSError) and local_path(path) is not None:
            raise
        reason = getattr(error, "strerror", None) or f"{type(error).__name__} {error}".strip()
        raise StorageError(
            f"Cannot {doing} {path}: {reason}. Set [studio] storage_path to a place that every worker can use."
        ) from None


def local_path(path: UPath) -> Path | None:
    """Return the path on this machine's disk, or None for an object store."""
    return Path(path.path) if path.protocol in {"", "file", "local"} else None


def write_whole(path: UPath, content: bytes) -> None:
    """Write a file that appears whole, replacing nothing half way.

    :raises StorageError: names the path and the reason.
    """
    with explained("write", path):
        local = local_path(path)
        if local is None:
            path.write_bytes(content)
        else:
            _write_local(local, [content])


def write_once(path: UPath, content: bytes) -> bool:
    """Write a file unless it exists. Returns whether it was written by this call.

    On a local path this is exact even for two writers at once, and in object stores that write conditionally (S3, GCS);
    others leave a gap. Where two write the same, both did.
    """
    with explained("write", path):
        local = local_path(path)
        if local is not None:
            return _write_local(local, [content], replace=False)
        if path.exists():
            return False
        try:
            path.fs.pipe_file(path.path, content, mode="create")
        except (NotImplementedError, TypeError):  # a file system that knows no conditional write
            path.write_bytes(content)
        except OSError:
            if not path.exists():
                raise
            # A store's client sends again what was not answered, and then finds what it wrote itself.
            return path.read_bytes() == content
        return True


def write_stream(path: UPath, chunks: Iterable[bytes]) -> None:
    """Write a file of any size in constant memory; it appears whole or not at all.

    :raises StorageError: names the path and the reason.
    """
    with explained("write", path):
        local = local_path(path)
        if local is None:
            _write_remote(path, chunks)
        else:
            _write_local(local, chunks)


def _write_remote(path: UPath, chunks: Iterable[bytes]) -> None:
    """Write under another name and rename: closing a half-written object makes it whole where it stands."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with temporary.open("wb") as file:
            file.writelines(chunks)
        path.fs.mv(temporary.path, path.path)
    except BaseException:
        with suppress(Exception):
            temporary.unlink(missing_ok=True)
        raise


def check_writable(folder: UPath) -> None:
    """Find out now, not after an hour of work, that a folder cannot be written.

    :raises StorageError: names the folder and the reason.
    """
    probe = folder / f".probe-{uuid.uuid4().hex}"
    write_whole(probe, b"")
    with explained("write", folder):
        probe.unlink()


def _write_local(path: Path, chunks: Iterable[bytes], *, replace: bool = True) -> bool:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with temporary.open("wb") as file:
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
