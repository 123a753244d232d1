# SPDX-License-Identifier: Apache-2.0
"""The checks of the storage: what they see, and that they leave nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from upath import UPath

from airflow_provider_studio.governance.doctor.findings import Severity
from airflow_provider_studio.governance.doctor.storage_checks import permissions_finding, storage_findings


def test_a_usable_storage_is_as_assumed_and_nothing_is_left(storage: UPath) -> None:
    assert [found.severity for found in storage_findings(storage, "acme")] == [Severity.AS_ASSUMED] * 3
    assert [path for path in storage.rglob("*") if path.is_file()] == []


class Unconditional(MemoryFileSystem):
    """An object store without conditional writes."""

    protocol = "unconditional"
    store: ClassVar[dict[str, Any]] = {}

    def pipe_file(self, path: str, value: bytes) -> None:
        super().pipe_file(path, value)


@pytest.mark.filterwarnings("ignore:UPath 'unconditional' filesystem")
@pytest.mark.parametrize(("protocol", "needed"), [("memory", []), ("unconditional", ["storage: conditional writes"])])
def test_an_object_store_without_conditional_writes_needs_a_person(protocol: str, needed: list[str]) -> None:
    fsspec.register_implementation("unconditional", Unconditional, clobber=True)
    root = UPath(f"{protocol}://doctor-checks")
    found = list(storage_findings(root, "acme"))
    assert [each.fact for each in found if each.severity is Severity.NEEDS_A_PERSON] == needed
    assert not [path for path in root.rglob("*") if ".probe-" in path.name]


def test_a_storage_that_is_a_file_needs_a_person(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    writable, conditional = storage_findings(UPath(tmp_path / "file"), "acme")
    assert writable.severity is Severity.NEEDS_A_PERSON
    assert "Cannot write" in writable.observed
    assert not conditional.is_observed


@pytest.mark.parametrize(
    ("mode", "severity"),
    [(0o700, Severity.AS_ASSUMED), (0o755, Severity.RESPECTED), (0o777, Severity.NEEDS_A_PERSON)],
    ids=["private", "open", "writable"],
)
def test_others_who_may_open_the_storage_are_seen(tmp_path: Path, mode: int, severity: Severity) -> None:
    tmp_path.chmod(mode)
    assert permissions_finding(UPath(tmp_path)).severity is severity
