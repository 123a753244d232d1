# SPDX-License-Identifier: Apache-2.0
"""The bodies of the API's answers: the keys and types of real ones, on HAL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_studio.emulator.clock import stamp
from airflow_provider_studio.emulator.firing import next_firing
from airflow_provider_studio.emulator.world import Collection, Report, Run, Schedule, Subscription, World, token_for

Body = dict[str, Any]
_WEB = "https://app.mode.com"
_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")


def link(href: str, *, templated: bool = False) -> Body:
    """One HAL link."""
    return {"templated": True, "href": href} if templated else {"href": href}


def listing(path: str, key: str, rows: Sequence[Body], pagination: Body | None = None) -> Body:
    """A HAL listing; only some endpoints tell a pagination block."""
    body: Body = {"_links": {"self": link(path)}, "_embedded": {key: list(rows)}}
    if pagination is not None:
        body["pagination"] = pagination
        # Emitted past the end too, as the real one does.
        body["_links"]["next_page"] = link(f"{path}?page={pagination['page'] + 1}")
    return body


def pagination(page: int, per_page: int, count: int, total: int) -> Body:
    """The counters of a listing."""
    pages = max(1, -(-total // per_page))
    return {"page": page, "per_page": per_page, "count": count, "total_pages": pages, "total_count": total}


def error(error_id: str, message: str) -> Body:
    """An error's body."""
    return {"id": error_id, "message": message, "_links": {"help": link("https://mode.com/help")}}


