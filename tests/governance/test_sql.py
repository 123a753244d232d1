# SPDX-License-Identifier: Apache-2.0
"""A database that governance opens reads its own folders, and what it cannot do it says without showing data."""

from __future__ import annotations

import ast
import stat
import tempfile
from pathlib import Path

import duckdb
import pytest
from upath import UPath

import airflow_provider_studio
from airflow_provider_studio.governance import sql
from airflow_provider_studio.governance.errors import GovernanceError, StorageError

NAMES = (
    "o'brien",
    "a'; COPY (SELECT 1) TO 'x",
    'a "quoted" name',
    "st*r",
    "a[bc]",
    "what?",
    "back\\slash",
    "new\nline",
    "token=abc",
    "tr**s",
    "$HOME",
    "売上",
)
OUTSIDE = (
    "SELECT content FROM read_text('{file}')",
    "SELECT content FROM read_blob('{file}')",
    "FROM '{file}'",
    "FROM read_csv('{file}')",
    "FROM sniff_csv('{file}')",
    "FROM read_json('{file}')",
    "FROM glob('{folder}/*')",
    "FROM parquet_scan('{folder}/*.parquet')",
    "FROM parquet_metadata('{folder}/own.parquet')",
    "FROM read_text('{inside}/../own.txt')",
    "COPY (SELECT 1) TO '{folder}/written.csv'",
    "ATTACH '{folder}/database.db'",
    "EXPORT DATABASE '{folder}/exported'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "LOAD '{folder}/x.duckdb_extension'",
    "SET enable_external_access = true",
    "SET allowed_directories = ['/']",
    "SET temp_directory = '{folder}'",
    "SET memory_limit = '100GB'",
    "SET threads = 64",
    "PRAGMA threads = 64",
    "RESET memory_limit",
    "SET log_query_path = '{folder}/log'",
    "CREATE SECRET (TYPE s3, KEY_ID 'a', SECRET 'b')",
    "SELECT * FROM python_variable",
)


@pytest.mark.parametrize("name", NAMES)
def test_files_below_a_folder_of_any_name_are_read_and_written(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    for decoy in ("stXr", "ab", "whatX", "trXs"):
        (tmp_path / decoy).mkdir(exist_ok=True)
        duckdb.sql("SELECT 'decoy' AS a").write_parquet(str(tmp_path / decoy / "x.parquet"))
    with sql.opened("96MB", [folder]) as connection:
        sql.write_parquet(connection, "SELECT 1 AS a", folder / "x.parquet")
        bound = connection.execute(f"SELECT * FROM {sql.PARQUET}", [sql.exact_name(folder / "x.parquet")])
        assert [column[0] for column in bound.description] == ["a"]
        assert bound.fetchall() == [(1,)]
        connection.execute(f"CREATE VIEW rows AS SELECT * FROM {sql.parquet([folder / 'x.parquet'])}")
        assert connection.execute("SELECT * FROM rows").fetchall() == [(1,)]
    assert (folder / "x.parquet").exists()


@pytest.mark.parametrize("statement", OUTSIDE)
def test_nothing_outside_the_folders_can_be_read_written_or_set(tmp_path: Path, statement: str) -> None:
    inside, folder = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    folder.mkdir()
    (folder / "own.txt").write_text("classified")
    duckdb.sql("SELECT 'classified' AS a").write_parquet(str(folder / "own.parquet"))
    before = sorted(folder.iterdir())
    python_variable = [("classified",)]  # noqa: F841  a replacement scan would find it
    given = statement.format(file=folder / "own.txt", folder=folder, inside=inside)
    with sql.opened("96MB", [inside]) as connection, pytest.raises(duckdb.Error) as refused:
        connection.execute(given).fetchall()
    assert "classified" not in str(refused.value)
    assert sorted(folder.iterdir()) == before


def test_the_private_folder_is_this_users_alone_and_is_removed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "temporary").mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.chdir(tmp_path / "work")
    with sql.opened("50MB") as connection:
        (private,) = (tmp_path / "temporary").iterdir()
        assert sql.scratch_of(connection) == private
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
        connection.execute("CREATE TABLE large AS SELECT random() AS r FROM range(8000000)")
        assert private.joinpath("spill").exists()
    assert list((tmp_path / "temporary").iterdir()) == []
    assert list((tmp_path / "work").iterdir()) == []


