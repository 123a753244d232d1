# SPDX-License-Identifier: Apache-2.0
"""Run a command as an Airflow process: with access to Airflow's database, and with the log on standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING

from airflow_provider_studio.client.errors import StudioConfigurationError

if TYPE_CHECKING:
    from airflow_provider_studio.client.client import StudioClient
    from airflow_provider_studio.hooks.studio import StudioHook

_CONTEXT = "_AIRFLOW_PROCESS_CONTEXT"
"""Airflow searches its database for connections only in processes with this variable."""


@contextmanager
def airflow_command() -> Iterator[None]:
    """Act as one of Airflow's processes, like `airflow connections get`, until the block ends.

    Connections, including that of the storage, are searched in the environment, the secrets backend and Airflow's
    database. Without the variable Airflow omits the database, and reports that the connection is not defined.

    Airflow logs to standard error, because standard output is the command's table. Airflow selects the stream when it
    is first imported, so import it within the block.
    """
    before = os.environ.get(_CONTEXT)
    os.environ[_CONTEXT] = "server"
    try:
        with redirect_stdout(sys.stderr):
            from airflow.providers_manager import ProvidersManager

            # Before Airflow 3.2, [studio] rate_limit_url_cmd is not read without this.
            ProvidersManager().initialize_providers_configuration()  # type: ignore[no-untyped-call]
            yield
    finally:
        if before is None:
            os.environ.pop(_CONTEXT, None)
        else:
            os.environ[_CONTEXT] = before


def studio_client(conn_id: str) -> StudioClient:
    """Return the client of a connection.

    :raises StudioConfigurationError: the connection does not exist; the message names the places that were searched.
    """
    return studio_hook(conn_id).client


def studio_hook(conn_id: str) -> StudioHook:
    """Return the hook of a connection.

    :raises StudioConfigurationError: the connection does not exist; the message names the places that were searched.
    """
    from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

    from airflow_provider_studio.hooks.studio import StudioHook

    try:
        BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        raise StudioConfigurationError(_missing(conn_id)) from None
    return StudioHook(conn_id)


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
        f"the Airflow in {AIRFLOW_HOME} has it. Set AIRFLOW_HOME if another Airflow has it, or create it with `airflow "
        f"connections add {conn_id} --conn-type studio --conn-schema WORKSPACE --conn-login TOKEN --conn-password "
        "SECRET`. An existing snapshot can be read without a connection: name its workspace with --workspace."
    )


def _database_problem(conn_id: str) -> str | None:
    """Return why the database cannot be read, or None; Airflow itself reports a missing connection instead."""
    from airflow.secrets.metastore import MetastoreBackend
    from cryptography.fernet import InvalidToken

    try:
        found = MetastoreBackend().get_connection(conn_id)
        if found is not None:
            found.get_uri()
    except InvalidToken:
        return "it was encrypted with a [core] fernet_key other than that of this process."
    except Exception as error:  # noqa: BLE001  whatever a database driver raises
        # The driver's error; SQLAlchemy's, which wraps it, adds the SQL and its values.
        reason = str(getattr(error, "orig", None) or error).strip().partition("\n")[0].rstrip(".")
        return f"{reason or type(error).__name__}. A new database needs `airflow db migrate` first."
    return None
