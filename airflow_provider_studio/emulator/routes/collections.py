# SPDX-License-Identifier: Apache-2.0
"""Collections; the API calls them spaces, and both spellings route."""

from __future__ import annotations

from airflow_provider_studio.emulator.entities import Collection, Report
from airflow_provider_studio.emulator.listing_quirks import EVERY
from airflow_provider_studio.emulator.request import ApiRequest, bad_request, param_missing
from airflow_provider_studio.emulator.routes.endpoint import Result, Routes, no_content
from airflow_provider_studio.emulator.routes.filters import filter_reports
from airflow_provider_studio.emulator.serializers.reports import serialize_dataset, serialize_report
from airflow_provider_studio.emulator.serializers.workspace import serialize_collection

_ACCESS_LEVELS = ("view", "edit", "restricted", "none")

routes = Routes()


@routes.on("GET", "/spaces")
def collections(request: ApiRequest) -> Result:
    visible = [collection for collection in request.workspace.collections.values() if request.may_see(collection)]
    filter_name = request.query.get("filter")
    if request.workspace.quirks.collection_filter == "ignored":
        rows = visible
    elif filter_name == "custom":
        rows = [collection for collection in visible if collection.owner is None]
    elif filter_name == "all":
        rows = visible
    elif filter_name == "editable":
        rows = [
            collection for collection in visible if not collection.restricted or request.account.kind == "workspace"
        ]
    elif request.workspace.quirks.unfiltered_collections == "but_others" and filter_name != "mine":
        rows = [collection for collection in visible if collection.owner in (None, request.account.username)]
    else:  # also for an unknown filter: those that the caller belongs to, which is none for a Workspace token
        rows = [collection for collection in visible if request.belongs_to(collection)]
    return request.paged("spaces", rows, lambda collection: serialize_collection(request.view, collection, alone=False))


@routes.on("POST", "/spaces", 201)
def create_collection(request: ApiRequest) -> Result:
    values = request.values("space", name=str, description=str, space_type=str, default_access_level=str)
    if not values.get("name"):
        raise param_missing("space.name")
    if values.get("space_type") not in (None, "custom"):
        raise bad_request("space.space_type is invalid")
    collection = Collection(
        request.workspace.new_token("collection"), 1_950_000 + request.workspace.created_count, values["name"]
    )
    collection.description = values.get("description")
    _set_access(collection, values.get("default_access_level") or "none")
    collection.creator = request.account.username
    request.workspace.collections[collection.token] = collection
    return serialize_collection(request.view, collection)


def _set_access(collection: Collection, level: str) -> None:
    """Set what members may do who do not belong to a Collection; without a level at its creation, nothing."""
    if level not in _ACCESS_LEVELS:
        raise bad_request("space.default_access_level is invalid")
    collection.access_level, collection.restricted = level, level in {"none", "restricted"}


@routes.on("GET", "/spaces/{space}")
def collection(request: ApiRequest) -> Result:
    return serialize_collection(request.view, request.collection())


@routes.on("PATCH", "/spaces/{space}", 202)
def update_collection(request: ApiRequest) -> Result:
    collection = request.collection()
    values = request.values("space", name=str, description=str, default_access_level=str)
    if values.get("default_access_level") is not None:
        _set_access(collection, values["default_access_level"])
    collection.name = values.get("name") or collection.name
    collection.description = values.get("description", collection.description)
    return serialize_collection(request.view, collection)


@routes.on("DELETE", "/spaces/{space}")
def delete_collection(request: ApiRequest) -> Result:
    collection = request.collection()
    if collection.space_type != "custom":
        raise bad_request("Only custom collections can be deleted")
    request.workspace.remove_collection(collection.token)
    return no_content()


@routes.on("GET", "/spaces/{space}/reports")
def collection_reports(request: ApiRequest) -> Result:
    rows = filter_reports(request, _reports(request))
    return request.paged("reports", rows, lambda report: serialize_report(request.view, report), counters=False)


@routes.on("GET", "/spaces/{space}/datasets")
def collection_datasets(request: ApiRequest) -> Result:
    rows = filter_reports(request, _reports(request, "DatasetReport"))
    return request.paged("reports", rows, lambda dataset: serialize_dataset(request.view, dataset), counters=False)


def _reports(request: ApiRequest, kind: str = "Report") -> list[Report]:
    """Return the Reports (or datasets) of the Collection that the path names, unless a quirk lists it empty."""
    token = request.collection().token
    is_empty = not {EVERY, token}.isdisjoint(request.workspace.quirks.empty_collections)
    return [] if is_empty else request.workspace.reports_in(token, kind)
