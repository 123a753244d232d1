# SPDX-License-Identifier: Apache-2.0
"""The pages over HTTP, behind Airflow's own auth manager, on the storage of a season."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from upath import UPath

from airflow_provider_studio.emulator import StudioEmulator
from airflow_provider_studio.governance.lineage.report_tables import write_tables
from tests.airflow_in_process import migrate
from tests.conftest import client_of
from tests.plugin.workspace import live_through_a_season, write_odd_names

NIGHTS_AGO = (120, 95, 20, 1)


@pytest.fixture(scope="session")
def season(tmp_path_factory: pytest.TempPathFactory) -> UPath:
    """Storage with the workspaces `acme` and `odd-names`. Tests only read it."""
    storage = UPath(tmp_path_factory.mktemp("season") / "studio")
    with StudioEmulator("acme", reports=120, seed=11) as emulator:
        live_through_a_season(emulator, storage, NIGHTS_AGO)
        with client_of(emulator) as client:
            write_tables(client, storage)
    write_odd_names(storage)
    return storage


@pytest.fixture(scope="session")
def users(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Airflow's simple auth manager with an admin and a viewer, and its metadata database."""
    migrate()
    os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"] = "admin:admin,viewer:viewer"
    passwords = tmp_path_factory.mktemp("users") / "passwords.json"
    passwords.write_text(json.dumps({"admin": "a", "viewer": "v"}), encoding="utf-8")
    os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"] = str(passwords)
    from airflow.api_fastapi.app import create_auth_manager

    create_auth_manager().init()


@pytest.fixture
def app(users: None, season: UPath, tmp_path: Path) -> FastAPI:
    """The pages as Airflow mounts them, in front of an Airflow without DAGs."""
    from airflow_provider_studio.plugin import access
    from airflow_provider_studio.plugin.app import create_app
    from airflow_provider_studio.plugin.repository import Repository, repository

    pages = create_app()
    stored = Repository(lambda: season, tmp_path / "page-cache", patience_seconds=60, preparation_seconds=60)
    pages.dependency_overrides[repository] = lambda: stored
    pages.dependency_overrides[access._readable_dags] = lambda: {"studio_nightly_governance"}
    root = FastAPI()
    root.mount("/studio", pages)
    root.state.pages = pages
    return root


def bearer(role: str) -> dict[str, str]:
    """Return the header of a user with a role."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    token = get_auth_manager().generate_jwt(SimpleAuthManagerUser(username=role, role=role))
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def viewer(app: FastAPI) -> Iterator[TestClient]:
    """A browser in which a viewer is logged in."""
    with TestClient(app, headers=bearer("viewer")) as client:
        yield client
