# SPDX-License-Identifier: Apache-2.0
"""A policy's condition decides about Reports and can do nothing else: read, write, show data, or keep a task busy."""

from __future__ import annotations

import contextlib
import multiprocessing
import tempfile
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from upath import UPath

from airflow_provider_studio.governance.errors import PolicyError
from airflow_provider_studio.governance.planning.planner import make_plan
from airflow_provider_studio.governance.planning.sql_condition import matching
from airflow_provider_studio.governance.plans.policy import StalenessPolicy
from airflow_provider_studio.governance.snapshots.facts import facts
from airflow_provider_studio.governance.snapshots.store import Snapshot
from tests.conftest import slow
from tests.governance.nights import NOW, ago, write_night

SECRET = "classified"
NAMES = {"aaaaaaaaaaaa": f"a {SECRET} name", "bbbbbbbbbbbb": "Board"}
REFUSED = (
    # Files, which DuckDB may read below its temporary folder unless that is private.
    "error((SELECT content FROM read_text('{file}')))::BOOLEAN",
    "(SELECT content FROM read_text('{file}')) = 'x'",
    "(SELECT content FROM read_text('{folder}/*')) = 'x'",
    "(SELECT content FROM read_blob('{file}')) IS NOT NULL",
    "(SELECT count(*) FROM read_csv('{file}')) > 0",
    "(SELECT count(*) FROM read_json('{file}')) > 0",
    "(SELECT count(*) FROM sniff_csv('{file}')) > 0",
    "(SELECT count(*) FROM parquet_scan('{folder}/*.parquet')) > 0",
    "(SELECT count(*) FROM parquet_metadata('{folder}/x.parquet')) > 0",
    "(SELECT count(*) FROM glob('{folder}/*')) > 0",
    "EXISTS (FROM '{file}')",
    "EXISTS (FROM '/etc/passwd')",
    "EXISTS (FROM query('FROM read_text(''{file}'')'))",
    "EXISTS (FROM query_table('{file}'))",
    "(SELECT content FROM read_text(current_setting('temp_directory') || '/../../*')) = 'x'",
    "(SELECT count(*) FROM read_text('https://localhost:1/')) > 0",
    # Statements where an expression is due.
    "true; DROP TABLE facts",
    "true; COPY facts TO '{folder}/written.csv'",
    "true FROM facts WHERE false",
    "true) OR (true",
    "true, false",
    "(COPY facts TO '{folder}/written.csv')",
    "(ATTACH '{folder}/x.db')",
    "(INSTALL httpfs)",
    "(SET threads = 1)",
    "EXISTS (DELETE FROM facts RETURNING token)",
    "EXISTS (FROM python_variable)",
    "getenv('AIRFLOW_CONN_SECRET') = 'x'",
    "",
    "-- nothing",
    # Values in messages.
    "error(name)::BOOLEAN",
    "name::INTEGER = 1",
    "name::DATE < taken_at",
    "strptime(name, '%Y') < taken_at",
    "json(name) IS NOT NULL",
    "regexp_matches('x', '(' || name)",
    "error((SELECT string_agg(name) FROM facts))::BOOLEAN",
    "(SELECT name FROM facts) = 'x'",
    "EXISTS (FROM query((SELECT any_value(name) FROM facts)))",
    "list_value(name)[1]::BOOLEAN",
    "CASE WHEN name = 'Board' THEN false ELSE name::BOOLEAN END",
    # No condition.
    "name",
    "NULL",
    "1",
    "count(*) > 1",
    "row_number() OVER () = 1",
)
TOO_MUCH = (
    "length(repeat('a', 1000000000)) > 0",
    "length(lpad('', 2000000000, 'x')) > 0",
    "(SELECT count(DISTINCT a) FROM range(1000000000000) AS t(a)) > 0",
    "(SELECT sum(a::HUGEINT) FROM range(1000000000000) AS t(a)) > 0",
    "(WITH RECURSIVE r AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM r) SELECT count(*) FROM r) > 0",
    "len(list_transform(range(1000000000), lambda x: x + 1)) > 0",
    "(SELECT count(*) FROM range(1000000) a, range(1000000) b, range(1000000) c WHERE hash(a, b, c) = 0) > 0",
)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder of this test's own, which holds a file of somebody else."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    (folder / "theirs.txt").write_text(SECRET, encoding="utf-8")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("AIRFLOW_CONN_SECRET", SECRET)
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", SECRET)
    return folder


