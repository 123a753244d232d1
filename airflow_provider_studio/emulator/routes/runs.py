# SPDX-License-Identifier: Apache-2.0
"""Report runs, their query runs, results and exports."""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import timedelta
from itertools import islice
from typing import Any

from msgspec.json import encode
from starlette.responses import Response

from airflow_provider_studio.emulator.clock import stamp
from airflow_provider_studio.emulator.entities import Query, Report, Run
from airflow_provider_studio.emulator.request import ApiError, ApiRequest, bad_request, not_found
from airflow_provider_studio.emulator.routes.endpoint import Result, Routes
from airflow_provider_studio.emulator.serializers.hal import Body, form, link, listing, pagination
from airflow_provider_studio.emulator.serializers.reports import serialize_report
from airflow_provider_studio.emulator.serializers.runs import serialize_form_fields, serialize_query_run, serialize_run

_RUNS_PER_PAGE = 20
_ROWS = 500
COLUMNS = {"region": "string", "orders": "number"}
"""The columns of all results, with their types."""
_PDF_DURATION = timedelta(seconds=2)
_PDF_DOWNLOADS = {"file": "download.pdf", "plain": "download"}
"""The end of the link to a finished PDF, by the quirk `pdf_download_link`."""

routes = Routes()


@routes.on("GET", "/reports/{report}/runs")
def runs(request: ApiRequest) -> Result:
    if "filter" in request.query:
        raise ApiError(500, "internal_server_error", "Internal server error")
    return listing_of(request, request.report(), _RUNS_PER_PAGE)


def listing_of(request: ApiRequest, report: Report, per_page: int) -> Body:
    """Return one page of the runs of a Report or a dataset, newest first."""
    workspace, start = request.workspace, (request.page - 1) * per_page
    total = workspace.run_count(report, request.now)
    shown = islice(workspace.runs_of(report, request.now), start, start + per_page) if start < total else ()
    rows = [serialize_run(request.view, run) for run in shown]
    return listing(request.path, "report_runs", rows, pagination(request.page, per_page, len(rows), total))


@routes.on("POST", "/reports/{report}/runs", 202)
def create_run(request: ApiRequest) -> Result:
    return serialize_run(request.view, start(request))


def start(request: ApiRequest) -> Run:
    """Start a run of the Report or dataset that the path names, with the body's parameters."""
    report = request.report()
    parameters = request.body().get("parameters") or {}
    if not isinstance(parameters, dict):
        raise bad_request("parameters is invalid")
    _refresh_datasets(request, report)
    return request.workspace.start_run(report, request.now, parameters, request.executed_by)


def _refresh_datasets(request: ApiRequest, report: Report) -> None:
    """Let the Report use the newest run of each imported dataset that the body names."""
    wrapped = request.body().get("report") or {}
    items = wrapped.get("dataset_tokens") if isinstance(wrapped, dict) else None
    if items is None:
        return
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise bad_request("report.dataset_tokens is invalid")
    tokens = [item.get("token") for item in items]
    if any(token not in report.imported_datasets for token in tokens):
        raise not_found("dataset")
    for dataset in (request.workspace.reports[str(token)] for token in tokens):
        if request.workspace.quirks.dataset_refresh == "rerun":
            request.workspace.start_run(dataset, request.now, {}, request.executed_by)
        newest = request.workspace.last_run(dataset, request.now)
        report.dataset_runs[dataset.token] = newest.token if newest else None


@routes.on("GET", "/reports/{report}/runs/{run}")
def run(request: ApiRequest) -> Result:
    return serialize_run(request.view, request.run())


@routes.on("GET", "/reports/{report}/runs/{run}/options")
def options(request: ApiRequest) -> Result:
    return request.whole("form_fields", serialize_form_fields(request.view, request.report(), request.run()), dict)


@routes.on("POST", "/reports/{report}/runs/{run}/clone", 202)
def clone(request: ApiRequest) -> Result:
    request.refuse_keys()
    request.run()
    return serialize_report(request.view, _copy(request, request.report(), None), alone=True)


