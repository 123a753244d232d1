# SPDX-License-Identifier: Apache-2.0
"""Queries of Reports, their runs, and the connections to databases."""

from __future__ import annotations

from airflow_provider_studio.client.field_types import Count, Identifier, Time
from airflow_provider_studio.client.models.resource import Resource, last_part


class QueryRun(Resource):
    """One query of a Report run, with the reason of a failed run.

    `raw_source` is the query, `rendered_source` what was sent to the database.
    """

    token: str
    id: Identifier | None = None
    state: str | None = None
    query_token: str | None = None
    query_name: str | None = None
    data_source_token: str | None = None
    raw_source: str | None = None
    rendered_source: str | None = None
    created_at: Time | None = None
    completed_at: Time | None = None
    error_code: str | None = None
    error_type: str | None = None
    error_message: str | None = None


class Query(Resource):
    """A query of a Report. `raw_query` is its SQL, which may contain Liquid and `{% form %}` blocks."""

    token: str
    id: Identifier | None = None
    name: str | None = None
    raw_query: str | None = None
    data_source_id: Identifier | None = None
    created_at: Time | None = None
    updated_at: Time | None = None

    @property
    def creator(self) -> str | None:
        """The user name of its creator, from the link."""
        return last_part(self.link("creator"))


class DataSource(Resource):
    """A database connection of the workspace. An example of `vendor` is `snowflake`, of `adapter` `jdbc:snowflake`."""

    token: str
    id: Identifier | None = None
    name: str | None = None
    vendor: str | None = None
    adapter: str | None = None
    host: str | None = None
    port: int | None = None
    database: str | None = None


class SchemaUpdate(Resource):
    """A new reading of a data source's schemas and tables."""

    token: str
    id: Identifier | None = None
    state: str | None = None
    number_of_schemas: Count | None = None
    number_of_tables: Count | None = None


class Definition(Resource):
    """A piece of SQL that queries refer to; `source` is its SQL."""

    token: str
    id: Identifier | None = None
    name: str | None = None
    description: str | None = None
    source: str | None = None
    data_source_id: Identifier | None = None
    created_at: Time | None = None
    updated_at: Time | None = None
