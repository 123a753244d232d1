# SPDX-License-Identifier: Apache-2.0
"""Datasets and data sources."""

from __future__ import annotations

from starlette.responses import Response

from airflow_provider_studio.emulator.clock import stamp
from airflow_provider_studio.emulator.request import PER_PAGE, ApiRequest
from airflow_provider_studio.emulator.routes import runs
from airflow_provider_studio.emulator.routes.endpoint import Answer, Routes
from airflow_provider_studio.emulator.serializers import reports as report_bodies
from airflow_provider_studio.emulator.serializers import runs as run_bodies
from airflow_provider_studio.emulator.serializers.hal import Body, json_response, link
from airflow_provider_studio.emulator.serializers.workspace import data_source as body

routes = Routes()


@routes.on("GET", "/datasets/{dataset}")
def dataset(asked: ApiRequest) -> Answer:
    return report_bodies.dataset(asked.view, asked.report())


@routes.on("GET", "/datasets/{dataset}/reports")
def reports_of_dataset(asked: ApiRequest) -> Answer:
    token = asked.report().token
    rows = asked.visible_reports(lambda one: token in one.imported_datasets)
    return asked.paged("reports", rows, lambda one: report_bodies.report(asked.view, one), counters=False)


@routes.on("GET", "/datasets/{dataset}/runs")
def dataset_runs(asked: ApiRequest) -> Answer:
    return runs.listing_of(asked, asked.report(), PER_PAGE)


@routes.on("POST", "/datasets/{dataset}/runs", 202)
def run_dataset(asked: ApiRequest) -> Answer:
    return run_bodies.dataset_run(asked.view, runs.start(asked))


@routes.on("GET", "/datasets/{dataset}/runs/{run}")
def dataset_run(asked: ApiRequest) -> Answer:
    return run_bodies.run(asked.view, asked.run())


@routes.on("GET", "/data_sources")
def data_sources(asked: ApiRequest) -> Answer:
    _ = asked.account
    return asked.whole("data_sources", list(asked.world.data_sources.values()), lambda one: body(asked.view, one))


@routes.on("GET", "/data_sources/{data_source}")
def data_source(asked: ApiRequest) -> Answer:
    _ = asked.account
    return body(asked.view, asked.data_source())


@routes.on("PATCH", "/data_sources/{data_source}", 202)
def update_data_source(asked: ApiRequest) -> Answer:
    asked.need_admin()
    found, values = asked.data_source(), asked.values("data_source", name=str, description=str)
    found.name = values.get("name") or found.name
    found.description = values.get("description") or found.description
    found.updated_at = asked.now
    return body(asked.view, found)


@routes.on("GET", "/data_sources/{data_source}/datasets")
def datasets_of_data_source(asked: ApiRequest) -> Answer:
    source = asked.data_source().token
    rows = asked.visible_reports(lambda one: one.type == "DatasetReport" and asked.world.data_source_of(one) == source)
    return asked.paged("reports", rows, lambda one: report_bodies.dataset(asked.view, one), counters=False)


@routes.on("POST", "/data_sources/{data_source}/purge")
def purge_data_source(asked: ApiRequest) -> Response:
    asked.need_admin()
    asked.world.purged_sources[asked.data_source().token] = asked.now
    return json_response({}, 202)


@routes.on("POST", "/data_sources/{data_source}/schema_updates")
def update_schema(asked: ApiRequest) -> Body:
    found = asked.data_source()
    token = asked.world.new_token("schema update")
    return {
        "id": asked.world.id(asked.world.made),
        "token": token,
        "state": "completed",
        "content_length": 4096,
        "number_of_schemas": 3,
        "number_of_tables": 42,
        "last_succesful_refresh_at": stamp(asked.now),
        "webapp_uri": f"/organizations/{asked.world.workspace}/data_sources/{found.token}",
        "_links": {"self": link(f"{asked.path}/{token}")},
    }
