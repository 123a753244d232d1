# SPDX-License-Identifier: Apache-2.0
"""The models read responses: our own table of keys and types, and real and documented bodies where present."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_studio.client import models
from airflow_provider_studio.client.errors import StudioResponseError
from tests.conftest import FIXTURES, needs_real_bodies
from tests.emulator.real_keys import REAL_KEYS, row_like_real

# What each answer is known to hold, by wire name, with a made-up value of its type.
KEYS: dict[type[models.Resource], dict[str, Any]] = {
    models.Verification: {"workspace": "acme", "workspace_token": "0a1b2c3d4e5f", "api_key_scope": "member"},
    models.Collection: {
        "token": "0a1b2c3d4e5f",
        "id": "41",
        "name": "Finance",
        "description": None,
        "space_type": "custom",
        "state": "active",
        "restricted": False,
        "default_access_level": "view",
    },
    models.Report: {
        "token": "0a1b2c3d4e5f",
        "id": 77,
        "name": None,
        "description": "Costs by month",
        "type": "Report",
        "archived": False,
        "space_token": "5f4e3d2c1b0a",
        "account_username": "ada",
        "created_at": "2024-01-31T08:15:00.123Z",
        "updated_at": "2024-02-01T08:15:00.123Z",
        "edited_at": "2024-02-01T08:15:00.123Z",
        "last_run_at": None,
        "last_successfully_run_at": None,
        "last_successful_run_token": None,
        "expected_runtime": 1.75,
        "view_count": 12,
        "runs_count": 3,
        "schedules_count": 0,
        "query_count": 2,
        "chart_count": 1,
        "manual_run_disabled": False,
        "public": True,
        "is_embedded": False,
        "is_signed": False,
        "shared": None,
    },
    models.ReportRun: {
        "token": "0a1b2c3d4e5f",
        "state": "enqueued",
        "python_state": "none",
        "parameters": {"region": "north"},
        "created_at": "2024-01-31T08:15:00.123Z",
        "updated_at": "2024-01-31T08:15:00.123Z",
        "completed_at": None,
    },
    models.QueryRun: {
        "token": "0a1b2c3d4e5f",
        "id": "0a1b2c3d4e5f",
        "state": "failed",
        "query_token": "5f4e3d2c1b0a",
        "query_name": "Costs",
        "data_source_token": "5f4e3d2c1b0a",
        "raw_source": "SELECT 1",
        "rendered_source": "SELECT 1",
        "created_at": "2024-01-31T08:15:00.123Z",
        "completed_at": None,
        "error_code": "QUERY_ERROR",
        "error_type": "syntax",
        "error_message": "no such column",
    },
    models.Schedule: {
        "token": "0a1b2c3d4e5f",
        "name": "Mornings",
        "parameters": {},
        "frequency": "daily",
        "time_zone": "UTC",
        "created_at": "2024-01-31T08:15:00.123Z",
        "updated_at": "2024-01-31T08:15:00.123Z",
        "last_run_at": None,
        "last_succeeded_at": None,
        "last_scheduled_run": None,
        "next_scheduled_run": "2024-02-01T08:15:00.123Z",
        "retry_state": "ok",
        "timeout": 86100,
        "subscriber_count": 2,
    },
    models.Subscription: {
        "data_previews_enabled": False,
        "data_tables_enabled": True,
        "csv_attachments_enabled": True,
        "pdf_attachments_enabled": False,
        "report_links_enabled": True,
        "email_subscriber_count": 3,
    },
}


@pytest.mark.parametrize("model", KEYS, ids=lambda model: model.__name__)
def test_every_known_key_is_typed(model: type[models.Resource]) -> None:
    fields = set(model.model_fields) - {"links", "forms"}
    assert fields == set(KEYS[model])
    parsed = model.parse(KEYS[model])
    for name, value in KEYS[model].items():
        typed = getattr(parsed, name)
        if name.endswith(("_at", "_run")) and value is not None:
            assert isinstance(typed, datetime)
        elif name == "id":
            assert typed == str(value)
        else:
            assert typed == value


@pytest.mark.parametrize("model", KEYS, ids=lambda model: model.__name__)
def test_any_key_that_is_not_required_may_be_absent_and_is_then_unknown(model: type[models.Resource]) -> None:
    required = {name for name, field in model.model_fields.items() if field.is_required()}
    parsed = model.parse({name: KEYS[model][name] for name in required})
    assert all(getattr(parsed, name) is None for name in set(KEYS[model]) - required)


@pytest.mark.parametrize("model", KEYS, ids=lambda model: model.__name__)
def test_unknown_keys_are_kept_and_absent_ones_not_made_up(model: type[models.Resource]) -> None:
    body = {**KEYS[model], "viewable?": True, "_links": {"self": {"href": "/api/x"}}, "new": {"deep": [1, None]}}
    body = {key: value for key, value in body.items() if not key.endswith(("_at", "_run")) and key != "id"}
    assert model.parse(body).to_json() == body


@pytest.mark.parametrize(
    ("model", "body", "place"),
    [
        (models.Report, {"token": "t", "view_count": "many"}, "view_count"),
        (models.Report, {"token": "t", "created_at": "yesterday"}, "created_at"),
        (models.Report, {"token": "t", "created_at": "2024-01-31T08:15:00"}, "created_at"),
        (models.Report, {"name": "no token"}, "token"),
        (models.Report, ["no", "object"], "the body"),
        (models.Collection, {"token": None}, "token"),
    ],
)
def test_a_wrong_type_is_named_without_its_value(model: type[models.Resource], body: Any, place: str) -> None:
    with pytest.raises(StudioResponseError, match=f"the answer: {place} is not as the API promises") as caught:
        model.parse(body, what="the answer")
    assert "many" not in str(caught.value)


def test_a_model_shows_no_unknown_key() -> None:
    report = models.Report.parse({"token": "t", "name": "n", "web_preview_image": "https://s3/?X-Amz-Signature=abc"})
    assert "X-Amz" not in repr(report)
    assert "X-Amz" not in str(report)


def test_the_creator_and_the_page_come_from_links() -> None:
    links = {"creator": {"href": "/api/ada"}, "web": {"href": "https://app.mode.com/acme/reports/t"}}
    report = models.Report.parse({"token": "t", "_links": links})
    assert report.creator == "ada"
    assert report.web_url == "https://app.mode.com/acme/reports/t"
    assert models.Report.parse({"token": "t", "_links": {"creator": None}}).creator is None


@pytest.mark.parametrize(
    ("state", "over", "good"),
    [
        ("pending", False, False),
        ("enqueued", False, False),
        ("running_notebook", False, False),
        ("succeeded", True, True),
        ("completed", True, True),
        ("failed", True, False),
        ("cancelled", True, False),
    ],
)
def test_the_states_of_a_run(state: str, over: bool, good: bool) -> None:
    run = models.ReportRun.parse({"token": "t", "state": state})
    assert (run.run_state.is_over, run.run_state.is_good) == (over, good)


@pytest.mark.parametrize("state", ["paused", "", None])
def test_an_unknown_state_is_not_guessed(state: str | None) -> None:
    with pytest.raises(StudioResponseError, match="unknown state"):
        _ = models.ReportRun.parse({"token": "t", "state": state}).run_state


def form(**fields: Any) -> dict[str, Any]:
    return {"edit": {"input": {"report_schedule": fields}}}


def test_a_schedules_machine_values_come_from_its_form() -> None:
    cron = {
        "freq": {"type": "select", "value": "weekly"},
        "hour": {"type": "text", "value": 17},
        "minute": {"type": "text", "value": 5},
        "day_of_week": {"type": "text", "value": 2},
        "day_of_month": {"type": "text", "value": None},
        "time_zone": {"type": "text", "value": "Pacific Time (US & Canada)"},
    }
    schedule = models.Schedule.parse(
        {"token": "t", "hour": "5:00 pm", "_forms": form(cron=cron, name={"type": "text", "value": "Evenings"})}
    )
    values = schedule.machine_values()
    assert (values.cron.hour, values.cron.minute, values.cron.day_of_week) == (17, 5, 2)
    assert values.cron.time_zone == "Pacific Time (US & Canada)"
    assert values.name == "Evenings"
    assert values.to_json()["report_schedule"]["cron"]["freq"] == "weekly"


@pytest.mark.parametrize("forms", [{}, {"edit": None}, form(), form(cron={"freq": {"type": "t", "value": "often"}})])
def test_prose_is_no_backup_of_a_schedule(forms: dict[str, Any]) -> None:
    with pytest.raises(StudioResponseError, match="Schedule t"):
        models.Schedule.parse({"token": "t", "frequency": "daily", "hour": "5:00 pm", "_forms": forms}).machine_values()


def test_times_keep_their_zone() -> None:
    report = models.Report.parse({"token": "t", "created_at": "2024-01-31T08:15:00.123Z"})
    assert report.created_at == datetime(2024, 1, 31, 8, 15, 0, 123000, tzinfo=UTC)


BODIES = {
    "datahub/verify.json": models.Verification,
    "datahub/reports_list_page.json": models.Report,
    "datahub/reports_list_empty_page.json": models.Report,
    "datahub/datasets_list_2024.json": models.Report,
    "datahub/spaces_list.json": models.Collection,
    "datahub/queries_list.json": models.Query,
    "datahub/account_user_redacted.json": models.Resource,
    "issues/openmetadata_14578_400_body.json": models.Resource,
    "mode_docs/discovery_report_stats_page.json": models.Resource,
    "mode_docs/discovery_reports_page.json": models.Report,
    "mode_docs/report_schedule.json": models.Schedule,
    "mode_docs/signature_token.json": models.Resource,
    "mode_sdk_synthetic/query_run_failed.json": models.QueryRun,
    "mode_sdk_synthetic/report.json": models.Report,
    "mode_sdk_synthetic/report_run.json": models.ReportRun,
    "mode_sdk_synthetic/report_schedule.json": models.Schedule,
    "mode_sdk_synthetic/space.json": models.Collection,
    "mode_sdk_synthetic/spaces_page_envelope.json": models.Collection,
    "odd_collector/data_sources_list_2023.json": models.DataSource,
}


def rows_of(body: Any) -> list[Any]:
    """Return the things in a body: a listing's rows, in either of the two forms, or the body itself."""
    holder = body.get("_embedded", body)
    listed = [value for value in holder.values() if isinstance(value, list)]
    return listed[0] if listed and "token" not in body else [body]


@pytest.mark.parametrize("name", [name for name in BODIES if "_embedded." not in REAL_KEYS[name]])
def test_a_row_with_the_keys_of_a_real_one_parses_and_loses_none(name: str) -> None:
    row = row_like_real(name)
    assert set(BODIES[name].parse(row, what=name).to_json()) == set(row)


@needs_real_bodies
class TestRealBodies:
    def test_none_is_forgotten(self) -> None:
        assert {str(path.relative_to(FIXTURES)) for path in FIXTURES.rglob("*.json")} == set(BODIES)

    @pytest.mark.parametrize("name", BODIES)
    def test_it_parses_and_no_key_is_lost(self, name: str) -> None:
        body = json.loads((FIXTURES / name).read_text(encoding="utf-8"))
        for row in rows_of(body):
            parsed = BODIES[name].parse(row, what=name)
            assert set(parsed.to_json()) == set(row)
