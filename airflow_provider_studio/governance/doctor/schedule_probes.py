# SPDX-License-Identifier: Apache-2.0
"""Probes of schedules: how many a Report counts, and how their forms are built."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow_provider_studio.client.models import Frequency
from airflow_provider_studio.client.schedule_values import UnfaithfulError, values_of
from airflow_provider_studio.client.time_zones import ZONES
from airflow_provider_studio.governance.doctor.findings import Fact, Finding
from airflow_provider_studio.governance.doctor.observations import (
    counted_and_listed,
    is_schedules_count_right,
    sampled_reports,
)
from airflow_provider_studio.governance.doctor.survey import Survey

_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_NONE = "no schedule was read"
Row = Mapping[str, Any]


def schedules_of(survey: Survey) -> list[dict[str, Any]]:
    """Return all schedules that were read."""
    names = ["schedules", "dataset_schedules", "archived_schedules"]
    names += [name for name in survey.exchanges if name.startswith("unscheduled_")]
    return [row for name in names for row in survey.rows(name, "report_schedules") or []]


def probe_count(survey: Survey) -> Finding:
    """Whether `schedules_count` is the number of listed schedules."""
    fact = Fact("schedule: schedules_count", "as many as are listed", "profile: reads the lists of all Reports")
    pairs = counted_and_listed(survey)
    shown = "; ".join(f"{counted} counted, {listed} listed" for counted, listed in pairs)
    return fact.compared(
        is_schedules_count_right(survey), different=shown, unknown=shown or "no list of schedules was read"
    )


def probe_archived(survey: Survey) -> Finding:
    """Whether archived Reports count and list their schedules."""
    fact = Fact("schedule: of archived Reports", "listed and counted", "reads the list before it acts")
    rows, exchange = survey.rows("archived_schedules", "report_schedules"), survey.exchanges.get("archived_schedules")
    if rows is None or exchange is None:
        return fact.not_observed(survey.reason("archived_schedules", "no archived Report was listed"))
    token = exchange.path.split("/")[-2]
    count = next((row.get("schedules_count") for row in sampled_reports(survey) if row.get("token") == token), None)
    if not rows:
        return fact.not_observed("the archived Report lists none")
    return fact.as_assumed() if count not in (0, "0", None) else fact.respected(f"{len(rows)} listed, none counted")


def probe_archived_runs(survey: Survey) -> Finding:
    """Whether schedules of archived Reports have a next run."""
    fact = Fact("schedule: next run of archived Reports", "they continue", "deletes them before it archives a Report")
    rows = survey.rows("archived_schedules", "report_schedules")
    if not rows:
        return fact.not_observed("no schedule of an archived Report was listed")
    stopped = sum(row.get("next_scheduled_run") is None for row in rows)
    return fact.respected(f"{stopped} of {len(rows)} have none") if stopped else fact.as_assumed()


def probe_form(survey: Survey) -> Finding:
    """Whether schedules have a form with their machine values."""
    fact = Fact("schedule: form", "present", "reads the values from the row if it has all; else it is kept")
    rows = schedules_of(survey)
    if not rows:
        return fact.not_observed(_NONE)
    without = sum(_form_of(row) is None for row in rows)
    return fact.respected(f"{without} of {len(rows)} have none") if without else fact.as_assumed()


def probe_parameters(survey: Survey) -> Finding:
    """How a schedule's form holds its parameters."""
    fact = Fact("schedule: parameters in the form", "the object itself", "compares them with `parameters` of the row")
    pairs = [(row.get("parameters"), form["params"]) for row in schedules_of(survey) if (form := _form_of(row) or {})]
    if not pairs:
        return fact.not_observed("no schedule with a form was read")
    if all(in_form == in_row for in_row, in_form in pairs):
        return fact.as_assumed()
    in_fields = all(isinstance(held, Mapping) and held.get("value") == in_row for in_row, held in pairs)
    return fact.respected("the value of a field" if in_fields else "neither bare nor in a field")


def probe_days(survey: Survey) -> Finding:
    """How a schedule's form holds a day that is not set."""
    fact = Fact("schedule: days that are not set", "a field without a value", "reads both")
    fields = [
        cron["day_of_month"]
        for row in schedules_of(survey)
        if isinstance(cron := (_form_of(row) or {}).get("cron"), Mapping)
        and isinstance(cron.get("day_of_month"), Mapping)
        and cron["day_of_month"].get("value") is None
    ]
    if not fields:
        return fact.not_observed("no schedule without a day was read")
    return fact.respected("null") if any("value" in field for field in fields) else fact.as_assumed()


