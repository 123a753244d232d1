# SPDX-License-Identifier: Apache-2.0
"""The commands and scripts of the documentation, with connections in Airflow's database like those of a reader."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.governance.plans.plan import Plan, plans_folder
from airflow_provider_studio.governance.snapshots.store import SnapshotStore
from tests.airflow_in_process import empty_database
from tests.cli.airflow_home import AirflowHome, readme_commands
from tests.connections import connection_of
from tests.docs.pages import ROOT, blocks
from tests.governance.conftest import Governed, governed
from tests.governance.nights import write_night
from tests.s3_server import BUCKET, S3Server, needs_s3

__all__ = ["governed"]

WORKSPACE = "my-workspace"
INVENTORY = "airflow studio inventory"


@pytest.fixture(scope="module")
def studio() -> Iterator[StudioEmulator]:
    """The workspace of the README's connection."""
    with StudioEmulator(WORKSPACE, reports=40, seed=7) as running:
        yield running


@pytest.fixture(scope="module")
def connected(studio: StudioEmulator, tmp_path_factory: pytest.TempPathFactory) -> AirflowHome:
    """A home after the README's setup; only the host is added, to use the emulator."""
    home = AirflowHome(tmp_path_factory.mktemp("home"))
    shutil.copyfile(
        empty_database(), home.folder / "airflow.db"
    )  # the migration takes 30 seconds, so the test run migrates only once
    token, secret = studio.credentials()
    setup = readme_commands("airflow connections add")
    setup = setup.replace(f"--conn-schema {WORKSPACE}", f"--conn-schema {WORKSPACE} --conn-host {studio.url}")
    setup = "\n".join(line for line in setup.splitlines() if not line.startswith("airflow studio "))
    assert studio.url in setup
    done = home.shell(
        f"set -e\nairflow db migrate\n{setup}", environment={"STUDIO_TOKEN": token, "STUDIO_SECRET": secret}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return home


@pytest.fixture
def home(connected: AirflowHome, tmp_path: Path) -> AirflowHome:
    """A copy of that home, so that tests are independent."""
    shutil.copytree(connected.folder, tmp_path / "home")
    return AirflowHome(tmp_path / "home")


def test_the_readme_s_command_runs_after_the_readme_s_setup(home: AirflowHome, studio: StudioEmulator) -> None:
    commands = readme_commands(f"{INVENTORY} ")
    (command,) = [line for line in commands.splitlines() if line.startswith("airflow studio ")]
    ran = home.shell(command)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "No rows.\n", "one snapshot does not prove that nobody viewed a Report"
    assert "; snapshot of " in ran.stderr
    assert studio.credentials()[1] not in ran.stdout + ran.stderr
    store = SnapshotStore(_path(home.folder / "studio"), WORKSPACE)
    assert len(store.all()) == 1, "it took a snapshot, because there was none"
    assert home.shell(command).returncode == 0
    assert len(store.all()) == 1, "and then read it"


@pytest.mark.slow
def test_csv_holds_the_table_and_nothing_of_airflow_s_log(home: AirflowHome, emulator: StudioEmulator) -> None:
    ran = home.shell(
        f"{INVENTORY} --take --output csv --columns token,name --limit 2",
        environment={"AIRFLOW_CONN_STUDIO_DEFAULT": connection_of(emulator)},
    )
    assert ran.returncode == 0, ran.stderr
    rows = list(csv.reader(ran.stdout.removeprefix("\ufeff").splitlines()))
    assert rows[0] == ["token", "name"]
    assert len(rows) == 3
    snapshots = SnapshotStore(_path(home.folder / "studio"), "acme").all()
    assert snapshots, "the connection in the environment goes before that of the database"


@pytest.mark.slow
def test_storage_of_airflow_cfg_is_found_from_any_folder(home: AirflowHome, tmp_path: Path) -> None:
    write_night(_path(tmp_path / "shared"), 0, {"only": {"name": "Revenue"}}, workspace="other")
    file = home.folder / "airflow.cfg"
    written = file.read_text(encoding="utf-8")
    assert written.count("\n[studio]\n") == 1, "Airflow writes the section with its options as comments"
    address = f"file://{tmp_path}/shared"
    file.write_text(written.replace("\n[studio]\n", f"\n[studio]\nstorage_path = {address}\n"), encoding="utf-8")
    ran = home.shell(INVENTORY, cwd=Path("/"))
    assert ran.returncode == 0, ran.stderr
    assert "Revenue" in ran.stdout


@pytest.mark.slow
def test_a_secrets_backend_and_the_storage_of_the_environment_are_used(studio: StudioEmulator, tmp_path: Path) -> None:
    home = AirflowHome(tmp_path / "home")
    connection = json.loads(connection_of(studio))
    (tmp_path / "connections.json").write_text(json.dumps({"studio_default": connection}))
    settings = {
        "AIRFLOW__SECRETS__BACKEND": "airflow.secrets.local_filesystem.LocalFilesystemBackend",
        "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps({"connections_file_path": f"{tmp_path}/connections.json"}),
        "AIRFLOW__STUDIO__STORAGE_PATH": f"file://{tmp_path}/shared",
    }
    ran = home.shell(f"{INVENTORY} --take --limit 1", environment=settings)
    assert ran.returncode == 0, ran.stderr
    assert len(ran.stdout.splitlines()) == 2
    assert SnapshotStore(_path(tmp_path / "shared"), WORKSPACE).all()


@pytest.mark.slow
def test_a_connection_that_is_missing_is_named_with_the_command_that_creates_it(home: AirflowHome) -> None:
    ran = home.shell(f"{INVENTORY} --conn studio_emea")
    assert ran.returncode == 1
    assert ran.stdout == ""
    message = ran.stderr.splitlines()[-1]
    assert "There is no connection 'studio_emea'" in message
    assert "airflow connections add studio_emea --conn-type studio --conn-schema" in message
    assert "AIRFLOW_CONN_STUDIO_EMEA" in message
    assert str(home.folder) in message, "it names the AIRFLOW_HOME that was searched"
    assert "migrate" not in message


@pytest.mark.slow
def test_a_database_that_cannot_be_read_is_no_missing_connection(tmp_path: Path) -> None:
    ran = AirflowHome(tmp_path / "home").shell(INVENTORY)
    assert ran.returncode == 1
    assert "no such table: connection" in ran.stderr
    assert "airflow db migrate" in ran.stderr


@pytest.mark.slow
def test_a_connection_that_cannot_be_decrypted_is_no_missing_connection(home: AirflowHome) -> None:
    other_key = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG="
    ran = home.shell(INVENTORY, environment={"AIRFLOW__CORE__FERNET_KEY": other_key})
    assert ran.returncode == 1
    assert "fernet_key" in ran.stderr.splitlines()[-1]


@pytest.mark.slow
@needs_s3
def test_storage_opens_with_its_own_connection_of_the_database(home: AirflowHome, governed: Governed) -> None:
    governed.report("Dead")
    governed.nights(100, 0)
    plan = governed.plan()
    plan.write(governed.storage)
    with S3Server() as s3:
        bucket = f"s3://studio_s3@{BUCKET}/studio"
        _put(s3, governed.storage, plan)
        created = home.shell(f"airflow connections add studio_s3 --conn-json '{s3.connection}'")
        assert created.returncode == 0, created.stderr
        audited = home.shell(
            f"python -m airflow_provider_studio audit --storage {bucket} --output json",
            environment={"AWS_EC2_METADATA_DISABLED": "true"},
        )
    assert audited.returncode == 0, audited.stderr
    assert json.loads(audited.stdout)[0]["plan"] == plan.plan_id


@pytest.mark.slow
def test_a_script_of_the_documentation_runs_with_the_connection_that_the_page_exports(
    home: AirflowHome, tmp_path: Path
) -> None:
    page = ROOT / "docs" / "connection.md"
    (script,) = [block.text for block in blocks(page, "python") if "get_conn()" in block.text]
    (export,) = [block.text for block in blocks(page, "shell") if "airflow connections export" in block.text]
    (tmp_path / "listing.py").write_text(script)
    alone = home.shell(f"python {tmp_path}/listing.py")
    assert alone.returncode != 0
    assert (
        "A script or notebook does not read Airflow's database; set AIRFLOW_CONN_STUDIO_DEFAULT there" in alone.stderr
    )
    ran = home.shell(f"set -e\n{export}\npython {tmp_path}/listing.py")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()


def _path(folder: Path) -> Any:
    from upath import UPath

    return UPath(folder)


def _put(s3: S3Server, storage: Any, plan: Plan) -> None:
    """Copy the plan's files into the bucket."""
    import boto3

    options = {"aws_access_key_id": "key-of-a-test", "aws_secret_access_key": "secret-of-a-test"}
    client = boto3.client("s3", endpoint_url=s3.url, region_name="us-east-1", **options)
    for file in plans_folder(storage, plan.workspace).iterdir():
        key = f"studio/plans/workspace={plan.workspace}/{file.name}"
        client.put_object(Bucket=BUCKET, Key=key, Body=file.read_bytes())
