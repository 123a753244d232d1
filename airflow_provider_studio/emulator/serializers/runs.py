# SPDX-License-Identifier: Apache-2.0
"""Report runs, their query runs, their form, their results."""

from __future__ import annotations

from typing import Any

from airflow_provider_studio.emulator.clock import stamp
from airflow_provider_studio.emulator.entities import Query, Report, Run, token_for
from airflow_provider_studio.emulator.serializers.hal import WEB, Body, View, form, link


def run(view: View, one: Run) -> Body:
    """A Report run."""
    world, now = view.world, view.now
    report = world.reports[one.report]
    path = f"{view.root}/reports/{one.report}/runs/{one.token}"
    web = f"/{world.workspace}/reports/{one.report}/runs/{one.token}"
    ended, state = one.completed_at(now), one.state(now)
    last = world.last_run(report, now)
    good = world.last_good_run(report, now, last)
    purged = world.purged_until_for(one) if one.is_good(now) and not world.has_results(one, now) else None
    links = {
        "self": link(path),
        "content": link(f"{path}/results/content"),
        "account": link(view.root),
        "executed_by": link(f"/api/{one.account or world.workspace}"),
        "share": link(web),
        "embed": link(f"{web}/embed"),
        "report": link(f"{view.root}/reports/{one.report}"),
        "clone": link(f"{path}/clone"),
        "query_runs": link(f"{path}/query_runs"),
        "pdf_export": link(f"{view.root}/reports/{one.report}/exports/runs/{one.token}/pdf.pdf"),
        "web_clone": link(f"{web}/clone"),
        "web_external_url": link(f"{WEB}{web}"),
    }
    if one.schedule is not None:
        links["report_schedule"] = link(f"{view.root}/reports/{one.report}/schedules/{one.schedule}")
    return {
        "token": one.token,
        "state": state,
        "python_state": one.python_state(now),
        "parameters": one.parameters,
        "created_at": stamp(one.created_at),
        "updated_at": stamp(ended or one.created_at),
        "completed_at": stamp(ended),
        "purge_started_at": stamp(purged),
        "purge_completed_at": stamp(purged),
        "form_fields": form_fields(view, report, one),
        "is_latest_report_run": last is not None and last.token == one.token,
        "is_latest_successful_report_run": good is not None and good.token == one.token,
        "report_has_failures_since_last_success": last is not None and last.state(now) in {"failed", "cancelled"},
        "has_more_recent_successful_run_available": good is not None and good.created_at > one.created_at,
        "pusher_channel_name": None,
        "_links": links,
    }


def dataset_run(view: View, one: Run) -> Body:
    """A dataset's run: a Report run's facts under names of its own."""
    body = run(view, one)
    path = f"{view.root}/datasets/{one.report}"
    renamed = {
        "is_latest_dataset_run": body["is_latest_report_run"],
        "is_latest_successful_dataset_run": body["is_latest_successful_report_run"],
        "dataset_has_failures_since_last_success": body["report_has_failures_since_last_success"],
    }
    kept = ("token", "state", "created_at", "updated_at", "completed_at", "purge_started_at", "purge_completed_at")
    links = {name: body["_links"][name] for name in ("account", "executed_by", "query_runs", "share")}
    links |= {"self": link(f"{path}/runs/{one.token}"), "dataset": link(path)}
    return {name: body[name] for name in kept} | renamed | {"pusher_channel_name": None, "_links": links}


def form_fields(view: View, report: Report, one: Run) -> list[Body]:
    """The parameters that a Report's run takes, and what this one was given."""
    path = f"{view.root}/reports/{one.report}/runs/{one.token}/options"
    return [
        {
            "name": name,
            "type": "select" if choices else "text",
            "options": choices,
            "options_error": None,
            "source_size": len(choices),
            "value": one.parameters.get(name, choices[0] if choices else None),
            "_links": {"self": link(path)},
        }
        for name, choices in report.form.items()
    ]


