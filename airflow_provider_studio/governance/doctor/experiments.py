# SPDX-License-Identifier: Apache-2.0
"""Experiments on a Report that the doctor created: what only a change can settle."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any

from airflow_provider_studio.client.auth import is_identifier
from airflow_provider_studio.client.client import StudioClient
from airflow_provider_studio.client.exchange import Exchange
from airflow_provider_studio.client.schedule_values import UnfaithfulError, values_of
from airflow_provider_studio.client.visibility import read_until
from airflow_provider_studio.governance.doctor.findings import Fact, Finding, shown
from airflow_provider_studio.governance.doctor.trial_report import TrialReport, trial_report

_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_FAR = 14
"""Days until the schedules of an experiment would fire first: it is over long before."""
_SENT = {"hour": 3, "minute": 10, "time_zone": "London"}
"""Values that a service might store in another form: minutes rounded, a zone under another of its names."""
_WRAPPER = "report_schedule"
_SCHEDULES = "report_schedules"


def experiment(client: StudioClient, collection: str, today: date) -> list[Finding]:
    """Create a Report in a Collection, find out what only a change can show, and delete the Report.

    :param collection: the token of the Collection.
    :raises GovernanceError: as in `trial_report`.
    """
    with trial_report(client, collection) as trial:
        findings = list(_findings(trial, today))
    removed = Fact("experiment: removal", "the Report is deleted")
    return [*findings, removed.as_assumed()]


def _findings(trial: TrialReport, today: date) -> Iterator[Finding]:
    wrapper, schedules = _created_schedule(trial, today)
    yield wrapper
    yield _stored(schedules, today)
    yield _day_numbers(trial, today, is_wrapped=wrapper.observed == _WRAPPER)
    yield from _archive(trial, is_scheduled=bool(schedules))
    yield _deletion(trial)


def _created_schedule(trial: TrialReport, today: date) -> tuple[Finding, list[dict[str, Any]]]:
    """Create a schedule, with the wrapper and, if that is refused, without."""
    fact = Fact("schedule: body that creates one", _WRAPPER, "undo cannot create schedules again: report it")
    values = _schedule({"freq": "monthly", "day_of_month": first_days(today)[0]})
    response = trial.change("POST", "/schedules", {_WRAPPER: values})
    refused = response
    if not response.is_success:
        response = trial.change("POST", "/schedules", values)
    listed = _until(trial, bool) if response.is_success else []
    if not listed:
        return fact.not_observed(f"{_result(refused)} with it, {_result(response)} without"), []
    return fact.as_assumed() if refused is response else fact.respected("flat"), listed


def _stored(schedules: list[dict[str, Any]], today: date) -> Finding:
    """Compare a schedule with what was sent."""
    fact = Fact("schedule: stored", "as it was sent", "reports each difference in every undo")
    try:
        stored = values_of(schedules[0]).cron
    except (IndexError, UnfaithfulError):
        return fact.not_observed("no schedule with its machine values")
    sent = {**_SENT, "day_of_month": first_days(today)[0]}
    different = [
        f"{name} {value} became {shown(now)}" for name, value in sent.items() if (now := getattr(stored, name)) != value
    ]
    return fact.respected("; ".join(different)) if different else fact.as_assumed()


def _day_numbers(trial: TrialReport, today: date, *, is_wrapped: bool) -> Finding:
    """Create a weekly schedule, and find out which day the number of its day is."""
    fact = Fact("schedule: numbers of days", "0 is Sunday", "due times of weekly schedules are unknown, if they differ")
    number = first_days(today)[1]
    values = _schedule({"freq": "weekly", "day_of_week": str(number)})
    response = trial.change("POST", "/schedules", {_WRAPPER: values} if is_wrapped else values)
    name = (response.body or {}).get("day_of_week")
    if not response.is_success or not isinstance(name, str):
        return fact.not_observed(_result(response) if not response.is_success else "the response names no day")
    if name == _WEEKDAYS[number]:
        return fact.as_assumed()
    return fact.respected("1 is Sunday" if name == _WEEKDAYS[number - 1] else f"{number} is {shown(name)}")


def first_days(today: date) -> tuple[int, int]:
    """Return a day of the month and one of the week that are days away, so that no schedule fires meanwhile.

    The day of the week is days away whether numbers begin at 0 or at 1.
    """
    weekly = next(day for day in range(1, 6) if (day - today.isoweekday()) % 7 in {2, 3, 4})
    return (today.day + _FAR - 1) % 28 + 1, weekly


def _schedule(cron: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": "Doctor", "cron": {**_SENT, **cron}, "params": {}}


def _archive(trial: TrialReport, *, is_scheduled: bool) -> Iterator[Finding]:
    """Archive the Report twice and unarchive it, and find out what its schedules do."""
    archive = Fact("archive: the Report", "archived, and says so", "an apply reports each that does not")
    response = trial.change("PATCH", "/archive")
    read = read_until(trial.read, lambda read: (read.body or {}).get("archived") is True, sleep=trial.client.sleep)
    body = read.body or {}
    if body.get("archived") is not True:
        yield archive.respected(f"{_result(response)}, and `archived` is {shown(body.get('archived'))}")
        return
    yield archive.as_assumed(f"{_result(response)}, and it is")
    if is_scheduled:
        fact = Fact("archive: schedules", "they continue", "deletes them before it archives, with a backup")
        planned = _planned(trial)
        yield fact.as_assumed("listed with a next run") if planned else fact.respected(_stopped(trial))
        count = body.get("schedules_count")
        counted = Fact("archive: schedules_count", "as before", "reads the list before it acts")
        yield counted.as_assumed(f"{count}") if count not in (0, "0", None) else counted.respected(f"{shown(count)}")
    again = Fact("archive: a second time", "200", "reads the Report first, and archives none twice")
    second = trial.change("PATCH", "/archive")
    yield again.as_assumed(f"{second.status}") if second.is_success else again.respected(_result(second))
    trial.change("PATCH", "/unarchive")
    read = read_until(trial.read, lambda read: (read.body or {}).get("archived") is False, sleep=trial.client.sleep)
    is_back = (read.body or {}).get("archived") is False
    unarchive = Fact("unarchive: the Report and its schedules", "as before", "undo reports what differs")
    if not is_back:
        yield unarchive.respected("it stays archived")
    elif is_scheduled:
        yield unarchive.as_assumed() if _planned(trial) else unarchive.respected(_stopped(trial))


def _planned(trial: TrialReport) -> bool:
    """Whether the Report lists schedules, each with a next run."""
    rows = trial.rows("/schedules", _SCHEDULES)
    return bool(rows) and all(row.get("next_scheduled_run") for row in rows)


def _stopped(trial: TrialReport) -> str:
    return "listed without a next run" if trial.rows("/schedules", _SCHEDULES) else "none is listed"


def _deletion(trial: TrialReport) -> Finding:
    """Delete the schedules; the second deletion of one shows how that is refused."""
    fact = Fact("schedule: a second deletion", "404", "counts a schedule as gone only if the list lacks it")
    rows = [row for row in trial.rows("/schedules", _SCHEDULES) if is_identifier(row.get("token"))]
    for row in rows:
        trial.change("DELETE", f"/schedules/{row['token']}")
    if not rows or _until(trial, lambda left: not left):
        return fact.not_observed("there is no schedule" if not rows else "a deleted schedule is still listed")
    second = trial.change("DELETE", f"/schedules/{rows[0]['token']}")
    return fact.as_assumed() if second.status == 404 else fact.respected(_result(second))


def _until(trial: TrialReport, is_visible: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
    """Read the Report's schedules until an effect is visible."""
    return read_until(lambda: trial.rows("/schedules", _SCHEDULES), is_visible, sleep=trial.client.sleep)


def _result(response: Exchange) -> str:
    error = (response.body or {}).get("id") if response.status >= 300 else None
    return f"{response.status}" + (f" ({shown(error)})" if error is not None else "")