class Renderer:
    """Renders the things of one world at a time."""

    def __init__(self, world: World, now: datetime) -> None:
        self._world = world
        self._now = now
        self._root = f"/api/{world.workspace}"

    def collection(self, collection: Collection) -> Body:
        """A Collection."""
        path = f"{self._root}/collections/{collection.token}"
        return {
            "token": collection.token,
            "id": collection.id,
            "space_type": collection.space_type,
            "name": collection.name,
            "description": collection.description,
            "state": "active",
            "restricted": collection.restricted,
            "free_default": collection.space_type == "community",
            "viewable?": True,
            "viewed?": True,
            "default_access_level": "restricted" if collection.restricted else "edit",
            "_links": {
                "self": link(path),
                "detail": link(f"{path}/detail"),
                "web": link(f"/{self._world.workspace}/spaces/{collection.token}"),
                "reports": link(f"{path}/reports"),
                "creator": link(f"/api/{collection.owner or next(iter(self._world.people))}"),
                "user_space_membership": link(f"{path}/memberships/{token_for(collection.token, 'me')}"),
                "space_memberships": link(f"{path}/memberships"),
                "preview_space_memberships": link(f"{path}/memberships/preview"),
                "search_space_permissions": link(f"{path}/permissions/search"),
                "viewed": link(f"{path}/viewed"),
            },
            "_forms": {"destroy_entitlements": {"method": "delete", "action": f"{path}/permissions"}},
        }

    def report(self, report: Report) -> Body:
        """A Report or dataset, as listed and as read alone."""
        last = self._world.last_run(report, self._now)
        ended = None if last is None else last.completed_at(self._now)
        # Moves without any human, a little after each run.
        updated = max(filter(None, [report.edited_at, ended and ended + timedelta(milliseconds=209)]))
        signature = token_for("signature", report.token)
        return {
            "token": report.token,
            "id": report.id,
            "name": report.name,
            "description": report.description,
            "created_at": stamp(report.created_at),
            "updated_at": stamp(updated),
            "published_at": None,
            "edited_at": stamp(report.edited_at),
            "theme_id": 3,
            "color_mappings": {},
            "type": report.type,
            "last_successful_sync_at": None,
            "last_saved_at": stamp(report.edited_at),
            "archived": report.archived_at is not None and report.archived_at <= self._now,
            "space_token": report.collection,
            "account_id": 745_241,
            "account_username": self._world.workspace,
            "public": False,
            "full_width": False,
            "manual_run_disabled": False,
            "run_privately": True,
            "drilldowns_enabled": True,
            "is_embedded": False,
            "is_signed": False,
            "shared": False,
            "expected_runtime": report.expected_runtime,
            "last_successfully_run_at": stamp(ended),
            "last_run_at": stamp(last.created_at) if last else None,
            "web_preview_image": f"https://previews.example.com/{report.token}?signature={signature}",
            "last_successful_run_token": last.token if last else None,
            "flamingo_signature": signature,
            "query_count": report.query_count,
            "max_query_count": 160,
            "chart_count": report.query_count // 2,
            "runs_count": self._world.run_count(report, self._now),
            "schedules_count": len(self._world.schedules_of(report)),
            "query_preview": "SELECT\n\tcount(*)\nFROM\n\torders\n",
            "view_count": report.view_count(self._now),
            "_links": self._report_links(report, last),
            "_forms": self._report_forms(report, last),
        }

    def _report_links(self, report: Report, last: Run | None) -> Body:
        path, web = f"{self._root}/reports/{report.token}", f"/{self._world.workspace}/reports/{report.token}"
        links = {
            "self": link(path),
            "web": link(f"{_WEB}{web}"),
            "web_edit": link(f"/editor{web}"),
            "share": link(web),
            "web_report_runs": link(f"{web}/runs"),
            "account": link(self._root),
            "report_run": link(f"{path}/runs/{{id}}?embed[result]=1", templated=True),
            "space": link(f"{self._root}/collections/{report.collection}"),
            "queries": link(f"{path}/queries"),
            "report_runs": link(f"{path}/runs"),
            "report_pins": link(f"{path}/pins"),
            "report_schedules": link(f"{path}/schedules"),
            "python_visualizations": link(f"{path}/layout_cells"),
            "python_notebook": link(f"{path}/notebooks/{token_for('notebook', report.token)}"),
            "perspective_email_subscription_memberships": link(
                f"{path}/perspective_email_report_subscription_memberships"
            ),
            "validate_email_subscriber": link(
                f"{path}/email_report_subscribers/validate{{?subscriber[email]}}", templated=True
            ),
            "creator": link(f"/api/{report.creator}"),
            "report_theme": link("/api/modeanalytics/report_themes/3818837139b7"),
            "report_index_web": link(f"/{self._world.workspace}/spaces/{report.collection}/reports/{report.token}"),
        }
        if last is not None:
            links["last_run"] = links["last_successful_run"] = link(f"{path}/runs/{last.token}")
        return links

    def _report_forms(self, report: Report, last: Run | None) -> Body:
        path = f"{self._root}/reports/{report.token}"
        fields: Body = {
            "name": report.name,
            "description": report.description,
            "account_id": 745_241,
            "space_token": report.collection,
            "color_mappings": {},
            "published": False,
        }
        edit = {name: {"type": "text", "value": value} for name, value in fields.items()}
        forms: Body = {
            "edit": {"method": "patch", "action": path, "input": {"report": edit}},
            "destroy": {"method": "delete", "action": path},
            "archive": {"method": "patch", "action": f"{path}/archive"},
            "unarchive": {"method": "patch", "action": f"{path}/unarchive"},
            "batch_edit_filters": {
                "method": "patch",
                "action": f"{path}/filters/update_batch",
                "input": {"report": {"filters[]": {"token": {"type": "text"}, "options": {"type": "text"}}}},
            },
            "update_settings": {
                "method": "patch",
                "action": f"{path}/update_settings",
                "input": {
                    "report": {
                        "theme": {"type": "select", "options": [["Mode Light", 3]], "value": 3},
                        "full_width": {"type": "select", "options": [True, False], "value": False},
                    }
                },
            },
        }
        if last is not None:
            forms["clone"] = {
                "method": "post",
                "action": f"/{self._world.workspace}/reports/{report.token}/runs/{last.token}/clone",
                "input": {"owner_id": {"type": "text", "value": 745_241}},
            }
        return forms

    def run(self, run: Run) -> Body:
        """A Report run."""
        path = f"{self._root}/reports/{run.report}/runs/{run.token}"
        ended, state = run.completed_at(self._now), run.state(self._now)
        newest = self._world.last_run(self._world.reports[run.report], self._now)
        is_newest = newest is not None and newest.token == run.token
        good = state in {"succeeded", "completed"}
        links = {
            "self": link(path),
            "account": link(self._root),
            "report": link(f"{self._root}/reports/{run.report}"),
            "query_runs": link(f"{path}/query_runs"),
            "pdf_export": link(f"{self._root}/reports/{run.report}/exports/runs/{run.token}/pdf"),
            "clone": link(f"{path}/clone"),
            "web_external_url": link(f"{_WEB}/{self._world.workspace}/reports/{run.report}/runs/{run.token}"),
            "executed_by": link(f"/api/{run.account or self._world.workspace}"),
        }
        if run.schedule is not None:
            links["report_schedule"] = link(f"{self._root}/reports/{run.report}/schedules/{run.schedule}")
        return {
            "token": run.token,
            "state": state,
            "python_state": "succeeded" if state == "completed" else "none",
            "parameters": run.parameters,
            "created_at": stamp(run.created_at),
            "updated_at": stamp(ended or run.created_at),
            "completed_at": stamp(ended),
            "purge_started_at": None,
            "purge_completed_at": None,
            "form_fields": [],
            "is_latest_report_run": is_newest,
            "is_latest_successful_report_run": is_newest and good,
            "report_has_failures_since_last_success": False,
            "has_more_recent_successful_run_available": not is_newest,
            "_links": links,
        }

    def query_run(self, run: Run, number: int) -> Body:
        """One query of a run; the first one carries a failure's reason."""
        token = token_for(run.token, "query", number)
        state = run.state(self._now)
        failed = state == "failed" and number == 0
        body: Body = {
            "id": str(6_000_000 + number),
            "token": token,
            "state": "failed" if failed else "succeeded" if state in {"failed", "completed"} else state,
            "created_at": stamp(run.created_at),
            "completed_at": stamp(run.completed_at(self._now)),
            "data_source_id": "10001",
            "data_source_token": token_for("data source"),
            "limit": False,
            "query_token": token_for(run.report, "query", number),
            "query_name": f"Query {number + 1}",
            "max_result_bytes": 5_000_000_000,
            "_links": {"self": link(f"{self._root}/reports/{run.report}/runs/{run.token}/query_runs/{token}")},
        }
        if failed:
            body |= {
                "error_code": "SqlUnknownFunction",
                "error_type": "generic",
                "error_message": "ERROR: function date_diff(timestamp, timestamp) does not exist",
            }
        return body

    def schedule(self, schedule: Schedule) -> Body:
        """A schedule: prose for people, machine values in its edit form."""
        report = self._world.reports[schedule.report]
        path = f"{self._root}/reports/{report.token}/schedules/{schedule.token}"
        cron, last = schedule.cron, schedule.last_firing(self._now)
        ended = None if last is None else last + timedelta(seconds=report.expected_runtime)
        hour, minute = cron.get("hour"), cron.get("minute") or 0
        form = {name: {"type": "text", "value": value} for name, value in cron.items()}
        body: Body = {
            "token": schedule.token,
            "name": schedule.name,
            "parameters": schedule.params,
            "created_at": stamp(schedule.created_at),
            "updated_at": stamp(schedule.updated_at or schedule.created_at),
            "retry_state": "ok",
            "retry_count": 0,
            "retry_delay": 0,
            "timeout": schedule.timeout,
            "last_run_at": stamp(last),
            "last_succeeded_at": stamp(ended if ended and ended <= self._now else None),
            "last_scheduled_run": _offset_stamp(last),
            "next_scheduled_run": _offset_stamp(next_firing(cron, self._now)),
            "report_name": report.name,
            "report_token": report.token,
            "report_type": report.type,
            "delivery": None,
            "subscribed": False,
            "subscriber_count": sum(len(one.emails) for one in self._world.subscriptions_of(schedule.token)),
            "frequency": cron["freq"],
            "time_zone": cron.get("time_zone"),
            "hour": None if hour is None else f"{(hour - 1) % 12 + 1}:00 {'am' if hour < 12 else 'pm'}",
            "minute": "the top of the hour" if minute == 0 else f"{minute} minutes past the hour",
            "cron_hour": hour,
            "cron_minute": minute,
            "day_of_month": cron.get("day_of_month"),
            "_links": {
                "account": link(self._root),
                "creator": link(f"/api/{schedule.creator}"),
                "self": link(path),
                "report": link(f"{self._root}/reports/{report.token}"),
                "report_web": link(f"{_WEB}/{self._world.workspace}/reports/{report.token}"),
                "report_runs": link(f"{path}/runs?embed[report_runs][executed_by]=1"),
                "report_subscriptions": link(f"{path}/subscriptions"),
            },
            "_forms": {
                "edit": {
                    "method": "patch",
                    "action": path,
                    "input": {
                        "report_schedule": {
                            "cron": form,
                            "name": {"type": "text", "value": schedule.name},
                            "params": {"type": "text", "value": schedule.params},
                            "timeout": {"type": "text", "value": schedule.timeout},
                        }
                    },
                },
                "destroy": {"method": "delete", "action": path},
            },
        }
        if cron["freq"] == "weekly" and cron.get("day_of_week") is not None:
            days = str(cron["day_of_week"]).strip("[]").split(",")
            body["day_of_week"] = ",".join(_WEEKDAYS[int(day) % 7] for day in days)
        return body

    def subscription(self, subscription: Subscription) -> Body:
        """A subscription; its members hang off its links."""
        report = self._world.schedules[subscription.schedule].report
        path = f"{self._root}/reports/{report}/subscriptions/{subscription.token}"
        return {
            "token": subscription.token,
            **subscription.options,
            "email_subscriber_count": len(subscription.emails),
            "_links": {
                "self": link(path),
                "report_schedule": link(f"{self._root}/reports/{report}/schedules/{subscription.schedule}"),
                "email_subscription_memberships": link(f"{path}/email_report_subscription_memberships"),
                "slack_subscription_memberships": link(f"{path}/slack_report_subscription_memberships"),
            },
        }


def _offset_stamp(time: datetime | None) -> str | None:
    """A schedule's planned times end in `+00:00` where everything else ends in `Z`."""
    text = stamp(time)
    return None if text is None else f"{text[:-1]}+00:00"
