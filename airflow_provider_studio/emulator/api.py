# SPDX-License-Identifier: Apache-2.0
"""The API's endpoints, thin: find the thing, check who asks, change the world, render it.

`spaces` and `collections` are the same resource and both spellings route, as in the real API.
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from airflow_provider_studio.emulator.asked import ApiError, Asked, not_found
from airflow_provider_studio.emulator.render import Body, link, listing, pagination
from airflow_provider_studio.emulator.world import Collection, Report, token_for

_RUNS_PER_PAGE = 20
_NOT_FOR_KEYS = "This endpoint is unsupported for use with Api Keys"

router = APIRouter(prefix="/api")


@router.get("/verify")
async def verify(request: Request) -> Response:
    asked = Asked(request)
    workspace, account = asked.world.workspace, asked.account
    body: Body = {"workspace": workspace, "workspace_token": token_for("workspace", workspace)}
    if account.kind == "personal":
        body["_links"] = {"self": link(f"/api/{workspace}")}
    else:
        body["api_key_scope"] = account.kind
        body["_links"] = {"self": link(f"/api/{workspace}/api_keys/{account.token}")}
    return JSONResponse(body)


@router.get("/account")
async def account(request: Request) -> Response:
    asked = Asked(request)
    if asked.account.kind != "personal":
        raise ApiError(400, "bad_request", _NOT_FOR_KEYS)
    person = asked.world.people[asked.account.username or ""]
    links = {"self": link(f"/api/{person.username}"), "reports": link(f"/api/{person.username}/reports")}
    return JSONResponse({"username": person.username, "name": person.name, "email": person.email, "_links": links})


@router.get("/{workspace}")
async def workspace(request: Request) -> Response:
    asked = Asked(request)
    root = f"/api/{asked.world.workspace}"
    links = {"self": link(root), "spaces": link(f"{root}/collections"), "reports": link(f"{root}/reports")}
    return JSONResponse({"username": asked.world.workspace, "space_count": 0, "_links": links})


@router.get("/{workspace}/memberships/lite")
async def memberships(request: Request) -> Response:
    asked = Asked(request)
    rows = [
        {"username": one.username, "name": one.name, "email": one.email, "admin": one.admin, "state": "active"}
        for one in asked.world.people.values()
    ]
    return JSONResponse(listing(asked.path, "memberships", rows))


@router.post("/{workspace}/invites")
async def invite(request: Request) -> Response:
    if Asked(request).account.kind != "personal":
        raise ApiError(400, "bad_request", _NOT_FOR_KEYS)
    return JSONResponse({"state": "sent"}, 201)


@router.get("/{workspace}/spaces")
@router.get("/{workspace}/collections")
async def collections(request: Request) -> Response:
    asked = Asked(request)
    everything = list(asked.world.collections.values())
    wanted = request.query_params.get("filter")
    if wanted == "custom":
        rows = [one for one in everything if one.owner is None and asked.may_see(one)]
    elif wanted == "all":
        rows = [one for one in everything if asked.may_see(one)]
    else:  # also an unknown filter: silently what the caller belongs to, which for a Workspace token is nothing
        rows = [one for one in everything if asked.account.username and one.owner == asked.account.username]
    return JSONResponse(asked.paged("spaces", rows, asked.render.collection, counters=True))


@router.post("/{workspace}/spaces")
@router.post("/{workspace}/collections")
async def create_collection(request: Request) -> Response:
    asked = Asked(request)
    values = (await asked.body()).get("space") or {}
    if not values.get("name"):
        raise ApiError(400, "param_missing", "param is missing or the value is empty: space")
    token = asked.world.new_token("collection")
    made = Collection(token, 1_950_000, values["name"], description=values.get("description"))
    asked.world.collections[token] = made
    return JSONResponse(asked.render.collection(made), 201)


@router.get("/{workspace}/spaces/{collection}")
@router.get("/{workspace}/collections/{collection}")
async def collection(request: Request) -> Response:
    asked = Asked(request)
    return JSONResponse(asked.render.collection(asked.collection()))


@router.patch("/{workspace}/spaces/{collection}")
@router.patch("/{workspace}/collections/{collection}")
async def update_collection(request: Request) -> Response:
    asked = Asked(request)
    found, values = asked.collection(), (await asked.body()).get("space") or {}
    found.name, found.description = values.get("name", found.name), values.get("description", found.description)
    return JSONResponse(asked.render.collection(found), 202)


@router.get("/{workspace}/spaces/{collection}/reports")
@router.get("/{workspace}/collections/{collection}/reports")
async def collection_reports(request: Request) -> Response:
    asked = Asked(request)
    rows = asked.world.reports_in(asked.collection().token)
    return JSONResponse(asked.paged("reports", rows, asked.render.report))


@router.get("/{workspace}/spaces/{collection}/datasets")
@router.get("/{workspace}/collections/{collection}/datasets")
async def collection_datasets(request: Request) -> Response:
    asked = Asked(request)
    rows = asked.world.reports_in(asked.collection().token, "DatasetReport")
    return JSONResponse(asked.paged("reports", rows, asked.render.report))


@router.get("/{workspace}/reports/{report}")
async def report(request: Request) -> Response:
    asked = Asked(request)
    return JSONResponse(asked.render.report(asked.report()))


@router.patch("/{workspace}/reports/{report}")
async def update_report(request: Request) -> Response:
    asked = Asked(request)
    found, values = asked.report(), (await asked.body()).get("report") or {}
    if len(values.get("name") or "") > 64:
        raise ApiError(400, "bad_request", "Name is too long (maximum is 64 characters)")
    if values.get("space_token", found.collection) not in asked.world.collections:
        raise not_found("space")
    asked.world.move_report(found, values.get("space_token", found.collection))
    found.name, found.description = values.get("name", found.name), values.get("description", found.description)
    found.edited_at = asked.now
    return JSONResponse(asked.render.report(found), 202)


@router.delete("/{workspace}/reports/{report}")
async def delete_report(request: Request) -> Response:
    asked = Asked(request)
    asked.world.remove_report(asked.report())
    return Response(status_code=204)


@router.patch("/{workspace}/reports/{report}/archive")
async def archive(request: Request) -> Response:
    asked = Asked(request)
    found = asked.report()
    found.archived_at = found.archived_at or asked.now
    return JSONResponse(asked.render.report(found))


@router.patch("/{workspace}/reports/{report}/unarchive")
async def unarchive(request: Request) -> Response:
    asked = Asked(request)
    found = asked.report()
    found.archived_at = None
    return JSONResponse(asked.render.report(found))


@router.get("/{workspace}/reports/{report}/queries")
async def queries(request: Request) -> Response:
    asked = Asked(request)  # ignores `page` and answers in one piece
    found = asked.report()
    rows = [
        {"token": f"{found.token[:10]}{number:02d}", "id": str(number), "name": f"Query {number + 1}"}
        for number in range(found.query_count)
    ]
    return JSONResponse(listing(asked.path, "queries", rows))


@router.get("/{workspace}/reports/{report}/runs")
async def runs(request: Request) -> Response:
    asked = Asked(request)
    if "filter" in request.query_params:
        raise ApiError(500, "internal_server_error", "Internal server error")
    rows = asked.world.recent_runs(asked.report(), asked.now)
    start = (asked.page - 1) * _RUNS_PER_PAGE
    shown = [asked.render.run(run) for run in rows[start : start + _RUNS_PER_PAGE]]
    counters = pagination(asked.page, _RUNS_PER_PAGE, len(shown), len(rows))
    return JSONResponse(listing(asked.path, "report_runs", shown, counters))


@router.post("/{workspace}/reports/{report}/runs")
async def create_run(request: Request) -> Response:
    asked = Asked(request)
    found, values = asked.report(), await asked.body()
    who = asked.account.username or asked.world.workspace
    started = asked.world.start_run(found, asked.now, values.get("parameters") or {}, who)
    return JSONResponse(asked.render.run(started), 202)


@router.get("/{workspace}/reports/{report}/runs/{run}")
async def run(request: Request) -> Response:
    asked = Asked(request)
    return JSONResponse(asked.render.run(asked.run()))


@router.get("/{workspace}/reports/{report}/runs/{run}/query_runs")
async def query_runs(request: Request) -> Response:
    asked = Asked(request)
    found = asked.run()
    rows = [asked.render.query_run(found, number) for number in range(asked.report().query_count)]
    return JSONResponse(listing(asked.path, "query_runs", rows))


@router.post("/{workspace}/reports/{report}/runs/{run}/clone")
async def clone(request: Request) -> Response:
    asked = Asked(request)
    if asked.account.kind != "personal":
        raise ApiError(400, "bad_request", _NOT_FOR_KEYS)
    asked.run()
    original = asked.report()
    username = asked.account.username or ""
    place = next(one for one in asked.world.collections.values() if one.owner == username)
    copy = Report(
        asked.world.new_token("report"),
        2_990_000,
        f"Copy of {original.name}",
        place.token,
        username,
        asked.now,
        asked.now,
        query_count=original.query_count,
    )
    asked.world.add_report(copy)
    return JSONResponse(asked.render.report(copy), 202)


@router.get("/{workspace}/reports/{report}/runs/{run}/results/content.csv")
async def results(request: Request) -> Response:
    asked = Asked(request)
    found = asked.run()
    if found.state(asked.now) not in {"succeeded", "completed"}:
        raise not_found("run results")
    lines = ["region,orders", *(f"region {number},{number * 17 % 101}" for number in range(1, 501))]
    return Response("\n".join(lines) + "\n", media_type="text/csv")


@router.api_route("/{rest:path}", methods=["GET", "POST", "PATCH", "PUT", "DELETE"])
async def unknown(request: Request) -> Response:
    raise ApiError(404, "not_found", "request path not recognized")
