# SPDX-License-Identifier: Apache-2.0
"""Recipes that need snapshots or an object store return what their pages say."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from html import unescape
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote

import pytest

from airflow_provider_studio import settings
from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.governance.storage import write_stream
from tests.cli.airflow_home import AirflowHome
from tests.connections import connection_of
from tests.docs.pages import ROOT, blocks
from tests.governance.conftest import Governed
from tests.governance.nights import NOW, ago, write_night
from tests.s3_server import BUCKET, S3Server, needs_s3

S3_ROOT = f"s3://aws_default@{BUCKET}/studio"


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with S3Server() as running:
        yield running


@pytest.fixture(params=["disk", pytest.param("s3", marks=[needs_s3, pytest.mark.slow])])
def filled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A storage with three snapshots: `read` is viewed, `unread` is not, `gone` is only in the first."""
    if request.param == "s3":
        server: S3Server = request.getfixturevalue("server")
        server.reset()
        monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", server.connection)
        monkeypatch.setattr("airflow.sdk.io.store._STORE_CACHE", {})
    root = S3_ROOT if request.param == "s3" else f"file://{tmp_path}/studio"
    monkeypatch.setenv("AIRFLOW__STUDIO__STORAGE_PATH", root)
    for days, views in ((100, 1), (50, 4), (0, 9)):
        reports: dict[str, dict[str, Any]] = {"read": {"view_count": views}, "unread": {"view_count": 7}}
        if days == 100:
            reports["gone"] = {"view_count": 3}
        reports = {
            token: {"taken_at": ago(days), "name": token, "type": "Report", "created_at": ago(300), **row}
            for token, row in reports.items()
        }
        schedules = {"nightly": {"taken_at": ago(days), "report": "unread", "frequency": "every day"}}
        write_night(settings.storage(), days, reports, schedules, remembered=True)


def test_the_pandas_recipe_reads_a_snapshot_its_history_and_the_views_between(filled: None) -> None:
    names: dict[str, Any] = {}
    for block in blocks(ROOT / "docs" / "pandas.md", "python"):
        exec(compile(block.text, f"pandas.md:{block.line}", "exec"), names)
    assert list(names["reports"]["token"]) == ["read", "unread"]
    assert list(names["scheduled"]["frequency"]) == ["every day"]
    assert list(names["views"]["read"])[1:] == [3, 5]
    assert list(names["views"]["unread"])[1:] == [0, 0]
    assert list(names["unread"]["token"]) == ["unread"]
    assert list(names["gone"]["token"]) == ["gone"]
    assert set(names["read"](names["snapshots"][-1], "history")["token"]) == {"read", "unread", "gone"}


@needs_s3
@pytest.mark.slow
def test_the_check_of_the_s3_recipe_writes_to_the_bucket_and_fails_where_there_is_none(
    server: S3Server, emulator: StudioEmulator, tmp_path: Path
) -> None:
    server.reset()
    commands = [block.text for block in blocks(ROOT / "docs" / "storage-s3.md", "shell")]
    check = next(text.strip() for text in commands if "airflow studio " in text)
    home = AirflowHome(tmp_path / "home")
    found = {}
    for bucket in (BUCKET, "no-such-bucket"):
        environment = {
            "AIRFLOW_CONN_STUDIO_DEFAULT": connection_of(emulator, rate_limit_requests=4000),
            "AIRFLOW_CONN_AWS_DEFAULT": server.connection,
            "AIRFLOW__STUDIO__STORAGE_PATH": f"s3://aws_default@{bucket}/studio",
        }
        found[bucket] = home.shell(check, environment=environment)
    assert found[BUCKET].returncode == 0, found[BUCKET].stderr
    assert found["no-such-bucket"].returncode == 1
    assert "StorageError: " in found["no-such-bucket"].stderr
    assert "no-such-bucket/studio" in found["no-such-bucket"].stderr


class DeletionsOfS3(S3Server):
    """An S3 that records the resources that its clients delete, as a permission names them."""

    deleted: ClassVar[list[str]] = []

    def _respond(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = unquote(environ["PATH_INFO"]).lstrip("/")
        if environ["REQUEST_METHOD"] == "DELETE":
            self.deleted.append(f"arn:aws:s3:::{path}")
        if environ["REQUEST_METHOD"] == "POST" and "delete" in environ.get("QUERY_STRING", "").split("&"):
            body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            environ["wsgi.input"] = io.BytesIO(body)
            keys = re.findall(r"<Key>(.*?)</Key>", body.decode())
            self.deleted += [f"arn:aws:s3:::{BUCKET}/{unescape(key)}" for key in keys]
        return super()._respond(environ, start_response)


@needs_s3
@pytest.mark.slow
def test_a_night_and_its_undo_delete_only_what_the_permissions_of_the_s3_recipe_allow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (policy,) = (json.loads(block.text) for block in blocks(ROOT / "docs" / "storage-s3.md", "json"))
    (deletes,) = (statement for statement in policy["Statement"] if statement["Action"] == ["s3:DeleteObject"])
    allowed = [resource.replace("my-bucket", BUCKET) for resource in deletes["Resource"]]
    monkeypatch.setattr("airflow.sdk.io.store._STORE_CACHE", {})
    monkeypatch.setenv("AIRFLOW__STUDIO__STORAGE_PATH", S3_ROOT)
    with DeletionsOfS3() as server, StudioEmulator("acme", reports=0, now=NOW) as emulator:
        monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", server.connection)
        governed = Governed(emulator, settings.storage())
        governed.report("Old", schedules=1)
        governed.nights(100, 0)
        plan = governed.plan()
        plan.write(governed.storage)
        assert governed.apply(plan).archived == 1
        assert governed.undo(plan).unarchived == 1
        write_stream(settings.in_storage("exports/revenue.csv"), [b"day,revenue\n"])
    assert server.deleted, "each part of a night deletes its progress or a probe"
    assert [key for key in server.deleted if not any(fnmatchcase(key, resource) for resource in allowed)] == []