@routes.on("POST", "/reports/{report}/runs/{run}/duplicates")
def duplicate(request: ApiRequest) -> Result:
    request.run()
    collection = request.query.get("collection_id")
    if collection is not None and not request.may_see_token(collection):
        raise not_found("space")
    copy = _copy(request, request.report(), collection)
    token = request.workspace.new_token("duplicate")
    record = {"token": token, "parent": request.name("run"), "report": copy.token}
    request.workspace.records.setdefault("duplicates", {})[token] = record
    return _duplicate(request, record)


@routes.on("GET", "/reports/{report}/runs/{run}/duplicates/{duplicate}")
def get_duplicate(request: ApiRequest) -> Result:
    request.run()
    duplicate = request.workspace.records.get("duplicates", {}).get(request.name("duplicate"))
    if duplicate is None or duplicate["parent"] != request.name("run"):
        raise not_found("duplicate")
    return _duplicate(request, duplicate)


def _duplicate(request: ApiRequest, record: dict[str, Any]) -> Body:
    path = request.path if request.path.endswith(record["token"]) else f"{request.path}/{record['token']}"
    links = {"self": link(path), "report": link(f"{request.view.root}/reports/{record['report']}")}
    return {"token": record["token"], "state": "completed", "_links": links}


def _copy(request: ApiRequest, original: Report, collection: str | None) -> Report:
    username = request.account.username or next(iter(request.workspace.people))
    personal = request.workspace.personal_collection(username)
    return request.workspace.new_report(
        f"Copy of {original.name}",
        collection or (personal.token if personal else original.collection),
        username,
        request.now,
        query_count=original.query_count,
        form=dict(original.form),
    )


@routes.on("GET", "/reports/{report}/runs/{run}/query_runs")
def query_runs(request: ApiRequest) -> Result:
    return request.whole("query_runs", _query_runs(request), dict)


@routes.on("GET", "/reports/{report}/runs/{run}/query_runs/{query_run}")
def query_run(request: ApiRequest) -> Result:
    return _query_run(request)[1]


def _query_runs(request: ApiRequest) -> list[Body]:
    run, queries = request.run(), request.workspace.queries_of(request.report())
    return [serialize_query_run(request.view, run, query, first=at == 0) for at, query in enumerate(queries)]


def _query_run(request: ApiRequest) -> tuple[Query, Body]:
    queries = request.workspace.queries_of(request.report())
    for query, body in zip(queries, _query_runs(request), strict=True):
        if body["token"] == request.name("query_run"):
            return query, body
    raise not_found("query run")


@routes.on("GET", "/reports/{report}/runs/{run}/query_runs/{query_run}/results/content.csv")
def query_results_csv(request: ApiRequest) -> Result:
    query, _ = _query_run(request)
    return _csv(request, request.run(), [query])


@routes.on("GET", "/reports/{report}/runs/{run}/query_runs/{query_run}/results/content.json")
def query_results_json(request: ApiRequest) -> Result:
    query, _ = _query_run(request)
    return _json(request, request.run(), query)


@routes.on("GET", "/reports/{report}/results/content.csv")
def newest_results_csv(request: ApiRequest) -> Result:
    report = request.report()
    good = request.workspace.last_good_run(report, request.now, request.workspace.last_run(report, request.now))
    if good is None:
        raise not_found("run results")
    return _csv(request, good, request.workspace.queries_of(report))


@routes.on("GET", "/reports/{report}/runs/{run}/results/content.csv")
def results_csv(request: ApiRequest) -> Result:
    return _csv(request, request.run(), request.workspace.queries_of(request.report()))


@routes.on("GET", "/reports/{report}/runs/{run}/results/content.json")
def results_json(request: ApiRequest) -> Result:
    """Return only the first query's results, like the real service."""
    queries = request.workspace.queries_of(request.report())
    if not queries:
        raise not_found("run results")
    return _json(request, request.run(), queries[0])


