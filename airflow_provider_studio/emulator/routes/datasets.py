# SPDX-License-Identifier: Apache-2.0
"""Datasets and data sources."""

from __future__ import annotations

from starlette.responses import Response

from airflow_provider_studio.emulator.clock import stamp
from airflow_provider_studio.emulator.request import PER_PAGE, ApiRequest
from airflow_provider_studio.emulator.routes import runs
from airflow_provider_studio.emulator.routes.endpoint import Result, Routes
from airflow_provider_studio.emulator.serializers.hal import Body, json_response, link
from airflow_provider_studio.emulator.serializers.reports import (
    serialize_dataset,
    serialize_report,
    serialize_report_of_dataset,
)
from airflow_provider_studio.emulator.serializers.runs import serialize_dataset_run, serialize_run
from airflow_provider_studio.emulator.serializers.workspace import serialize_data_source

routes = Routes()


@routes.on("GET", "/datasets/{dataset}")
def dataset(request: ApiRequest) -> Result:
    return serialize_dataset(request.view, request.report())


@routes.on("GET", "/datasets/{dataset}/reports")
def reports_of_dataset(request: ApiRequest) -> Result:
    token = request.report().token
    rows = request.visible_reports(lambda report: token in report.imported_datasets)
    whole = request.workspace.quirks.dataset_reports == "whole"
    serialize = serialize_report if whole else serialize_report_of_dataset
    return request.paged("reports", rows, lambda report: serialize(request.view, report), counters=False)


@routes.on("GET", "/datasets/{dataset}/fields")
def dataset_fields(request: ApiRequest) -> Result:
    """List the columns of a dataset; all emulated results have the same."""
    _ = request.report()
    return request.whole("fields", [{"name": name, "type": kind} for name, kind in runs.COLUMNS.items()], dict)


@routes.on("GET", "/datasets/{dataset}/runs")
def dataset_runs(request: ApiRequest) -> Result:
    return runs.listing_of(request, request.report(), PER_PAGE)


@routes.on("POST", "/datasets/{dataset}/runs", 202)
def run_dataset(request: ApiRequest) -> Result:
    return serialize_dataset_run(request.view, runs.start(request))


@routes.on("GET", "/datasets/{dataset}/runs/{run}")
def dataset_run(request: ApiRequest) -> Result:
    return serialize_run(request.view, request.run())


@routes.on("GET", "/data_sources")
def data_sources(request: ApiRequest) -> Result:
    _ = request.account
    return request.whole(
        "data_sources",
        list(request.workspace.data_sources.values()),
        lambda source: serialize_data_source(request.view, source),
    )


@routes.on("GET", "/data_sources/{data_source}")
def data_source(request: ApiRequest) -> Result:
    _ = request.account
    return serialize_data_source(request.view, request.data_source())


@routes.on("PATCH", "/data_sources/{data_source}", 202)
def update_data_source(request: ApiRequest) -> Result:
    request.need_admin()
    source, values = request.data_source(), request.values("data_source", name=str, description=str)
    source.name = values.get("name") or source.name
    source.description = values.get("description") or source.description
    source.updated_at = request.now
    return serialize_data_source(request.view, source)


@routes.on("GET", "/data_sources/{data_source}/datasets")
def datasets_of_data_source(request: ApiRequest) -> Result:
    source = request.data_source().token
    rows = request.visible_reports(
        lambda report: report.type == "DatasetReport" and request.workspace.data_source_of(report) == source
    )
    return request.paged("reports", rows, lambda dataset: serialize_dataset(request.view, dataset), counters=False)


@routes.on("POST", "/data_sources/{data_source}/purge")
def purge_data_source(request: ApiRequest) -> Response:
    request.need_admin()
    request.workspace.purged_sources[request.data_source().token] = request.now
    return json_response({}, 202)


@routes.on("POST", "/data_sources/{data_source}/schema_updates")
def update_schema(request: ApiRequest) -> Body:
    source = request.data_source()
    token = request.workspace.new_token("schema update")
    return {
        "id": request.workspace.id(request.workspace.created_count),
        "token": token,
        "state": "completed",
        "content_length": 4096,
        "number_of_schemas": 3,
        "number_of_tables": 42,
        "last_succesful_refresh_at": stamp(request.now),
        "webapp_uri": f"/organizations/{request.workspace.name}/data_sources/{source.token}",
        "_links": {"self": link(f"{request.path}/{token}")},
    }