@pytest.fixture
def nights(tmp_path: Path, temporary: Path) -> list[Snapshot]:
    """Two nights, 100 days apart, of two Reports that are stale."""
    storage = UPath(tmp_path / "storage")
    dead: dict[str, Any] = {
        "view_count": 5,
        "created_at": ago(700),
        "edited_at": ago(400),
        "archived": False,
        "collection": "c0",
    }
    rows = {token: {**dead, "name": name} for token, name in NAMES.items()}
    failing = {"report": "bbbbbbbbbbbb", "last_run_failed": True, "last_run_at": ago(1), "subscriber_count": 0}
    schedules = {"cccccccccccc": failing}
    return [write_night(storage, days, rows, schedules, remembered=True) for days in (100, 0)]


def found(nights: list[Snapshot], condition: str, seconds: float = 60) -> set[str]:
    with facts(nights) as database:
        return matching(database, condition, longest_seconds=seconds)


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        ("true", {*NAMES.values()}),
        ("name = 'Board' -- and so on", {"Board"}),
        ("name = 'Board'\n  AND view_count = 5", {"Board"}),
        ("token IN (SELECT report FROM schedules WHERE failures_in_a_row >= 1)", {"Board"}),
        ("NOT EXISTS (SELECT token FROM disappeared) AND name LIKE 'B%'", {"Board"}),
        ("views_90d = 0 AND edited_at < taken_at - INTERVAL 180 DAY AND now() > taken_at", {*NAMES.values()}),
        ("len(list_filter(string_split(name, ' '), lambda x: x = 'name')) = 1", {f"a {SECRET} name"}),
        ("last_viewed_at > taken_at", set()),
        ("view_count = (SELECT max(view_count) FROM facts) AND creator IS NULL", {*NAMES.values()}),
    ],
)
def test_a_condition_finds_reports(nights: list[Snapshot], condition: str, names: set[str]) -> None:
    assert {NAMES[token] for token in found(nights, condition)} == names


@pytest.mark.parametrize("condition", REFUSED)
def test_what_is_more_than_a_condition_is_refused_without_showing_data(
    nights: list[Snapshot], temporary: Path, condition: str
) -> None:
    python_variable = [(True,)]  # noqa: F841  a replacement scan would find it
    where = condition.format(folder=temporary, file=temporary / "theirs.txt")
    with pytest.raises(PolicyError) as raised:
        found(nights, where)
    assert SECRET not in str(raised.value)
    assert repr(where) in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
    assert [path.name for path in temporary.iterdir()] == ["theirs.txt"]


@pytest.mark.parametrize("condition", [*TOO_MUCH[:1], *slow(*TOO_MUCH[1:])])
def test_a_condition_that_takes_too_much_ends_and_leaves_nothing(
    nights: list[Snapshot], temporary: Path, condition: str
) -> None:
    before, began = psutil.Process().children(), time.monotonic()
    with pytest.raises(PolicyError, match=r"took longer than 4 s|too much memory|for lack of memory"):
        found(nights, condition, seconds=4)
    assert time.monotonic() - began < 60, "it is ended, not asked to end"
    assert set(psutil.Process().children()) <= set(before)
    assert [path.name for path in temporary.iterdir()] == ["theirs.txt"]


def test_a_condition_is_evaluated_without_our_environment(nights: list[Snapshot]) -> None:
    errors: list[Exception] = []

    def ask() -> None:
        try:
            found(nights, "(SELECT sum(a::HUGEINT) FROM range(1000000000000) AS t(a)) > 0", seconds=8)
        except PolicyError as error:
            errors.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    seen: dict[str, str] = {}
    while asking.is_alive() and not seen:
        for child in psutil.Process().children():
            with contextlib.suppress(psutil.NoSuchProcess):
                if "airflow_provider_studio.governance.sandbox_process" in child.cmdline():
                    seen = child.environ()
    asking.join()
    assert len(errors) == 1
    assert "PYTHONPATH" in seen
    assert SECRET not in seen.values()
    assert not [name for name in seen if name.startswith("AIRFLOW")]


def test_a_condition_works_in_a_daemon_process(nights: list[Snapshot]) -> None:
    fork = multiprocessing.get_context("fork")
    results = fork.SimpleQueue()
    process = fork.Process(target=lambda: results.put(found(nights, "name = 'Board'")), daemon=True)
    process.start()
    process.join(120)
    assert process.exitcode == 0
    assert results.get() == {"bbbbbbbbbbbb"}


def test_making_a_plan_leaves_no_file_behind(
    nights: list[Snapshot], temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    policy = StalenessPolicy(where="name = 'Board'", unrun_days=None)
    plan = make_plan(UPath(tmp_path / "storage"), "acme", policy, now=lambda: NOW + timedelta(minutes=5))
    assert plan.reports == ("bbbbbbbbbbbb",)
    assert list((tmp_path / "work").iterdir()) == []
    assert [path.name for path in temporary.iterdir()] == ["theirs.txt"]
