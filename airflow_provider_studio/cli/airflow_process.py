# SPDX-License-Identifier: Apache-2.0
"""What makes a command of ours one of Airflow's: it reads Airflow's database, and its log stays out of its output."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING

from airflow_provider_studio.client.errors import StudioConfigurationError

if TYPE_CHECKING:
    from airflow_provider_studio.client.client import StudioClient

_CONTEXT = "_AIRFLOW_PROCESS_CONTEXT"
"""Airflow looks connections up in its database only in processes that this variable marks as a part of it."""


@contextmanager
def airflow_command() -> Iterator[None]:
    """Work as one of Airflow's own processes, as `airflow connections get` does, until the block ends.

    Connections, those of a storage included, are looked up in the environment, the secrets backend and Airflow's
    database. Without the mark Airflow leaves the database out, and says that the connection is not defined.

    What Airflow logs goes to standard error, because standard output is the table that was asked for. Airflow takes the
    stream that it finds when it is first imported, so import it within the block.
    """
    before = os.environ.get(_CONTEXT)
    os.environ[_CONTEXT] = "server"
    try:
        with redirect_stdout(sys.stderr):
            from airflow.providers_manager import ProvidersManager

            # Before Airflow 3.2 a process that leaves this out does not read [studio] rate_limit_url_cmd.
            ProvidersManager().initialize_providers_configuration()  # type: ignore[no-untyped-call]
            yield
    finally:
        if before is None:
            os.environ.pop(_CONTEXT, None)
        else:
            os.environ[_CONTEXT] = before


def studio_client(conn_id: str) -> StudioClient:
    """Return the client of a connection.

    :raises StudioConfigurationError: there is no such connection where this process can look; says where that was.
    """
    from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

    from airflow_provider_studio.hooks.studio import StudioHook

    try:
        BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        raise StudioConfigurationError(_missing(conn_id)) from None
    return StudioHook(conn_id).client


def _missing(conn_id: str) -> str:
    from airflow.configuration import AIRFLOW_HOME

    variable = f"AIRFLOW_CONN_{conn_id.upper()}"
    problem = _database_problem(conn_id)
    if problem:
        return (
            f"The connection {conn_id!r} cannot be read: {variable} is not set, no secrets backend has it, and the "
            f"database of the Airflow in {AIRFLOW_HOME} does not return it: {problem}"
        )
    return (
        f"There is no connection {conn_id!r}: {variable} is not set, and neither a secrets backend nor the database of "
        f"the Airflow in {AIRFLOW_HOME} has it. Set AIRFLOW_HOME if yours is another, or create it with `airflow "
        f"connections add {conn_id} --conn-type studio --conn-schema WORKSPACE --conn-login TOKEN --conn-password "
        "SECRET`. An existing snapshot can be read without a connection: name its workspace with --workspace."
    )


def _database_problem(conn_id: str) -> str | None:
    """Return why the database cannot be read, or None; Airflow reports every failure as a missing connection."""
    from airflow.secrets.metastore import MetastoreBackend
    from cryptography.fernet import InvalidToken

    try:
        found = MetastoreBackend().get_connection(conn_id)
        if found is not None:
            found.get_uri()
    except InvalidToken:
        return "it was encrypted with another [core] fernet_key than this process has."
    except Exception as error:  # noqa: BLE001  whatever a database driver raises
        # The driver's own error; SQLAlchemy's around it adds the SQL and its values.
        reason = str(getattr(error, "orig", None) or error).strip().partition("\n")[0].rstrip(".")
        return f"{reason or type(error).__name__}. A new database needs `airflow db migrate` first."
    return None
