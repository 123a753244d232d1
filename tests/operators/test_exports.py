# SPDX-License-Identifier: Apache-2.0
"""Results are written to files atomically, in constant memory, with the extension of their content."""

from __future__ import annotations

import hashlib
import io
import json
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from upath import UPath

from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.errors import (
    StudioConfigurationError,
    StudioConnectionError,
    StudioResponseError,
    StudioRunTimeoutError,
)
from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.governance.storage import write_stream
from airflow_provider_studio.operators import exports

Export = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AIRFLOW__STUDIO__STORAGE_PATH", f"file://{tmp_path}/studio")
    return tmp_path / "studio"


@pytest.fixture
def export(client: StudioClient, emulator: StudioEmulator, folder: Path) -> Export:
    """Export a good run of a Report with three queries."""
    report = emulator.control.add_report(query_count=3, next_runtime_seconds=0.0, next_outcome="succeeded")
    run = client.create_report_run(report).token

    def made(**wanted: str) -> list[dict[str, Any]]:
        return exports.export_run(client, report, run, wanted, sleep=lambda _seconds: advance(emulator))

    return made


def advance(emulator: StudioEmulator) -> None:
    from datetime import timedelta

    emulator.control.advance(timedelta(seconds=5))


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(("named", "written"), [("a", "a.csv"), ("2026.01.31", "2026.01.31.csv"), ("a.csv", "a.csv")])
def test_a_csv_with_its_size_and_checksum(export: Export, folder: Path, named: str, written: str) -> None:
    (file,) = export(csv=named)
    content = (folder / written).read_bytes()
    assert content.startswith(b"region,orders\n")
    assert (file["bytes"], file["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    assert file["path"].endswith(written)
    assert files(folder) == [written]


@pytest.mark.parametrize("named", ["a", "a.csv"])
def test_an_archive_does_not_pass_for_a_csv(export: Export, emulator: StudioEmulator, folder: Path, named: str) -> None:
    emulator.control.set_quirks(results_as_zip=True)
    (file,) = export(csv=named)
    assert file["content_type"] == "application/zip"
    assert len(zipfile.ZipFile(io.BytesIO((folder / "a.zip").read_bytes())).namelist()) == 3


def test_json_holds_each_query_and_not_only_the_first(export: Export, folder: Path) -> None:
    made = export(json="day")
    assert [file["query"] for file in made] == ["Query 1", "Query 2", "Query 3"]
    assert len({file["sha256"] for file in made}) == 3
    assert all(len(json.loads(Path(file["path"].removeprefix("file://")).read_text())) == 500 for file in made)
    assert len(files(folder)) == 3


def test_a_pdf_is_requested_awaited_and_downloaded(export: Export, folder: Path) -> None:
    (file,) = export(pdf="page")
    assert (folder / "page.pdf").read_bytes().startswith(b"%PDF")
    assert file["content_type"] == "application/pdf"


def test_a_pdf_that_is_never_made(export: Export, emulator: StudioEmulator) -> None:
    emulator.control.add_fault("status", status=200, path="pdf.pdf", body={"state": "requested"}, times=None)
    with pytest.raises(StudioRunTimeoutError, match="was not made within 600 s"):
        export(pdf="page")


def test_several_at_once(export: Export, folder: Path) -> None:
    assert len(export(csv="a/table", json="a/rows", pdf="a/page")) == 5
    assert len(files(folder)) == 5


def test_a_download_that_breaks_off_begins_again(export: Export, emulator: StudioEmulator, folder: Path) -> None:
    emulator.control.add_fault("truncate", path="content.csv", times=2)
    (file,) = export(csv="a")
    assert (folder / "a.csv").stat().st_size == file["bytes"]


def test_what_broke_off_leaves_nothing(export: Export, emulator: StudioEmulator, folder: Path) -> None:
    export(csv="a")
    before = (folder / "a.csv").read_bytes()
    emulator.control.add_fault("truncate", path="content.csv", times=None)
    with pytest.raises(StudioConnectionError, match=r"cut short|broke"):
        export(csv="a")
    assert files(folder) == ["a.csv"]
    assert (folder / "a.csv").read_bytes() == before


def test_a_login_page_is_no_result(export: Export, emulator: StudioEmulator, folder: Path) -> None:
    emulator.control.add_fault("html", path="content.csv")
    with pytest.raises(StudioResponseError, match=r"The response for a.* is a web page"):
        export(csv="a")
    assert not folder.exists()


def test_an_object_store_keeps_no_half_of_a_file() -> None:
    path = UPath("memory://bucket/exports/a.csv")

    def breaking() -> Iterator[bytes]:
        yield b"half"
        raise StudioConnectionError("it broke", may_have_arrived=True)

    with pytest.raises(StudioConnectionError):
        write_stream(path, breaking())
    assert not path.exists()
    write_stream(path, [b"wh", b"ole"])
    assert path.read_bytes() == b"whole"
    assert [one.name for one in path.parent.iterdir()] == ["a.csv"]


def test_memory_stays_constant(folder: Path) -> None:
    @contextmanager
    def large() -> Iterator[tuple[str, Iterator[bytes]]]:
        yield "text/csv", (bytes(1 << 18) for _ in range(400))

    tracemalloc.start()
    file = exports._write("large", large)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert file["bytes"] == 400 << 18
    assert peak < 4 << 20


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"xls": "a"}, "export has no format 'xls'; it has csv, json, pdf"),
        ({"csv": " "}, "the path for csv is ' '"),
        ({"csv": "exports/../a"}, r"must not contain '\.\.'"),
        ({"csv": "\u5831" * 100}, "the name '\u5831+', which is 300 bytes long; a file or folder may have 255"),
    ],
)
def test_what_cannot_be_exported_is_refused(given: dict[str, str], message: str) -> None:
    with pytest.raises(StudioConfigurationError, match=message):
        exports.checked_exports(given)


def test_a_path_alone_is_that_of_the_csv() -> None:
    assert exports.checked_exports("a") == {"csv": "a"}
    assert exports.checked_exports(None) == {}
