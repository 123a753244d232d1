# SPDX-License-Identifier: Apache-2.0
"""Files appear whole or not at all, on a disk and in an object store."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import fsspec
import pytest
from upath import UPath

from airflow_provider_studio.governance.errors import StorageError
from airflow_provider_studio.governance.plans.scrubbing import scrubbed
from airflow_provider_studio.governance.storage import (
    check_writable,
    file_stamp,
    from_file_stamp,
    write_atomically,
    write_once,
    write_stream,
)
from tests.governance.conftest import Governed


@pytest.fixture(params=["disk", "object store"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> UPath:
    if request.param == "disk":
        return UPath(tmp_path)
    fsspec.filesystem("memory").store.clear()
    return UPath("memory://bucket/studio")


def test_a_file_is_written_with_its_folders(root: UPath) -> None:
    write_atomically(root / "a" / "b.json", b"1")
    write_atomically(root / "a" / "b.json", b"22")
    assert (root / "a" / "b.json").read_bytes() == b"22"
    assert [path.name for path in (root / "a").iterdir()] == ["b.json"]


def test_a_file_is_written_once(root: UPath) -> None:
    assert write_once(root / "event.json", b"first")
    assert not write_once(root / "event.json", b"second")
    assert (root / "event.json").read_bytes() == b"first"


def test_the_name_of_a_file_may_be_as_long_as_names_can_be(root: UPath) -> None:
    longest = root / f"{'x' * 250}.json"
    write_atomically(longest, b"1")
    assert not write_once(longest, b"2")
    write_stream(longest, [b"3"])
    assert longest.read_bytes() == b"3"


def test_of_many_writers_at_once_one_wins(tmp_path: Path) -> None:
    path, won = UPath(tmp_path / "event.json"), []
    threads = [
        threading.Thread(target=lambda number=number: won.append((write_once(path, b"%d" % number), number)))
        for number in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [number for first, number in won if first]
    assert len(winners) == 1
    assert path.read_bytes() == b"%d" % winners[0]


def hold_to_whole_streams(folder: UPath) -> None:
    """Write a stream, then one that breaks: the first stays, and nothing else lies there."""
    path = folder / "results.csv"
    write_stream(path, iter([b"a", b"b"]))

    def breaking() -> Iterator[bytes]:
        yield b"half"
        raise ConnectionError("the answer was cut short")

    with pytest.raises(StorageError, match=r"results\.csv"):
        write_stream(path, breaking())
    assert path.read_bytes() == b"ab"
    assert [path.name for path in folder.iterdir()] == ["results.csv"]


def test_a_stream_that_breaks_leaves_what_was_there(tmp_path: Path) -> None:
    hold_to_whole_streams(UPath(tmp_path))


def test_a_folder_that_cannot_be_written_is_named_with_the_mend(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for write in (lambda path: write_atomically(path, b""), lambda path: write_once(path, b""), check_writable):
        with pytest.raises(StorageError, match=r"Cannot write .*file.*\[studio\] storage_path"):
            write(UPath(tmp_path / "file" / "deeper"))


def test_a_check_leaves_nothing_behind(root: UPath) -> None:
    check_writable(root / "journals")
    assert not list(root.rglob("*probe*"))


def test_stamps_sort_as_times_do() -> None:
    times = [datetime(2026, 1, 2, 3, 4, 5, micro, tzinfo=UTC) for micro in (0, 1, 999_999)]
    assert sorted(map(file_stamp, times)) == [file_stamp(time) for time in times]
    assert [from_file_stamp(file_stamp(time)) for time in times] == times


def test_what_opens_something_by_itself_is_not_kept() -> None:
    value = {"a": [{"flamingo_signature": "x", "b": 1}], "web_preview_image": "https://s3/?sig", "c": ({"d": 2},)}
    assert scrubbed(value) == {"a": [{"b": 1}], "c": [{"d": 2}]}


def test_a_whole_night_in_an_object_store(governed: Governed) -> None:
    fsspec.filesystem("memory").store.clear()
    governed.storage = UPath("memory://bucket/studio")
    governed.report("Dead", schedules=1)
    before = governed.state()
    governed.nights(100, 0)
    plan = governed.plan()
    plan.write(governed.storage)
    assert governed.apply(plan).archived == 1
    assert governed.apply(plan).already_done == 2
    governed.undo(plan)
    assert governed.state() == before
