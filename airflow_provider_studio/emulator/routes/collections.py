# SPDX-License-Identifier: Apache-2.0
"""Collections; the API calls them spaces, and both spellings route."""

from __future__ import annotations

from airflow_provider_studio.emulator.entities import Collection
from airflow_provider_studio.emulator.request import ApiRequest, bad_request, param_missing
from airflow_provider_studio.emulator.routes.endpoint import Answer, Routes, no_content
from airflow_provider_studio.emulator.routes.filters import chosen
from airflow_provider_studio.emulator.serializers import reports as report_bodies
from airflow_provider_studio.emulator.serializers import workspace as bodies

routes = Routes()


@routes.on("GET", "/spaces")
def collections(asked: ApiRequest) -> Answer:
    seen = [one for one in asked.world.collections.values() if asked.may_see(one)]
    wanted = asked.query.get("filter")
    if wanted == "custom":
        rows = [one for one in seen if one.owner is None]
    elif wanted == "all":
        rows = seen
    elif wanted == "editable":
        rows = [one for one in seen if not one.restricted or asked.account.kind == "workspace"]
    elif asked.world.quirks.unfiltered_collections == "but_others" and wanted != "mine":
        rows = [one for one in seen if one.owner in (None, asked.account.username)]
    else:  # also an unknown filter: silently what the caller belongs to, which for a Workspace token is nothing
        rows = [one for one in seen if asked.belongs_to(one)]
    return asked.paged("spaces", rows, lambda one: bodies.collection(asked.view, one))


@routes.on("POST", "/spaces", 201)
def create_collection(asked: ApiRequest) -> Answer:
    values = asked.values("space", name=str, description=str, space_type=str, default_access_level=str)
    if not values.get("name"):
        raise param_missing("space.name")
    if values.get("space_type") not in (None, "custom"):
        raise bad_request("space.space_type is invalid")
    made = Collection(asked.world.new_token("collection"), 1_950_000 + asked.world.made, values["name"])
    made.description = values.get("description")
    made.restricted = values.get("default_access_level") == "restricted"
    made.creator = asked.account.username
    asked.world.collections[made.token] = made
    return bodies.collection(asked.view, made)


@routes.on("GET", "/spaces/{space}")
def collection(asked: ApiRequest) -> Answer:
    return bodies.collection(asked.view, asked.collection())


@routes.on("PATCH", "/spaces/{space}", 202)
def update_collection(asked: ApiRequest) -> Answer:
    found, values = asked.collection(), asked.values("space", name=str, description=str)
    found.name = values.get("name") or found.name
    found.description = values.get("description", found.description)
    return bodies.collection(asked.view, found)


@routes.on("DELETE", "/spaces/{space}")
def delete_collection(asked: ApiRequest) -> Answer:
    found = asked.collection()
    if found.space_type != "custom":
        raise bad_request("Only custom collections can be deleted")
    asked.world.remove_collection(found.token)
    return no_content()


@routes.on("GET", "/spaces/{space}/reports")
def collection_reports(asked: ApiRequest) -> Answer:
    rows = chosen(asked, asked.world.reports_in(asked.collection().token))
    return asked.paged("reports", rows, lambda one: report_bodies.report(asked.view, one), counters=False)


@routes.on("GET", "/spaces/{space}/datasets")
def collection_datasets(asked: ApiRequest) -> Answer:
    rows = chosen(asked, asked.world.reports_in(asked.collection().token, "DatasetReport"))
    return asked.paged("reports", rows, lambda one: report_bodies.dataset(asked.view, one), counters=False)
