# SPDX-License-Identifier: Apache-2.0
"""Report runs and what they leave behind."""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import timedelta
from itertools import islice
from typing import Any

from starlette.responses import Response

from airflow_provider_studio.emulator.entities import Query, Report, Run
from airflow_provider_studio.emulator.request import ApiError, ApiRequest, bad_request, not_found
from airflow_provider_studio.emulator.routes.endpoint import Answer, Routes
from airflow_provider_studio.emulator.serializers import runs as bodies
from airflow_provider_studio.emulator.serializers.hal import Body, form, json_response, link, listing, pagination
from airflow_provider_studio.emulator.serializers.reports import report as report_body

_RUNS_PER_PAGE = 20
_ROWS = 500
_PDF_TAKES = timedelta(seconds=2)

routes = Routes()


@routes.on("GET", "/reports/{report}/runs")
def runs(asked: ApiRequest) -> Answer:
    if "filter" in asked.query:
        raise ApiError(500, "internal_server_error", "Internal server error")
    return listing_of(asked, asked.report(), _RUNS_PER_PAGE)


def listing_of(asked: ApiRequest, report: Report, per_page: int) -> Body:
    """One page of the runs of a Report or a dataset, newest first."""
    world, start = asked.world, (asked.page - 1) * per_page
    total = world.run_count(report, asked.now)
    shown = islice(world.runs_of(report, asked.now), start, start + per_page) if start < total else ()
    rows = [bodies.run(asked.view, one) for one in shown]
    return listing(asked.path, "report_runs", rows, pagination(asked.page, per_page, len(rows), total))


@routes.on("POST", "/reports/{report}/runs", 202)
def create_run(asked: ApiRequest) -> Answer:
    return bodies.run(asked.view, start(asked))


def start(asked: ApiRequest) -> Run:
    """Start a run of what the path names, with the body's parameters."""
    found = asked.report()
    parameters = asked.body().get("parameters") or {}
    if not isinstance(parameters, dict):
        raise bad_request("parameters is invalid")
    _refresh_datasets(asked, found)
    return asked.world.start_run(found, asked.now, parameters, asked.who)


def _refresh_datasets(asked: ApiRequest, report: Report) -> None:
    """Start a run of each imported dataset that the body names."""
    wrapped = asked.body().get("report") or {}
    wanted = wrapped.get("dataset_tokens") if isinstance(wrapped, dict) else None
    if wanted is None:
        return
    if not isinstance(wanted, list) or not all(isinstance(one, dict) for one in wanted):
        raise bad_request("report.dataset_tokens is invalid")
    tokens = [one.get("token") for one in wanted]
    if any(token not in report.imported_datasets for token in tokens):
        raise not_found("dataset")
    for token in tokens:
        asked.world.start_run(asked.world.reports[str(token)], asked.now, {}, asked.who)


@routes.on("GET", "/reports/{report}/runs/{run}")
def run(asked: ApiRequest) -> Answer:
    return bodies.run(asked.view, asked.run())


@routes.on("GET", "/reports/{report}/runs/{run}/options")
def options(asked: ApiRequest) -> Answer:
    return asked.whole("form_fields", bodies.form_fields(asked.view, asked.report(), asked.run()), dict)


@routes.on("POST", "/reports/{report}/runs/{run}/clone", 202)
def clone(asked: ApiRequest) -> Answer:
    asked.refuse_keys()
    asked.run()
    return report_body(asked.view, _copy(asked, asked.report(), None), alone=True)


@routes.on("POST", "/reports/{report}/runs/{run}/duplicates")
def duplicate(asked: ApiRequest) -> Answer:
    asked.run()
    place = asked.query.get("collection_id")
    if place is not None and (
        place not in asked.world.collections or not asked.may_see(asked.world.collections[place])
    ):
        raise not_found("space")
    made = _copy(asked, asked.report(), place)
    token = asked.world.new_token("duplicate")
    record = {"token": token, "parent": asked.name("run"), "report": made.token}
    asked.world.records.setdefault("duplicates", {})[token] = record
    return _duplicate(asked, record)


@routes.on("GET", "/reports/{report}/runs/{run}/duplicates/{duplicate}")
def get_duplicate(asked: ApiRequest) -> Answer:
    asked.run()
    found = asked.world.records.get("duplicates", {}).get(asked.name("duplicate"))
    if found is None or found["parent"] != asked.name("run"):
        raise not_found("duplicate")
    return _duplicate(asked, found)


def _duplicate(asked: ApiRequest, record: dict[str, Any]) -> Body:
    path = asked.path if asked.path.endswith(record["token"]) else f"{asked.path}/{record['token']}"
    links = {"self": link(path), "report": link(f"{asked.view.root}/reports/{record['report']}")}
    return {"token": record["token"], "state": "completed", "_links": links}


def _copy(asked: ApiRequest, original: Report, place: str | None) -> Report:
    username = asked.account.username or next(iter(asked.world.people))
    own = asked.world.personal_collection(username)
    return asked.world.new_report(
        f"Copy of {original.name}",
        place or (own.token if own else original.collection),
        username,
        asked.now,
        query_count=original.query_count,
        form=dict(original.form),
    )


