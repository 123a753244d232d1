# SPDX-License-Identifier: Apache-2.0
"""The lineage of tasks, for Airflow's OpenLineage provider where it is installed.

A Report run reads the tables of its queries and writes the Report; an export reads the Report and writes files; an
inventory reads the workspace and writes its snapshot. The datasets of Studio have the names of their Airflow assets
(`studio://<workspace>` and `reports/<token>` or `inventory`). The tables come from `tables.parquet` if it has all those
of the Report; otherwise OpenLineage's parser finds them in the SQL that was run, and a query that it cannot parse adds
none.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_studio.client.errors import StudioError
from airflow_provider_studio.client.identifiers import report_token
from airflow_provider_studio.governance.file_names import table_file
from airflow_provider_studio.governance.lineage.namespaces import namespace_of, vendor_of

if TYPE_CHECKING:
    from airflow_provider_studio.client.client import StudioClient
    from airflow_provider_studio.client.models import DataSource, QueryRun

log = logging.getLogger(__name__)

_DIALECTS = {"postgresql": "postgres", "sql_server": "mssql", "sqlserver": "mssql"}


@dataclass(frozen=True)
class Lineage:
    """The lineage of one task; OpenLineage's provider copies these four fields into a class of its own."""

    inputs: list[Any] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)
    run_facets: dict[str, Any] = field(default_factory=dict)
    job_facets: dict[str, Any] = field(default_factory=dict)


def lineage_of(
    kind: str, client: StudioClient, result: Any, report: str | None = None, *, storage_path: str | None = None
) -> Lineage:
    """Return the lineage of a task.

    :param kind: `report_run`, `export` or `inventory`.
    :param result: what the operator returned.
    :param report: the exported Report: its token, URL or asset.
    :param storage_path: the operator's storage root, if it is not that of the settings.
    """
    if kind == "inventory":
        return _of_inventory(client, result, storage_path)
    if kind == "report_run":
        return _of_report_run(client, result, storage_path)
    return _of_export(client, result, report)


def _of_report_run(client: StudioClient, result: Mapping[str, Any], storage_path: str | None) -> Lineage:
    """Return the lineage of a Report run; sends two requests, and some if its tables are not stored."""
    from airflow.providers.common.compat.openlineage.facet import ExternalQueryRunFacet, SQLJobFacet

    queries = _queries(client, result["report"], result["run"])
    tables = _stored_tables(client.workspace, result["report"], storage_path)
    if tables is None:
        tables = _tables_of(client, queries)
    texts = [text for query in queries if (text := _text_of(query))]
    files = [_file(file) for file in result.get("exports") or []]
    log.debug("Lineage of Report run %s: %d tables, %d files", result.get("url"), len(tables), len(files))
    run = ExternalQueryRunFacet(externalQueryId=result["run"], source=f"studio://{client.workspace}")
    return Lineage(
        inputs=_distinct(tables),
        outputs=[_dataset(client.workspace, f"reports/{result['report']}"), *files],
        run_facets={"externalQuery": run},
        job_facets={"sql": SQLJobFacet(query=";\n\n".join(texts))} if texts else {},
    )


def _distinct(tables: list[Any]) -> list[Any]:
    return list({(table.namespace, table.name): table for table in tables}.values())


def _stored_tables(workspace: str, report: str, storage_path: str | None) -> list[Any] | None:
    """Return the tables of a Report from `tables.parquet`; None if it does not have all."""
    from airflow.providers.common.compat.openlineage.facet import Dataset

    from airflow_provider_studio import settings
    from airflow_provider_studio.governance.lineage.confidence import Confidence
    from airflow_provider_studio.governance.lineage.readers import tables_of_report
    from airflow_provider_studio.governance.snapshots.store import SnapshotStore

    try:
        storage = settings.storage() if storage_path is None else settings.storage(storage_path)
        rows = tables_of_report(SnapshotStore(storage, workspace).all(), report)
    except StudioError as error:
        log.warning("The tables of Report %s cannot be read from storage: %s", report, error)
        return None
    if not rows or any(row["confidence"] == Confidence.UNRESOLVED for row in rows):
        return None
    parts = [
        (row["namespace"], (row["database_name"], row["schema_name"], row["table_name"]))
        for row in rows
        if row["table_name"] is not None
    ]
    return [Dataset(namespace=space or "", name=".".join(part for part in names if part)) for space, names in parts]


