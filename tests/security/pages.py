# SPDX-License-Identifier: Apache-2.0
"""The pages as an attacker's browser has them: behind Airflow's auth manager, on a storage of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastapi.testclient import TestClient
from upath import UPath

from tests.plugin.conftest import bearer


@contextmanager
def pages_of(
    storage: UPath, cache: Path, *, role: str = "viewer", dags: set[str] | None = None
) -> Iterator[TestClient]:
    """Open the pages for a user.

    :param cache: the folder of the page cache.
    :param role: a role of the simple auth manager.
    :param dags: the DAGs that the user may read; those that the auth manager returns by default.
    """
    from airflow_provider_studio.plugin import access
    from airflow_provider_studio.plugin.app import create_app
    from airflow_provider_studio.plugin.repository import Repository, repository

    app = create_app()
    found = Repository(lambda: storage, cache, patience_seconds=60, preparation_seconds=60)
    app.dependency_overrides[repository] = lambda: found
    if dags is not None:
        app.dependency_overrides[access._readable_dags] = lambda: dags
    with TestClient(app, headers=bearer(role)) as client:
        yield client