def query_run(view: View, one: Run, query: Query, *, first: bool) -> Body:
    """One query of a run; the first one carries a failure's reason."""
    token = token_for(one.token, query.token)
    state = one.state(view.now)
    failed = state == "failed" and first
    path = f"{view.root}/reports/{one.report}/runs/{one.token}"
    queries = f"{view.root}/reports/{one.report}/queries/{query.token}"
    web = f"/{view.world.workspace}/reports/{one.report}"
    number = int(token[:6], 16)
    return {
        "id": view.world.id(6_000_000 + number),
        "token": token,
        "raw_source": query.raw_query,
        "statement_annotation": None,
        "state": "failed" if failed else "succeeded" if state in {"failed", "completed"} else state,
        "created_at": stamp(one.created_at),
        "completed_at": stamp(one.completed_at(view.now)),
        "data_source_id": view.world.id(view.world.data_sources[query.data_source].id),
        "data_source_token": query.data_source,
        "limit": False,
        "query_token": query.token,
        "query_name": query.name,
        "query_created_at": stamp(query.created_at),
        "dbt_metric_id": None,
        "dbt_metric_token": None,
        "parameters": one.parameters,
        "rendered_source": query.raw_query,
        "max_result_bytes": 5_000_000_000,
        "help_url": "https://mode.com/help" if failed else None,
        "error_code": "SqlUnknownFunction" if failed else None,
        "error_type": "generic" if failed else None,
        "error_message": "ERROR: function date_diff(timestamp, timestamp) does not exist" if failed else None,
        "_links": {
            "self": link(f"{path}/query_runs/{token}"),
            "query": link(queries),
            "query_web": link(f"{web}/queries/{query.token}"),
            "result": link(f"{path}/query_runs/{token}/results"),
            "result_web": link(f"{web}/runs/{one.token}/results/{token}"),
            "report_run": link(path),
            "report_run_web": link(f"{web}/runs/{one.token}"),
            "executed_by": link(f"/api/{one.account or view.world.workspace}"),
        },
    }


def query(view: View, report: Report, one: Query) -> Body:
    """A query of a Report."""
    path = f"{view.root}/reports/{report.token}"
    mine = f"{path}/queries/{one.token}"
    last = view.world.last_run(report, view.now)
    source = view.world.id(view.world.data_sources[one.data_source].id)
    return {
        "id": view.world.id(one.id),
        "token": one.token,
        "raw_query": one.raw_query,
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.updated_at),
        "name": one.name,
        "last_run_id": None if last is None else view.world.id(int(last.token[:7], 16)),
        "data_source_id": source,
        "explorations_count": 0,
        "report_imports_count": 0,
        "dbt_metric_id": None,
        "dbt_metric_token": None,
        "mapping_id": None,
        "_links": {
            "self": link(mine),
            "report": link(path),
            "report_runs": link(f"{path}/runs"),
            "charts": link(f"{mine}/charts"),
            "new_chart": link(f"{mine}/charts/new"),
            "new_query_table": link(f"{mine}/tables/new"),
            "query_tables": link(f"{mine}/tables"),
            "query_runs": link(f"{mine}/runs"),
            "creator": link(f"/api/{report.creator}"),
        },
        "_forms": {
            "edit": form(
                "patch",
                mine,
                {"query": {"raw_query": one.raw_query, "name": one.name, "data_source_id": source}},
            ),
            "destroy": form("delete", mine),
        },
    }


def charts(view: View, report: Report, one: Query) -> list[Body]:
    """The charts of a query: every other query has one."""
    queries = [each.token for each in view.world.queries_of(report)]
    if queries.index(one.token) >= len(queries) // 2:
        return []
    token = token_for("chart", one.token)
    path = f"{view.root}/reports/{report.token}/queries/{one.token}/charts/{token}"
    web = f"/{view.world.workspace}/reports/{report.token}"
    kinds = ("bar", "bigNumber", "line", "linePlusBar", "scatter", "pie", "area", "pivotTable")
    settings: dict[str, Any] = {kind: {} for kind in kinds}
    return [
        {
            "view": {"selectedChart": "bar", "chartIcon": "bar", "chartTitle": one.name, **settings},
            "view_version": 1,
            "view_vegas": {"title": one.name, "format": {}, "encoding": {}, "chartType": "bar"},
            "token": token,
            "created_at": stamp(one.created_at),
            "updated_at": stamp(one.updated_at),
            "color_palette_token": token_for("palette"),
            "switch_view_token": token_for("view", token),
            "_links": {
                "self": link(path),
                "preview": link(f"{path}/preview"),
                "report_viz_web": link(f"{web}/viz/{token}"),
                "report_run_viz_web": link(f"{web}/runs/{{run}}/viz/{token}", templated=True),
                "creator": link(f"/api/{report.creator}"),
            },
        }
    ]
