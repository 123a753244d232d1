# SPDX-License-Identifier: Apache-2.0
"""Quirks of schedules and subscriptions: where their behaviour is unknown, the emulator can behave either way."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_studio.emulator import StudioEmulator
from tests.emulator.conftest import Caller

CRON = {"freq": "daily", "hour": 6, "minute": 38, "time_zone": "Mumbai"}


def form_of(body: dict[str, Any]) -> dict[str, Any]:
    return dict(body["_forms"]["edit"]["input"]["report_schedule"])


def posted(ask: Caller, report: str, **values: Any) -> dict[str, Any]:
    return dict(ask("POST", f"/reports/{report}/schedules", json={"report_schedule": {"cron": CRON, **values}}).json())


def test_a_schedule_has_a_form_or_its_values_in_the_row_alone(
    emulator: StudioEmulator, ask: Caller, report: str
) -> None:
    with_form = posted(ask, report)
    emulator.control.set_quirks(schedule_forms="absent")
    without = ask("GET", f"/reports/{report}/schedules/{with_form['token']}").json()
    assert "_forms" not in without
    assert without == {name: value for name, value in with_form.items() if name != "_forms"}
    assert (without["cron_hour"], without["cron_minute"], without["time_zone"]) == (6, 38, "Mumbai")


@pytest.mark.parametrize("parameters", [{}, {"type": "new"}, {"value": None}])
def test_a_forms_parameters_are_bare_or_wrapped(
    emulator: StudioEmulator, ask: Caller, report: str, parameters: dict[str, Any]
) -> None:
    schedule = posted(ask, report, params=parameters)
    assert form_of(schedule)["params"] == schedule["parameters"] == parameters
    emulator.control.set_quirks(schedule_params="wrapped")
    wrapped = ask("GET", f"/reports/{report}/schedules/{schedule['token']}").json()
    assert form_of(wrapped)["params"] == {"type": "object", "value": parameters}
    assert wrapped["parameters"] == parameters


def test_a_day_that_is_not_set_has_no_value_or_a_null_one(emulator: StudioEmulator, ask: Caller, report: str) -> None:
    schedule = posted(ask, report)
    for name in ("day_of_week", "day_of_month"):
        assert set(form_of(schedule)["cron"][name]) == {"type", "options"}
    emulator.control.set_quirks(schedule_unset_days="null")
    other = form_of(ask("GET", f"/reports/{report}/schedules/{schedule['token']}").json())
    assert other["cron"]["day_of_week"]["value"] is None
    monthly = posted(ask, report, cron={**CRON, "freq": "monthly", "day_of_month": 31})
    assert form_of(monthly)["cron"]["day_of_month"]["value"] == 31


@pytest.mark.parametrize(("way", "minute"), [("exact", 38), ("rounded", 30)])
def test_a_minute_is_stored_as_sent_or_rounded(
    emulator: StudioEmulator, ask: Caller, report: str, way: str, minute: int
) -> None:
    emulator.control.set_quirks(schedule_minutes=way)
    schedule = posted(ask, report)
    assert (schedule["cron_minute"], form_of(schedule)["cron"]["minute"]["value"]) == (minute, minute)


@pytest.mark.parametrize(("way", "zone"), [("as_sent", "Mumbai"), ("first", "Chennai")])
def test_a_time_zone_keeps_its_name_or_gets_another_of_the_same_zone(
    emulator: StudioEmulator, ask: Caller, report: str, way: str, zone: str
) -> None:
    emulator.control.set_quirks(schedule_time_zones=way)
    schedule = posted(ask, report)
    assert (schedule["time_zone"], form_of(schedule)["cron"]["time_zone"]["value"]) == (zone, zone)


def test_a_schedule_without_a_name_is_untitled(emulator: StudioEmulator, ask: Caller, report: str) -> None:
    old = emulator.control.add_schedule(report, name=None)
    body = ask("GET", f"/reports/{report}/schedules/{old}").json()
    assert (body["name"], form_of(body)["name"]["value"]) == ("Untitled schedule", None)
    assert form_of(posted(ask, report, name=None))["name"]["value"] == "Untitled schedule"


@pytest.mark.parametrize(
    ("way", "joined"), [("newest", "newest"), ("oldest", "oldest"), ("first", "first"), ("named", "middle")]
)
def test_a_subscription_joins_one_of_its_reports_schedules(
    emulator: StudioEmulator, ask: Caller, report: str, way: str, joined: str
) -> None:
    emulator.control.set_quirks(subscription_joins=way)
    tokens = {"first": posted(ask, report)["token"]}
    emulator.control.advance(timedelta(hours=1))
    tokens |= {"newest": posted(ask, report)["token"]}
    emulator.control.advance(-timedelta(minutes=30))
    tokens |= {"middle": posted(ask, report)["token"]}
    tokens |= {"oldest": emulator.control.add_schedule(report)}  # created with its Report, and listed last
    body = {"report_subscription": {"csv_attachments_enabled": True, "report_schedule_token": tokens["middle"]}}
    subscription = ask("POST", f"/reports/{report}/subscriptions", json=body).json()
    assert subscription["_links"]["report_schedule"]["href"].endswith(tokens[joined])
    assert [subscription["schedule"] for subscription in emulator.control.state()["subscriptions"].values()][
        -1
    ] == tokens[joined]
    rows = ask.rows(f"/reports/{report}/schedules/{tokens[joined]}/subscriptions", "report_subscriptions")
    assert rows == [subscription]


def test_a_subscription_that_must_name_a_schedule_is_refused_without(
    emulator: StudioEmulator, ask: Caller, report: str
) -> None:
    emulator.control.set_quirks(subscription_joins="named")
    emulator.control.add_schedule(report)
    refused = ask("POST", f"/reports/{report}/subscriptions", json={"report_subscription": {}})
    assert (refused.status_code, refused.json()["id"]) == (400, "param_missing")


@pytest.mark.parametrize(("way", "pdf"), [("as_sent", True), ("without_pdf", False)])
def test_a_subscription_is_stored_as_sent_or_without_pdfs(
    emulator: StudioEmulator, ask: Caller, report: str, way: str, pdf: bool
) -> None:
    emulator.control.set_quirks(subscription_options=way)
    emulator.control.add_schedule(report)
    body = {"report_subscription": {"pdf_attachments_enabled": True, "csv_attachments_enabled": True}}
    subscription = ask("POST", f"/reports/{report}/subscriptions", json=body).json()
    assert (subscription["pdf_attachments_enabled"], subscription["csv_attachments_enabled"]) == (pdf, True)


@pytest.mark.parametrize("has_link", [True, False])
@pytest.mark.parametrize("has_token", [True, False])
def test_a_subscription_is_named_by_its_link_or_a_token_or_neither(
    emulator: StudioEmulator, ask: Caller, report: str, has_link: bool, has_token: bool
) -> None:
    emulator.control.set_quirks(subscription_self_link=has_link, subscription_token=has_token)
    emulator.control.add_schedule(report)
    subscription = ask("POST", f"/reports/{report}/subscriptions", json={"report_subscription": {}}).json()
    assert ("self" in subscription["_links"], "token" in subscription) == (has_link, has_token)


@pytest.mark.parametrize(
    ("way", "status"), [("shown", 200), ("bad_request", 400), ("forbidden", 403), ("not_found", 404)]
)
def test_who_is_subscribed_is_shown_or_refused(emulator: StudioEmulator, ask: Caller, way: str, status: int) -> None:
    emulator.control.set_quirks(subscriber_lists=way)
    report = emulator.control.add_report()
    emulator.control.add_schedule(report)
    links = ask("POST", f"/reports/{report}/subscriptions", json={"report_subscription": {}}).json()["_links"]
    for relation in ("email_subscription_memberships", "slack_subscription_memberships"):
        assert ask("GET", f"{emulator.url}{links[relation]['href']}").status_code == status
