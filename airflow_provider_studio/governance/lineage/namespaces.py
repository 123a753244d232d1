# SPDX-License-Identifier: Apache-2.0
"""The names that OpenLineage gives to the data sources of a workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_studio.client.models import DataSource

_WITH_PORT = {"mysql", "postgres", "redshift", "sqlserver", "trino", "presto", "oracle"}


def vendor_of(source: DataSource) -> str:
    """Return the kind of warehouse, such as `snowflake`, from the vendor or the JDBC adapter."""
    return (source.vendor or (source.adapter or "").removeprefix("jdbc:") or "unknown").lower()


def namespace_of(source: DataSource) -> str:
    """Return the namespace of a data source's tables as OpenLineage names it."""
    vendor, host = vendor_of(source).removesuffix("ql"), source.host or ""
    if vendor == "bigquery":
        return vendor
    if vendor == "snowflake":
        return f"snowflake://{host.removesuffix('.snowflakecomputing.com')}"
    port = f":{source.port}" if source.port and vendor in _WITH_PORT else ""
    return f"{vendor}://{host}{port}"
