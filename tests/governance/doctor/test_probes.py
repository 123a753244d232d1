# SPDX-License-Identifier: Apache-2.0
"""Each probe sees the assumed behaviour, and each setting of the emulator that differs from it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_studio.client.exchange import Exchange
from airflow_provider_studio.emulator.state import SECRET
from airflow_provider_studio.governance.doctor import listing_probes, schedule_probes, service_probes
from airflow_provider_studio.governance.doctor.examination import examine, findings_of
from airflow_provider_studio.governance.doctor.findings import Severity
from airflow_provider_studio.governance.doctor.survey import MOST_REQUESTS, Survey, Surveyor
from tests.conftest import client_of
from tests.governance.doctor.surveys import ACCESS, AT, emulated, finding, survey_of

SERVICES: list[dict[str, Any]] = [
    {
        "page_sizes": {"reports": 50},
        "past_the_end": "last_page",
        "pagination_block": "one_page",
        "listing_filters": "documented",
        "collection_filter": "ignored",
        "members_lite": "first_page",
        "memberships": "not_found",
        "not_found_status": 400,
        "counters_as_text": True,
        "time_format": "offset",
        "last_run_link": "absent",
        "link_hrefs": "absolute",
        "query_parents": "checked",
        "dataset_reports": "whole",
        "schedule_forms": "absent",
        "subscriber_count": "absent",
        "content_type": "json",
    },
    {
        "short_page": 1,
        "pagination_block": "true",
        "unfiltered_collections": "own",
        "last_run_link": "templated",
        "schedule_params": "wrapped",
        "schedule_unset_days": "null",
        "odd_fields": {"*": {"edited_at": '""'}},
    },
    {"listing_order": "unstable", "last_run_link": "stale", "schedules_count": "zero"},
    {"last_run_link": "purged", "missing_keys": ["view_count", "last_run_at"]},
]
"""Quirks that can be observed together; each setting that a GET can show is in one of them."""
DIFFERENT = [
    {
        "reports: page size": "50 rows",
        "reports: past the end": "31 rows again",
        "reports: counters": "they contradict the rows",
        "reports: order_by": "it sorts",
        "reports: filter": "it selects",
        "spaces: filter": "custom lists personal Collections",
        "members: lite": "it calls itself a part",
        "responses: error ids": "not_found with 400",
        "Report: counters": "text",
        "Report: times": "such as '9999-99-99T99:99:99.999+99:99'",
        "Report: last_run link": "no link",
        "links: host": "absolute",
        "query: under another Report": "the response was 400",
        "dataset: its Reports": "with the flag",
        "schedule: form": "1 of 1 have none",
        "schedule: subscriber_count": "there is no such key",
        "responses: content type": "'application/json'",
    },
    {
        "reports: short pages": "a short page had rows after it",
        "reports: counters": "they contradict the rows",
        "spaces: without a filter": "none",
        "Report: last_run link": "a template",
        "Report: keys and types": "invalid: edited_at",
        "schedule: parameters in the form": "the value of a field",
        "schedule: days that are not set": "null",
    },
    {
        "reports: order": "another in the second request",
        "Report: last_run link": "an older run",
        "schedule: schedules_count": "0 counted, 1 listed",
    },
    {"Report: last_run link": "the response was 404"},
]


@pytest.mark.parametrize(("quirks", "different"), list(zip(SERVICES, DIFFERENT, strict=True)), ids=["A", "B", "C", "D"])
def test_a_probe_sees_what_is_assumed_and_what_differs(quirks: dict[str, Any], different: dict[str, str]) -> None:
    for fact, observed in different.items():
        assert finding(fact).severity in {Severity.AS_ASSUMED, Severity.NOT_OBSERVED}, fact
        found = finding(fact, **quirks)
        assert (observed in found.observed, found.severity) == (True, Severity.RESPECTED), found


def test_the_examination_keeps_its_budget_and_only_reads() -> None:
    emulator = emulated()
    emulator.control.set_rate_limit(enabled=True, headers=True)
    try:
        with client_of(emulator) as client:
            examination = examine(client)
    finally:
        emulator.control.set_rate_limit(enabled=False)
    assert next(found for found in examination.findings if found.fact == "limit: headers").severity == "as assumed"
    requests = emulator.control.requests_summary()["requests"]
    assert len(requests) == examination.requests <= MOST_REQUESTS
    assert {request["method"] for request in requests} == {"GET"}
    texts = [text for found in examination.findings for text in found.to_row().values()]
    assert not any(SECRET in text or "Crowd" in text or "@" in text for text in texts)
    names = Counter(found.fact for found in examination.findings)
    assert max(names.values()) == 1, "two findings about one fact"


@pytest.mark.parametrize("fact", ["view_count", "last_run_at"])
def test_a_key_without_which_nothing_can_be_proven_needs_a_person(fact: str) -> None:
    found = finding("Report: keys and types", **SERVICES[3])
    assert (found.severity, fact in found.consequence) == (Severity.NEEDS_A_PERSON, True)


def test_a_member_token_gets_findings_too() -> None:
    with client_of(emulated(denied_status=404), "member") as client:
        findings = examine(client).findings
    observed = {found.fact: found for found in findings}
    assert observed["connection: token"].observed == "Member (api_key_scope 'member')"
    assert observed["members: documented list"].observed == "the response was 404"
    assert observed["reports: page size"].is_observed


@pytest.mark.parametrize("href", ["http://[", "https://elsewhere/api/acme/../x", "/api/acme/reports/{run}", "", 5])
def test_a_link_that_leads_nowhere_is_not_followed(href: object) -> None:
    rows = {
        "spaces": [{"token": "a1"}],
        "reports": [{"token": "b2", "last_run_at": "x", "_links": {"last_run": {"href": href}}}],
    }

    def read(path: str, query: Any = None) -> Exchange:
        assert path.startswith("/api/")
        assert "x" not in path
        return Exchange("GET", path, 200, AT, query or {}, {}, {"_embedded": rows})

    assert "last_run" not in Surveyor("acme", read).all().exchanges


def test_an_empty_workspace_and_a_refusing_service_show_nothing() -> None:
    for status in (200, 403, 500):
        body: dict[str, Any] = {"_embedded": {"spaces": []}} if status == 200 else {"id": "forbidden"}
        surveyor = Surveyor("acme", lambda path, query=None: Exchange("GET", path, status, AT, query or {}, {}, body))  # noqa: B023
        findings = findings_of(surveyor.all(), ACCESS)
        needed = {found.fact for found in findings if found.severity is Severity.NEEDS_A_PERSON}
        assert needed == {"connection: credentials", "spaces: visible"}, status
    assert findings_of(Survey(), ACCESS)


def test_what_a_server_sends_is_not_printed_as_it_is() -> None:
    hostile = "\x1b[2J\u202e" + "x" * 500
    survey = survey_of(
        verify={"workspace": hostile, "api_key_scope": hostile},
        collections={"_embedded": {"spaces": [{"token": "a1", hostile: hostile}]}},
        reports_0={"_embedded": {"reports": [{"token": "b2", "created_at": hostile, hostile: 1}]}},
        runs={"_embedded": {"report_runs": [{"token": "c3", "state": hostile}]}},
    )
    for found in findings_of(survey, ACCESS):
        assert found.observed.isprintable(), found
        assert len(found.observed) < 200


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("9" * 5000),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
_NAMES = [
    "verify",
    "account",
    "collections",
    "collections_all",
    "reports",
    "reports_0",
    "reports_next",
    "reports_again",
    "reports_ordered",
    "reports_filtered",
    "datasets",
    "report",
    "runs",
    "last_run",
    "schedules",
    "unscheduled_0",
    "archived_schedules",
    "subscriptions",
    "queries",
    "members",
    "dataset_reports",
    "discovery_reports",
]
_KEYS = ["token", "created_at", "schedules_count", "archived", "_links", "_forms", "state", "frequency", "pagination"]


@given(st.lists(st.dictionaries(st.sampled_from(_KEYS), _JSON), max_size=2), _JSON)
def test_no_response_makes_a_probe_fail(rows: list[dict[str, Any]], odd: Any) -> None:
    keys = ("spaces", "reports", "report_runs", "report_schedules", "report_subscriptions", "queries", "memberships")
    body = {"_embedded": dict.fromkeys(keys, rows), "pagination": odd, "_links": odd, "reports": rows, "workspace": odd}
    assert findings_of(survey_of(**dict.fromkeys(_NAMES, body)), ACCESS)


def weekly(number: str, names: str, zone: str = "UTC") -> dict[str, Any]:
    """Return a weekly schedule as its Report lists it."""
    cron = {"day_of_week": {"value": number}, "time_zone": {"value": zone}}
    forms = {"edit": {"input": {"report_schedule": {"params": {}, "cron": cron}}}}
    return {"token": "a1", "day_of_week": names, "time_zone": "UTC", "parameters": {}, "_forms": forms}


@pytest.mark.parametrize(
    ("number", "names", "observed"),
    [
        ("1", "Monday", "0 is Sunday"),
        ("[1,7]", "Monday,Sunday", "0 is Sunday"),
        ("1,2", "Sunday,Monday", "1 is Sunday"),
        ("3", "Sunday", "neither 0 nor 1 is Sunday in each"),
        ("Monday", "Monday", "neither 0 nor 1 is Sunday in each"),
    ],
)
def test_names_of_days_show_what_their_numbers_are(number: str, names: str, observed: str) -> None:
    survey = survey_of(schedules={"_embedded": {"report_schedules": [weekly(number, names)]}})
    assert schedule_probes.probe_day_numbers(survey).observed == observed


def test_rows_and_headers_that_differ_are_seen() -> None:
    rows = [{**weekly("1", "Monday", "Etc/UTC"), "next_scheduled_run": None}]
    listing = {"_embedded": {"report_schedules": rows}}
    survey = survey_of(schedules=listing, archived_schedules=listing, collections={"_embedded": {"spaces": []}})
    assert schedule_probes.probe_zone_names(survey).observed == "they differ"
    assert schedule_probes.probe_archived_runs(survey).observed == "1 of 1 have none"
    assert listing_probes.probe_self_links(survey).observed == "2 of 2 have none"
    headers = {"X-RateLimit-Limit": "40", "X-RateLimit-Remaining": "0"}
    exhausted = Survey({"verify": Exchange("GET", "/api/verify", 200, AT, headers=headers)})
    assert "Remaining is 0" in service_probes.probe_rate_limit(exhausted, ACCESS).observed
    refused = Survey({"verify": Exchange("GET", "/api/verify", 429, AT, headers={"retry-after": "10"})})
    assert service_probes.probe_refusals(refused).observed == "1 response, 1 with Retry-After"
