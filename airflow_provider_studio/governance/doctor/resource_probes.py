# SPDX-License-Identifier: Apache-2.0
"""Probes of single resources: keys and types, links, identity. A probe takes the responses and returns a finding."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from airflow_provider_studio.client import models
from airflow_provider_studio.client.pagination import name_of
from airflow_provider_studio.governance.doctor.findings import Fact, Finding, shown
from airflow_provider_studio.governance.doctor.observations import sampled_reports
from airflow_provider_studio.governance.doctor.survey import Survey, link_of
from airflow_provider_studio.governance.text import counted

_KINDS: Mapping[str, tuple[type[models.Resource], Sequence[str], str]] = {
    "Collection": (models.Collection, ("collections",), "spaces"),
    "dataset": (models.Report, ("datasets",), "reports"),
    "Report run": (models.ReportRun, ("runs",), "report_runs"),
    "schedule": (models.Schedule, ("schedules", "dataset_schedules"), "report_schedules"),
    "subscription": (models.Subscription, ("subscriptions",), "report_subscriptions"),
    "query": (models.Query, ("queries",), "queries"),
    "filter": (models.ReportFilter, ("filters",), "report_filters"),
    "member": (models.Member, ("members",), "memberships"),
    "data source": (models.DataSource, ("data_sources",), "data_sources"),
}
"""Of each kind of resource: its model, the responses of the survey that list it, and the key of its rows."""
_ABSENT = {
    "dataset": frozenset(
        {"archived", "chart_count", "expected_runtime", "space_token", "is_embedded", "is_signed", "shared"}
    ),
    "member": frozenset({"_links"}),
}
"""Keys that real responses of a kind lack."""
_NEEDED = {"view_count": "no Report can be proven unused", "last_run_at": "no Report can be proven not to run"}
_COUNTERS = ("view_count", "runs_count", "schedules_count", "query_count", "chart_count")
_KEY = re.compile(r"[A-Za-z0-9_?]{1,40}")
_SEEN_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_MOST_NAMED = 6
Rows = Sequence[Mapping[str, Any]]


def invalid_keys(model: type[models.Resource], row: Mapping[str, Any]) -> set[str]:
    """Return the keys of a row whose values are not as the model says."""
    try:
        model.model_validate(row)
    except ValidationError as error:
        return {str(problem["loc"][0]) for problem in error.errors(include_input=False, include_url=False)}
    return set()


def missing_keys(model: type[models.Resource], rows: Rows) -> set[str]:
    """Return the keys of a model that no row has."""
    expected = {field.alias or name for name, field in model.model_fields.items()} - {"_forms"}
    return expected - {key for row in rows for key in row}


def probe_keys(kind: str, model: type[models.Resource], rows: Rows | None, without: str) -> Finding:
    """Whether the rows of a kind have the keys and types that the provider reads."""
    fact = Fact(f"{kind}: keys and types", "those that the provider reads", "a missing or invalid value is unknown")
    if not rows:
        return fact.not_observed(without)
    invalid = {key for row in rows for key in invalid_keys(model, row)}
    missing = missing_keys(model, rows) - _ABSENT.get(kind, frozenset())
    if "token" in missing:
        return fact.needs_a_person("no row has a token", "this is not the API that the provider knows: report it")
    needed = [f"{key}: {why}" for key, why in _NEEDED.items() if key in missing and kind == "Report"]
    if needed:
        return fact.needs_a_person(f"without {_named(missing)}", f"{'; '.join(needed)}; ask ThoughtSpot's support")
    problems = [f"{what} {_named(keys)}" for what, keys in (("invalid:", invalid), ("without", missing)) if keys]
    return (
        fact.respected("; ".join(problems))
        if problems
        else fact.as_assumed(f"they have them: {counted(len(rows), 'row')}")
    )


def _named(keys: set[str]) -> str:
    """Return some keys; a key that is not like those of the API is not shown, because it may be user data."""
    names = sorted(key if _KEY.fullmatch(key) else "an odd key" for key in keys)
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def probe_single_report(survey: Survey) -> Finding:
    """Whether a Report alone has the keys that it has in a listing."""
    fact = Fact("Report: alone and listed", "the same keys", "a missing value is unknown")
    alone = survey.body("report")
    if alone is None:
        return fact.not_observed(survey.reason("report", "no Report was listed"))
    listed = next((row for row in sampled_reports(survey) if row.get("token") == alone.get("token")), None)
    if listed is None:
        return fact.respected("the token of another Report", "refuses a response with another token")
    known = {field.alias or name for name, field in models.Report.model_fields.items()}
    different = (listed.keys() ^ alone.keys()) & known
    return fact.respected(f"only one has {_named(different)}") if different else fact.as_assumed()


def probe_ids(reports: Rows) -> Finding:
    """Whether numeric ids are numbers or text."""
    fact = Fact("Report: id", "a number or text", "reads both")
    kinds = {type(row["id"]).__name__ for row in reports if "id" in row}
    names = {"int": "numbers", "str": "text"}
    if not kinds:
        return fact.not_observed("no listed Report has an id")
    return fact.as_assumed(" and ".join(sorted(names.get(kind, f"of the type {kind}") for kind in kinds)))


def probe_counters(reports: Rows) -> Finding:
    """Whether counters are numbers or text."""
    fact = Fact("Report: counters", "numbers", "reads text, too")
    values = [row[name] for row in reports for name in _COUNTERS if row.get(name) is not None]
    if not values:
        return fact.not_observed("no listed Report has counters")
    return fact.respected("text") if any(isinstance(value, str) for value in values) else fact.as_assumed()


def probe_times(reports: Rows) -> Finding:
    """How times are written."""
    fact = Fact("Report: times", "with milliseconds and Z", "reads any ISO 8601 time with a zone")
    times = [row["created_at"] for row in reports if isinstance(row.get("created_at"), str)]
    if not times:
        return fact.not_observed("no listed Report has a time")
    odd = next((time for time in times if not _SEEN_TIME.fullmatch(time)), None)
    if odd is None:
        return fact.as_assumed()
    return fact.respected(f"such as {shown(re.sub('[0-9]', '9', odd))}" if _is_time(odd) else "no time with a zone")


def probe_creators(reports: Rows) -> Finding:
    """Whether Reports link to their creator."""
    fact = Fact("Report: creator", "a link", "looks for the owner in Discovery and in queries; else it is unknown")
    without = sum(link_of(row, "creator") is None for row in reports)
    if not reports:
        return fact.not_observed("no Report was listed")
    return fact.respected(f"{without} of {len(reports)} have none") if without else fact.as_assumed()


def probe_link_hosts(reports: Rows) -> Finding:
    """Whether links to the API name a host."""
    fact = Fact("links: host", "relative", "uses the path only, and sends nothing to another host")
    hrefs = [href for row in reports if (href := link_of(row, "self")) is not None]
    if not hrefs:
        return fact.not_observed("no listed Report has a link to itself")
    return fact.as_assumed() if all(href.startswith("/") for href in hrefs) else fact.respected("absolute")


def probe_archived(reports: Rows) -> Finding:
    """Whether a Collection's listing has archived Reports, and says so."""
    fact = Fact("Report: archived", "listed, with a flag", "a Report without the flag is never archived")
    if not reports:
        return fact.not_observed("no Report was listed")
    if any("archived" not in row for row in reports):
        return fact.respected("without a flag")
    archived = sum(row["archived"] is True for row in reports)
    return fact.as_assumed(f"{archived} of {len(reports)}") if archived else fact.not_observed("none was listed")