def probe_day_numbers(survey: Survey) -> Finding:
    """Which day of the week a number is: forms have numbers, and rows have names."""
    fact = Fact(
        "schedule: numbers of days in forms", "0 is Sunday", "sends them back unchanged; such schedules are kept"
    )
    pairs = [
        (str(number), str(row.get("day_of_week")))
        for row in schedules_of(survey)
        if (number := _cron_value(row, "day_of_week")) is not None and row.get("day_of_week") is not None
    ]
    if not pairs:
        return fact.not_observed("no weekly schedule was read")
    for first, observed in ((0, None), (1, "1 is Sunday")):
        if all(_named_days(numbers, first) == names for numbers, names in pairs):
            return fact.as_assumed() if observed is None else fact.respected(observed)
    return fact.respected("neither 0 nor 1 is Sunday in each")


def _named_days(numbers: str, first: int) -> str | None:
    """Return the names of days for numbers, as rows write them.

    :param first: the number of Sunday.
    """
    parts = [part.strip() for part in numbers.strip("[]").split(",")]
    if not all(part.isascii() and part.isdecimal() and len(part) == 1 for part in parts):
        return None
    return ",".join(_WEEKDAYS[(int(part) - first) % 7] for part in parts)


def probe_zone_names(survey: Survey) -> Finding:
    """Whether a schedule's form and its row have the same name of a time zone."""
    fact = Fact("schedule: names of time zones", "the same in row and form", "never compares the name of a zone")
    pairs = [(row.get("time_zone"), zone) for row in schedules_of(survey) if (zone := _cron_value(row, "time_zone"))]
    if not pairs:
        return fact.not_observed("no schedule with a form and a time zone was read")
    return fact.as_assumed() if all(row == form for row, form in pairs) else fact.respected("they differ")


def _cron_value(row: Row, name: str) -> Any:
    """Return a value of the cron in a schedule's form; None without it."""
    cron = (_form_of(row) or {}).get("cron")
    field = cron.get(name) if isinstance(cron, Mapping) else None
    return field.get("value") if isinstance(field, Mapping) else None


def probe_machine_values(survey: Survey) -> Finding:
    """Whether each schedule can be backed up so that it can be created again."""
    fact = Fact("schedule: backup", "each can be created again", "a schedule without a faithful backup is kept")
    rows = schedules_of(survey)
    if not rows:
        return fact.not_observed(_NONE)
    unfaithful = sum(not _is_faithful(row) for row in rows)
    return fact.respected(f"{unfaithful} of {len(rows)} cannot") if unfaithful else fact.as_assumed()


def probe_frequencies(survey: Survey) -> Finding:
    """Whether frequencies and time zones are documented ones."""
    fact = Fact("schedule: frequency and zone", "documented values", "a schedule with others is kept")
    rows = schedules_of(survey)
    if not rows:
        return fact.not_observed(_NONE)
    known = {*Frequency, *ZONES, "None"}
    odd = sum(not {str(row.get("frequency")), str(row.get("time_zone"))} <= known for row in rows)
    return fact.respected(f"{odd} of {len(rows)} have others") if odd else fact.as_assumed()


def probe_subscriber_count(survey: Survey) -> Finding:
    """Whether schedules count their subscribers."""
    fact = Fact(
        "schedule: subscriber_count", "the people who get results", "reads the subscriptions if it is 0 or gone"
    )
    rows = schedules_of(survey)
    if not rows:
        return fact.not_observed(_NONE)
    if any("subscriber_count" not in row for row in rows):
        return fact.respected("there is no such key")
    listed = survey.rows("subscriptions", "report_subscriptions") or []
    people = sum(count for row in listed if isinstance(count := row.get("email_subscriber_count"), int))
    schedule = (survey.rows("schedules", "report_schedules") or [{}])[0]
    if not people:
        return fact.not_observed("no subscription with people was read")
    counted = schedule.get("subscriber_count")
    return fact.as_assumed() if counted == people else fact.respected("not as many as the subscriptions count")


def _form_of(row: Row) -> Mapping[str, Any] | None:
    """Return the fields of a schedule's edit form that has its parameters."""
    form: Any = row.get("_forms")
    for key in ("edit", "input", "report_schedule"):
        form = form.get(key) if isinstance(form, Mapping) else None
    return form if isinstance(form, Mapping) and "params" in form else None


def _is_faithful(row: Row) -> bool:
    try:
        values_of(dict(row))
    except UnfaithfulError:
        return False
    return True


def schedule_findings(survey: Survey) -> Iterator[Finding]:
    """Yield the findings about schedules."""
    for probe in (
        probe_count,
        probe_archived,
        probe_archived_runs,
        probe_form,
        probe_parameters,
        probe_days,
        probe_day_numbers,
        probe_zone_names,
        probe_machine_values,
        probe_frequencies,
        probe_subscriber_count,
    ):
        yield probe(survey)