def _tables_of(client: StudioClient, queries: list[QueryRun]) -> list[Any]:
    """Return the tables in the SQL of a run's queries."""
    sources: dict[str, DataSource | None] = {}
    tables: list[Any] = []
    for query in queries:
        text, token = _text_of(query), query.data_source_token
        if text and token:
            if token not in sources:
                sources[token] = _data_source(client, token)
            tables.extend(_tables(text, sources[token]))
    return tables


def _text_of(query: QueryRun) -> str | None:
    return query.rendered_source or query.raw_source


def _of_export(
    client: StudioClient, result: Mapping[str, Any] | list[Mapping[str, Any]], report: str | None
) -> Lineage:
    files = result if isinstance(result, list) else [result]
    token = report_token(str(report), client.workspace)
    return Lineage([_dataset(client.workspace, f"reports/{token}")], [_file(file) for file in files])


def _of_inventory(client: StudioClient, result: Mapping[str, Any], storage_path: str | None) -> Lineage:
    from airflow.providers.common.compat.openlineage.facet import SchemaDatasetFacet, SchemaDatasetFacetFields

    from airflow_provider_studio import settings
    from airflow_provider_studio.governance.snapshots.schema import TABLES

    outputs = []
    folder = str(settings.in_storage(result["snapshot"], storage_path))
    for name, columns in TABLES.items():
        fields = [
            SchemaDatasetFacetFields(name=column.name, type=column.kind, description=column.description)
            for column in columns.values()
        ]
        outputs.append(_file({"path": f"{folder}/{table_file(name)}"}, schema=SchemaDatasetFacet(fields=fields)))
    if result.get("csv"):
        outputs.append(_file({"path": result["csv"]}))
    return Lineage(inputs=[_dataset(client.workspace, "inventory")], outputs=outputs)


def _queries(client: StudioClient, report: str, run: str) -> list[QueryRun]:
    """Return the queries of a run; a failure only leaves the tables out of the lineage."""
    try:
        return list(client.list_query_runs(report, run))
    except StudioError as error:
        log.warning("No tables in the lineage of Report run %s: %s", run, error)
        return []


def _data_source(client: StudioClient, token: str) -> DataSource | None:
    try:
        return client.get_data_source(token)
    except StudioError as error:
        log.warning("No tables of data source %s in the lineage: %s", token, error)
        return None


def _tables(text: str, source: DataSource | None) -> Iterator[Any]:
    from airflow.providers.common.compat.openlineage.facet import Dataset
    from openlineage.common.sql import parse

    if source is None:
        return
    vendor = vendor_of(source)
    found = parse([text], dialect=_DIALECTS.get(vendor, vendor))
    for table in found.in_tables if found is not None else []:
        parts = [table.database or source.database, table.schema, table.name]
        yield Dataset(namespace=namespace_of(source), name=".".join(part for part in parts if part))


def _dataset(workspace: str, name: str) -> Any:
    from airflow.providers.common.compat.openlineage.facet import Dataset

    return Dataset(namespace=f"studio://{workspace}", name=name)


def _file(file: Mapping[str, Any], **facets: Any) -> Any:
    """Return a file as a dataset: `s3://bucket` and its key, or `file` and its path."""
    from airflow.providers.common.compat.openlineage.facet import OutputDataset, OutputStatisticsOutputDatasetFacet

    parts = urlsplit(str(file["path"]))
    is_local = parts.scheme in {"", "file"}
    namespace = "file" if is_local else f"{parts.scheme}://{parts.netloc}"
    size = file.get("bytes")
    statistics: dict[str, Any] = {}
    if size is not None:
        statistics["outputStatistics"] = OutputStatisticsOutputDatasetFacet(size=size)
    name = parts.path if is_local else parts.path.lstrip("/")
    return OutputDataset(namespace=namespace, name=name, facets=facets, outputFacets=statistics)