def probe_last_run(survey: Survey) -> Finding:
    """Whether a Report's link to its last run leads to its newest run."""
    fact = Fact("Report: last_run link", "its newest run", "compares it with last_run_at, or lists the runs")
    report, newest = survey.body("report"), survey.rows("runs", "report_runs")
    if report is None or not newest:
        return fact.not_observed("no Report with a run was read")
    href = link_of(report, "last_run")
    if href is None:
        return fact.respected("no link")
    if "{" in href:
        return fact.respected("a template")
    if survey.status("last_run") != 200:
        return fact.respected(survey.reason("last_run", "a link to elsewhere"))
    run = survey.body("last_run") or {}
    return fact.as_assumed() if run.get("token") == newest[0].get("token") else fact.respected("an older run")


def probe_run_order(survey: Survey) -> Finding:
    """Whether runs are listed with the newest first."""
    fact = Fact("Report run: order", "newest first", "adopts no run that is not provably newer")
    created = [row.get("created_at") for row in survey.rows("runs", "report_runs") or []]
    times = [datetime.fromisoformat(time) for time in created if isinstance(time, str) and _is_time(time)]
    if len(times) < 2:
        return fact.not_observed(survey.reason("runs", "no Report has two runs") if not times else "one run")
    return fact.as_assumed() if times == sorted(times, reverse=True) else fact.respected("not by time")


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def probe_run_states(survey: Survey) -> Finding:
    """Whether all states of runs are documented."""
    fact = Fact("Report run: states", "documented ones", "an unknown state is an error, never a success")
    rows = survey.rows("runs", "report_runs")
    if not rows:
        return fact.not_observed("no Report with a run was read")
    unknown = {str(row.get("state")) for row in rows} - set(models.RunState)
    return fact.respected(", ".join(shown(state) for state in sorted(unknown)[:3])) if unknown else fact.as_assumed()