def test_a_database_that_cannot_be_opened_leaves_no_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(duckdb.Error):
        sql.Database("not a size")
    assert list(tmp_path.iterdir()) == []


def test_every_database_has_limits() -> None:
    with sql.opened("96MB") as connection:
        names = ("memory_limit", "threads", "max_temp_directory_size", "lock_configuration")
        of = {name: connection.execute("SELECT current_setting(?)::VARCHAR", [name]).fetchone() for name in names}
    assert of["memory_limit"] == ("91.5 MiB",)
    assert of["threads"] == ("2",)
    assert of["max_temp_directory_size"] == ("7.4 GiB",)
    assert of["lock_configuration"] == ("true",)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 'a secret'::INTEGER",
        "SELECT error('a secret')",
        "SELECT CAST(a AS DATE) FROM (VALUES ('a secret')) AS rows(a)",
        "SELECT strptime('a secret', '%Y')",
        "SELECT json('{a secret')",
        "SELECT regexp_matches('x', '(a secret')",
    ],
)
def test_an_error_shows_no_data(query: str) -> None:
    with pytest.raises(StorageError) as raised, sql.opened("96MB") as connection:
        connection.execute(query).fetchall()
    assert "secret" not in str(raised.value)
    assert "DuckDB raised" in str(raised.value)
    assert raised.value.__suppress_context__


def test_an_error_of_the_statement_is_shown(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match='Referenced column "nothing" not found'), sql.opened("96MB") as connection:
        connection.execute("SELECT nothing FROM range(3)")


@pytest.mark.parametrize("quote", [sql.quoted, sql.identifier])
def test_what_is_quoted_is_one_literal_or_name(quote: object) -> None:
    for name in (*NAMES, "", "''", '""', "\\'", "a\\", "';--", '";--'):
        if quote is sql.quoted:
            assert duckdb.sql(f"SELECT {sql.quoted(name)}").fetchall() == [(name,)]
        elif name:
            assert duckdb.sql(f"SELECT 1 AS {sql.identifier(name)}").columns == [name]
    with pytest.raises(GovernanceError, match="NUL"):
        sql.quoted("a\0b")
    with pytest.raises(GovernanceError, match="NUL"):
        sql.identifier("a\0b")


def test_a_file_system_of_python_is_read_below_the_folder_alone() -> None:
    ours, others = UPath("memory://bucket/ours"), UPath("memory://bucket/others")
    with sql.opened("96MB") as connection:
        sql.write_parquet(connection, "SELECT 1 AS a", sql.scratch_of(connection) / "x.parquet")
        content = (sql.scratch_of(connection) / "x.parquet").read_bytes()
    for folder in (ours, others):
        (folder / "x.parquet").write_bytes(content)
    with sql.opened("96MB", [ours]) as connection:
        read = connection.execute
        assert read(f"FROM {sql.PARQUET}", [sql.exact_name(ours / "x.parquet")]).fetchall() == [(1,)]
        with pytest.raises(duckdb.PermissionException):
            read(f"FROM {sql.PARQUET}", [sql.exact_name(others / "x.parquet")])


def test_duckdb_is_opened_in_one_place() -> None:
    package = Path(airflow_provider_studio.__file__).parent
    opening = set()
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "duckdb"
            opens = named and node.attr[0].islower()  # classes open nothing; functions of the module do
            if opens or (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "duckdb"):
                opening.add(path.relative_to(package).as_posix())
    assert opening == {"governance/sql.py"}