@routes.on("GET", "/reports/{report}/runs/{run}/query_runs")
def query_runs(asked: ApiRequest) -> Answer:
    return asked.whole("query_runs", _query_runs(asked), dict)


@routes.on("GET", "/reports/{report}/runs/{run}/query_runs/{query_run}")
def query_run(asked: ApiRequest) -> Answer:
    return _query_run(asked)[1]


def _query_runs(asked: ApiRequest) -> list[Body]:
    found, queries = asked.run(), asked.world.queries_of(asked.report())
    return [bodies.query_run(asked.view, found, one, first=at == 0) for at, one in enumerate(queries)]


def _query_run(asked: ApiRequest) -> tuple[Query, Body]:
    queries = asked.world.queries_of(asked.report())
    for query, body in zip(queries, _query_runs(asked), strict=True):
        if body["token"] == asked.name("query_run"):
            return query, body
    raise not_found("query run")


@routes.on("GET", "/reports/{report}/runs/{run}/query_runs/{query_run}/results/content.csv")
def query_results_csv(asked: ApiRequest) -> Answer:
    query, _ = _query_run(asked)
    return _csv(asked, asked.run(), [query])


@routes.on("GET", "/reports/{report}/runs/{run}/query_runs/{query_run}/results/content.json")
def query_results_json(asked: ApiRequest) -> Answer:
    query, _ = _query_run(asked)
    return _json(asked, asked.run(), query)


@routes.on("GET", "/reports/{report}/results/content.csv")
def newest_results_csv(asked: ApiRequest) -> Answer:
    found = asked.report()
    good = asked.world.last_good_run(found, asked.now, asked.world.last_run(found, asked.now))
    if good is None:
        raise not_found("run results")
    return _csv(asked, good, asked.world.queries_of(found))


@routes.on("GET", "/reports/{report}/runs/{run}/results/content.csv")
def results_csv(asked: ApiRequest) -> Answer:
    return _csv(asked, asked.run(), asked.world.queries_of(asked.report()))


@routes.on("GET", "/reports/{report}/runs/{run}/results/content.json")
def results_json(asked: ApiRequest) -> Answer:
    """The first query's results alone, silently, as the real one does."""
    queries = asked.world.queries_of(asked.report())
    if not queries:
        raise not_found("run results")
    return _json(asked, asked.run(), queries[0])


def _rows(query: Query) -> list[dict[str, Any]]:
    start = int(query.token[:4], 16)
    return [{"region": f"region {number}", "orders": (start + number * 17) % 101} for number in range(1, _ROWS + 1)]


def _text(query: Query) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, ["region", "orders"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(_rows(query))
    return text.getvalue()


def _csv(asked: ApiRequest, found: Run, queries: list[Query]) -> Response:
    _need_results(asked, found)
    if not asked.world.quirks.results_as_zip:
        return Response(_text(queries[0]) if queries else "", media_type="text/csv")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for query in queries:
            archive.writestr(zipfile.ZipInfo(f"{query.name}.csv"), _text(query))
    return Response(packed.getvalue(), media_type="application/zip")


def _json(asked: ApiRequest, found: Run, query: Query) -> Response:
    _need_results(asked, found)
    return json_response(_rows(query), media_type="application/json")


def _need_results(asked: ApiRequest, found: Run) -> None:
    if not asked.world.has_results(found, asked.now):
        raise not_found("run results")


@routes.on("GET", "/reports/{report}/exports/runs/{run}/pdf")
@routes.on("GET", "/reports/{report}/exports/runs/{run}/pdf.pdf")
def pdf(asked: ApiRequest) -> Answer:
    """Asking starts the making of the PDF; asking again tells how far it is."""
    found = asked.run()
    _need_results(asked, found)
    asked_before = found.token in asked.world.pdfs_asked_at
    asked_at = asked.world.pdfs_asked_at.setdefault(found.token, asked.now)
    done = asked.now >= asked_at + _PDF_TAKES
    path = f"{asked.view.root}/reports/{found.report}/exports/runs/{found.token}/pdf"
    return {
        "state": "completed" if done else "requested" if asked_before else "new",
        "filename": f"{found.report}.pdf",
        "_links": {"self": link(f"{path}.pdf"), "download": link(f"{path}/download")},
        "_forms": {"create": form("post", f"{path}.pdf")},
    }


@routes.on("GET", "/reports/{report}/exports/runs/{run}/pdf/download")
def pdf_download(asked: ApiRequest) -> Answer:
    found = asked.run()
    asked_at = asked.world.pdfs_asked_at.get(found.token)
    if asked_at is None or asked.now < asked_at + _PDF_TAKES:
        raise ApiError(404, "not_found", "export not yet generated")
    return Response(_document(f"Report {found.report}, run {found.token}"), media_type="application/pdf")


def _document(text: str) -> bytes:
    """The smallest PDF of one page that says something."""
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
