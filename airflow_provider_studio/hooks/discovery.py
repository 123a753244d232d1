# SPDX-License-Identifier: Apache-2.0
"""The inventory's sources besides the REST API, from Airflow connections: Discovery API and Discovery Database."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, Literal, get_args

from airflow_provider_studio.client.errors import StudioAPIError, StudioConfigurationError

if TYPE_CHECKING:
    from upath import UPath

    from airflow_provider_studio.governance.inventory.inventory import Source
    from airflow_provider_studio.hooks.studio import StudioHook

log = logging.getLogger(__name__)

SourceName = Literal["auto", "rest", "discovery_api", "discovery_db"]
_BATCH_SIZE = 5000


def checked_source(name: str) -> str:
    """Return the name of a source, if it exists.

    :raises StudioConfigurationError: there is no such source.
    """
    if name not in get_args(SourceName):
        raise StudioConfigurationError(f"source is {name!r}; it must be one of {', '.join(get_args(SourceName))}.")
    return name


def source_of(
    hook: StudioHook,
    name: str,
    storage: UPath,
    *,
    include_personal: bool = False,
    sql_conn_id: str | None = None,
    schema: str | None = None,
    query: str | None = None,
) -> Source | None:
    """Return the source of this name; None means to crawl the REST API.

    `auto` is the cheapest available source: the Discovery Database if a SQL connection is named, else the Discovery API
    if the Studio connection has a signature token that works, else the REST API.

    :param sql_conn_id: the Airflow connection of the Discovery Database.
    :raises StudioConfigurationError: a parameter of the source is missing.
    """
    checked_source(name)
    if name == "discovery_db" or (name == "auto" and sql_conn_id):
        if not sql_conn_id:
            raise StudioConfigurationError(
                "source is 'discovery_db', and discovery_sql_conn_id is missing; name the SQL connection to use."
            )
        return _database(hook, sql_conn_id, storage, schema, query)
    if name == "discovery_api" or (name == "auto" and hook.has_discovery):
        source = _api(hook, include_personal=include_personal)
        if name == "discovery_api" or _works(source):
            return source
    return None


def _api(hook: StudioHook, *, include_personal: bool) -> Source:
    from airflow_provider_studio.governance.inventory.discovery_sources import DiscoveryAPI

    return DiscoveryAPI(hook.discovery_client, include_personal=include_personal)


def _works(source: Source) -> bool:
    try:
        source.list_collections()
    except StudioAPIError as error:
        log.warning("The Discovery API is unavailable, so the REST API is crawled: %s", error)
        return False
    return True


def _database(hook: StudioHook, sql_conn_id: str, storage: UPath, schema: str | None, query: str | None) -> Source:
    from airflow_provider_studio.governance.inventory.discovery_sources import QUERY, SCHEMA, DiscoveryDatabase
    from airflow_provider_studio.governance.snapshots.store import SnapshotStore, tokens_by_id

    newest = SnapshotStore(storage, hook.client.workspace).newest()
    tokens: Mapping[str, str] = {} if newest is None else tokens_by_id(newest)
    return DiscoveryDatabase(AirflowDatabase(sql_conn_id), tokens, schema=schema or SCHEMA, query=query or QUERY)


class AirflowDatabase:
    """Runs a query with any Airflow SQL connection.

    :param conn_id: the connection.
    :raises StudioConfigurationError: the SQL provider is not installed, or the connection is no SQL connection.
    """

    def __init__(self, conn_id: str) -> None:
        from airflow.providers.common.compat.sdk import BaseHook

        try:
            from airflow.providers.common.sql.hooks.sql import DbApiHook
        except ImportError:
            raise StudioConfigurationError(
                "The Discovery Database needs Airflow's SQL provider: pip install 'airflow-provider-studio[discovery]'."
            ) from None
        hook: Any = BaseHook.get_hook(conn_id)
        if not isinstance(hook, DbApiHook):
            raise StudioConfigurationError(
                f"Connection {conn_id!r} is no SQL connection (its hook is {type(hook).__name__}); name a database's."
            )
        self._hook = hook

    def run(self, sql: str) -> tuple[Sequence[str], Iterator[Sequence[Any]]]:
        """Run a query; the rows are read lazily."""
        rows = self._rows(sql)
        return next(rows), rows

    def _rows(self, sql: str) -> Iterator[Sequence[Any]]:
        """Yield the names of the columns, then the rows."""
        with closing(self._hook.get_conn()) as connection, closing(connection.cursor()) as cursor:
            cursor.execute(sql)
            yield [column[0] for column in cursor.description]
            while rows := cursor.fetchmany(_BATCH_SIZE):
                yield from rows