def _rows(query: Query) -> list[dict[str, Any]]:
    start = int(query.token[:4], 16)
    return [{"region": f"region {number}", "orders": (start + number * 17) % 101} for number in range(1, _ROWS + 1)]


def _text(query: Query) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(COLUMNS), lineterminator="\n")
    writer.writeheader()
    writer.writerows(_rows(query))
    return text.getvalue()


def _csv(request: ApiRequest, run: Run, queries: list[Query]) -> Response:
    _need_results(request, run)
    if not request.workspace.quirks.results_as_zip:
        text = _text(queries[0]) if queries else ""
        return _file(text.encode(), "text/csv", f"{queries[0].name if queries else run.report}.csv")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for query in queries:
            archive.writestr(zipfile.ZipInfo(f"{query.name}.csv"), _text(query))
    return _file(packed.getvalue(), "application/zip", f"{run.report}.zip")


def _json(request: ApiRequest, run: Run, query: Query) -> Response:
    _need_results(request, run)
    return _file(encode(_rows(query)), "application/json", f"{query.name}.json")


def _file(content: bytes, media_type: str, name: str) -> Response:
    """Return a download; a browser saves it under the name."""
    quoted = name.replace("\\", "_").replace('"', "_").encode("ascii", "replace").decode()
    headers = {"Content-Disposition": f'attachment; filename="{quoted}"'}
    return Response(content, media_type=media_type, headers=headers)


def _need_results(request: ApiRequest, run: Run) -> None:
    if not request.workspace.has_results(run, request.now):
        raise not_found("run results")


@routes.on("GET", "/reports/{report}/exports/runs/{run}/pdf")
@routes.on("GET", "/reports/{report}/exports/runs/{run}/pdf.pdf")
def pdf(request: ApiRequest) -> Result:
    """Start the export of a PDF, or return the state of an export that was started."""
    run = request.run()
    _need_results(request, run)
    already_requested = run.token in request.workspace.pdfs_requested_at
    requested_at = request.workspace.pdfs_requested_at.setdefault(run.token, request.now)
    done = request.now >= requested_at + _PDF_DURATION
    path = f"{request.view.root}/reports/{run.report}/exports/runs/{run.token}/pdf"
    links = {"self": link(f"{path}.pdf")}
    body: Body = {"state": "requested" if already_requested else "new", "_links": links}
    body["_forms"] = {"create": form("post", f"{path}.pdf")}
    if done:
        body |= {"state": "completed", "filename": _pdf_name(run), "created_at": stamp(requested_at), "stale": False}
        download = _PDF_DOWNLOADS.get(request.workspace.quirks.pdf_download_link)
        links |= {"download": link(f"{path}/{download}")} if download else {}
    return body


def _pdf_name(run: Run) -> str:
    return f"{run.report}.pdf"


@routes.on("GET", "/reports/{report}/exports/runs/{run}/pdf/download")
@routes.on("GET", "/reports/{report}/exports/runs/{run}/pdf/download.pdf")
def pdf_download(request: ApiRequest) -> Result:
    run = request.run()
    requested_at = request.workspace.pdfs_requested_at.get(run.token)
    if requested_at is None or request.now < requested_at + _PDF_DURATION:
        raise ApiError(404, "not_found", "export not yet generated")
    return _file(_document(f"Report {run.report}, run {run.token}"), "application/pdf", _pdf_name(run))


def _document(text: str) -> bytes:
    """Return a minimal PDF of one page with a text."""
    drawing = f"BT /F1 12 Tf 40 100 Td ({text}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 400 200] /Contents 4 0 R /Resources 6 0 R >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawing), drawing),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Font << /F1 5 0 R >> >>",
    ]
    written, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(written))
        written += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    end = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, len(written))
    return written + b"xref\n0 %d\n0000000000 65535 f \n" % size + table + end
