# SPDX-License-Identifier: Apache-2.0
"""Report runs, their query runs, their form, their results."""

from __future__ import annotations

from typing import Any

from airflow_provider_studio.emulator.clock import stamp
from airflow_provider_studio.emulator.entities import Query, Report, Run, token_for
from airflow_provider_studio.emulator.serializers.hal import WEB, Body, View, form, link

CHART_TYPE = "bar"


def serialize_run(view: View, run: Run) -> Body:
    """Return a Report run."""
    workspace, now = view.workspace, view.now
    report = workspace.reports[run.report]
    path = f"{view.root}/reports/{run.report}/runs/{run.token}"
    web = f"/{workspace.name}/reports/{run.report}/runs/{run.token}"
    ended, state = run.completed_at(now), run.state(now)
    last = workspace.last_run(report, now)
    good = workspace.last_good_run(report, now, last)
    purged = workspace.purged_until_for(run) if run.is_good(now) and not workspace.has_results(run, now) else None
    links = {
        "self": link(path),
        "content": link(f"{path}/results/content.csv"),
        "account": link(view.root),
        "executed_by": link(f"/api/{run.account or workspace.name}"),
        "share": link(web),
        "embed": link(f"{web}/embed"),
        "report": link(f"{view.root}/reports/{run.report}"),
        "clone": link(f"{path}/clone"),
        "query_runs": link(f"{path}/query_runs"),
        "pdf_export": link(f"{view.root}/reports/{run.report}/exports/runs/{run.token}/pdf.pdf"),
        "web_clone": link(f"{web}/clone"),
        "web_external_url": link(f"{WEB}{web}"),
    }
    if run.schedule is not None:
        links["report_schedule"] = link(f"{view.root}/reports/{run.report}/schedules/{run.schedule}")
    return {
        "token": run.token,
        "state": state,
        "python_state": run.python_state(now),
        "parameters": run.parameters,
        "created_at": stamp(run.created_at),
        "updated_at": stamp(ended or run.created_at),
        "completed_at": stamp(ended),
        "purge_started_at": stamp(purged),
        "purge_completed_at": stamp(purged),
        "form_fields": serialize_form_fields(view, report, run),
        "is_latest_report_run": last is not None and last.token == run.token,
        "is_latest_successful_report_run": good is not None and good.token == run.token,
        "report_has_failures_since_last_success": last is not None and last.state(now) in {"failed", "cancelled"},
        "has_more_recent_successful_run_available": good is not None and good.created_at > run.created_at,
        "pusher_channel_name": None,
        "_links": links,
    }


def serialize_dataset_run(view: View, run: Run) -> Body:
    """Return a dataset's run, which has the values of a Report run under other names."""
    body = serialize_run(view, run)
    path = f"{view.root}/datasets/{run.report}"
    renamed = {
        "is_latest_dataset_run": body["is_latest_report_run"],
        "is_latest_successful_dataset_run": body["is_latest_successful_report_run"],
        "dataset_has_failures_since_last_success": body["report_has_failures_since_last_success"],
    }
    names = (
        "token",
        "state",
        "python_state",
        "parameters",
        "form_fields",
        "created_at",
        "updated_at",
        "completed_at",
        "purge_started_at",
        "purge_completed_at",
    )
    links = {name: body["_links"][name] for name in ("account", "executed_by", "query_runs", "share")}
    links |= {"self": link(f"{path}/runs/{run.token}"), "dataset": link(path)}
    return {name: body[name] for name in names} | renamed | {"pusher_channel_name": None, "_links": links}


def serialize_form_fields(view: View, report: Report, run: Run) -> list[Body]:
    """Return the parameters of a Report's runs, with the values of this one."""
    path = f"{view.root}/reports/{run.report}/runs/{run.token}/options"
    return [
        {
            "name": name,
            "type": "select" if choices else "text",
            "options": choices,
            "options_error": None,
            "source_size": len(choices),
            "value": run.parameters.get(name, choices[0] if choices else None),
            "_links": {"self": link(path)},
        }
        for name, choices in report.form.items()
    ]


def serialize_query_run(view: View, run: Run, query: Query, *, first: bool) -> Body:
    """Return one query run; the first one of a run has the reason of a failure."""
    token = token_for(run.token, query.token)
    state = run.state(view.now)
    failed = state == "failed" and first
    path = f"{view.root}/reports/{run.report}/runs/{run.token}"
    queries = f"{view.root}/reports/{run.report}/queries/{query.token}"
    web = f"/{view.workspace.name}/reports/{run.report}"
    number = int(token[:6], 16)
    return {
        "id": view.workspace.id(6_000_000 + number),
        "token": token,
        "raw_source": query.raw_query,
        "statement_annotation": None,
        "state": "failed" if failed else "succeeded" if state in {"failed", "completed"} else state,
        "created_at": stamp(run.created_at),
        "completed_at": stamp(run.completed_at(view.now)),
        "data_source_id": view.workspace.id(view.workspace.data_sources[query.data_source].id),
        "data_source_token": query.data_source,
        "limit": False,
        "query_token": query.token,
        "query_name": query.name,
        "query_created_at": stamp(query.created_at),
        "dbt_metric_id": None,
        "dbt_metric_token": None,
        "parameters": run.parameters,
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
            "result_web": link(f"{web}/runs/{run.token}/results/{token}"),
            "report_run": link(path),
            "report_run_web": link(f"{web}/runs/{run.token}"),
            "executed_by": link(f"/api/{run.account or view.workspace.name}"),
        },
    }


def serialize_query(view: View, report: Report, query: Query) -> Body:
    """Return a query of a Report."""
    path = f"{view.root}/reports/{report.token}"
    mine = f"{path}/queries/{query.token}"
    last = view.workspace.last_run(report, view.now)
    source = view.workspace.id(view.workspace.data_sources[query.data_source].id)
    return {
        "id": view.workspace.id(query.id),
        "token": query.token,
        "raw_query": query.raw_query,
        "created_at": stamp(query.created_at),
        "updated_at": stamp(query.updated_at),
        "name": query.name,
        "last_run_id": None if last is None else view.workspace.id(int(last.token[:7], 16)),
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
                {"query": {"raw_query": query.raw_query, "name": query.name, "data_source_id": source}},
            ),
            "destroy": form("delete", mine),
        },
    }


def serialize_charts(view: View, report: Report, query: Query) -> list[Body]:
    """Return the charts of a query; the first half of a Report's queries have one each."""
    queries = [each.token for each in view.workspace.queries_of(report)]
    if queries.index(query.token) >= len(queries) // 2:
        return []
    token = token_for("chart", query.token)
    path = f"{view.root}/reports/{report.token}/queries/{query.token}/charts/{token}"
    web = f"/{view.workspace.name}/reports/{report.token}"
    kinds = ("bar", "bigNumber", "line", "linePlusBar", "scatter", "pie", "area", "pivotTable")
    settings: dict[str, Any] = {kind: {} for kind in kinds}
    return [
        {
            "view": {"selectedChart": CHART_TYPE, "chartIcon": CHART_TYPE, "chartTitle": query.name, **settings},
            "view_version": 1,
            "view_vegas": {"title": query.name, "format": {}, "encoding": {}, "chartType": CHART_TYPE},
            "token": token,
            "created_at": stamp(query.created_at),
            "updated_at": stamp(query.updated_at),
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