def probe_query_parents(survey: Survey) -> Finding:
    """Whether a query is found under another Report."""
    fact = Fact("query: under another Report", "found", "reads none by a token of another Report's response")
    status = survey.status("query_elsewhere")
    if status is None:
        return fact.not_observed("no query, or no second Report, was read")
    return fact.as_assumed() if status < 300 else fact.respected(f"the response was {status}")


def probe_dataset_reports(survey: Survey) -> Finding:
    """Whether a dataset's list of Reports says which are archived."""
    fact = Fact("dataset: its Reports", "without a flag for archived ones", "asks the snapshot, then the Report")
    rows = survey.rows("dataset_reports", "reports")
    if not rows:
        return fact.not_observed(survey.reason("dataset_reports", "no dataset was listed") if rows is None else "none")
    return fact.respected("with the flag") if all("archived" in row for row in rows) else fact.as_assumed()


def probe_subscription_identity(survey: Survey) -> Finding:
    """What identifies a subscription."""
    fact = Fact(
        "subscription: identity", "its link to itself", "it can be backed up and created again, but not deleted"
    )
    rows = survey.rows("subscriptions", "report_subscriptions")
    if not rows:
        return fact.not_observed(survey.reason("subscriptions", "no schedule was read") if rows is None else "none")
    if all(link_of(row, "self") for row in rows):
        return fact.as_assumed("its link, and a token" if any("token" in row for row in rows) else None)
    return fact.respected("a token only" if all(name_of(row) for row in rows) else "nothing")


def probe_subscribers(survey: Survey, relation: str) -> Finding:
    """Whether a subscription's link to its subscribers responds."""
    fact = Fact(f"subscription: {relation.partition('_')[0]} subscribers", "readable", "the backup says what it lacks")
    rows = survey.rows(relation, "memberships")
    if survey.status(relation) is None:
        return fact.not_observed("no subscription, or no such link, was read")
    return fact.respected(survey.reason(relation, "")) if rows is None else fact.as_assumed(f"{len(rows)} listed")


def resource_findings(survey: Survey) -> Iterator[Finding]:
    """Yield the findings about resources."""
    reports = sampled_reports(survey)
    yield probe_keys("Report", models.Report, reports, "no Report was listed")
    for kind, (model, names, key) in _KINDS.items():
        rows = [row for name in names for row in survey.rows(name, key) or []]
        yield probe_keys(kind, model, rows, survey.reason(names[0], "not requested"))
    for probe in (probe_ids, probe_counters, probe_times, probe_creators, probe_link_hosts, probe_archived):
        yield probe(reports)
    for probe_survey in _SURVEY_PROBES:
        yield probe_survey(survey)
    for relation in ("email_subscription_memberships", "slack_subscription_memberships"):
        yield probe_subscribers(survey, relation)


_SURVEY_PROBES = (
    probe_single_report,
    probe_last_run,
    probe_run_order,
    probe_run_states,
    probe_query_parents,
    probe_dataset_reports,
    probe_subscription_identity,
)
