# SPDX-License-Identifier: Apache-2.0
"""Probes of listings: pages, counters, order, filters. A probe takes the responses and returns a finding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from airflow_provider_studio.client.completeness import USUAL_PAGE_SIZE, is_a_part
from airflow_provider_studio.governance.doctor.findings import Fact, Finding
from airflow_provider_studio.governance.doctor.observations import (
    LISTINGS,
    counters_of,
    is_order_stable,
    is_second_page_the_first,
    is_short_page_followed,
    new_rows,
    page_size,
    pages_of,
)
from airflow_provider_studio.governance.doctor.survey import Survey, link_of
from airflow_provider_studio.governance.text import counted

_USUAL_RUNS = 20
_TO_THE_END = "reads each listing to its empty page"


def probe_page_size(survey: Survey, kind: str) -> Finding:
    """How many rows a page has."""
    usual = _USUAL_RUNS if kind == "runs" else USUAL_PAGE_SIZE
    fact = Fact(f"{kind}: page size", f"{usual} rows", "learns the size, and believes no short page before it did")
    size, pages = page_size(survey, kind), pages_of(survey, kind)
    if size is None:
        rows = len(pages[0]) if pages else None
        without = "no such listing was read"
        return fact.not_observed(survey.reason(LISTINGS[kind][0], without) if rows is None else f"{rows} on one page")
    return fact.as_assumed() if size == usual else fact.respected(counted(size, "row"))


def probe_page_number(survey: Survey, kind: str) -> Finding:
    """Whether `page` selects another page."""
    fact = Fact(f"{kind}: second page", "other rows, or none")
    is_first = is_second_page_the_first(survey, kind)
    if is_first is None:
        return fact.not_observed("no second page was read")
    pages = pages_of(survey, kind)
    if not is_first:
        return fact.as_assumed(counted(new_rows(pages), "other row"))
    if len(pages[0]) in {USUAL_PAGE_SIZE, page_size(survey, kind)}:
        return fact.needs_a_person(
            "the first page again, which is full",
            "look for a cache before Studio; an inventory refuses a listing whose pages repeat",
        )
    return fact.respected("the first page again", "ends a listing after two pages without a new row")


def probe_short_page(survey: Survey) -> Finding:
    """Whether only last pages are short."""
    fact = Fact("reports: short pages", "only the last page is short", f"profile: {_TO_THE_END}")
    followed = is_short_page_followed(survey, "reports")
    return fact.compared(
        None if followed is None else not followed,
        different="a short page had rows after it",
        unknown="no listing had two pages",
    )


def probe_order(survey: Survey) -> Finding:
    """Whether a page has the same order twice."""
    fact = Fact("reports: order", "the same in two requests", f"profile: {_TO_THE_END}, again if rows came twice")
    return fact.compared(
        is_order_stable(survey), different="another in the second request", unknown="no page had two Reports"
    )


def probe_counters(survey: Survey, kind: str) -> Finding:
    """Whether a listing has counters, and whether they agree with its rows."""
    assumed = "none, or as many as rows"
    fact = Fact(f"{kind}: counters", assumed, f"profile: believes no counter, and {_TO_THE_END}")
    agree = counters_of(survey, kind)
    if agree is None:
        body = survey.body(LISTINGS[kind][0])
        if body is None:
            return fact.not_observed(survey.reason(LISTINGS[kind][0], "no such listing was read"))
        return fact.as_assumed("none")
    return fact.as_assumed("they agree with the rows") if agree else fact.respected("they contradict the rows")


def probe_end(survey: Survey) -> Finding:
    """What follows the last page."""
    fact = Fact("reports: past the end", "an empty page", "ends a listing after two pages without a new row")
    rows = survey.rows("reports_past_the_end", "reports")
    if rows is None:
        return fact.not_observed(survey.reason("reports_past_the_end", "no listing was read"))
    return fact.as_assumed() if not rows else fact.respected(f"{counted(len(rows), 'row')} again")


def probe_per_page(survey: Survey) -> Finding:
    """Whether `per_page` changes the size of a page."""
    fact = Fact("reports: per_page", "ignored", "never sends it")
    size, rows = page_size(survey, "reports"), survey.rows("reports_per_page", "reports")
    if size is None or rows is None:
        return fact.not_observed(_reason(survey, "reports_per_page", rows))
    return fact.as_assumed() if len(rows) <= size else fact.respected(counted(len(rows), "row"))


def probe_ordering(survey: Survey) -> Finding:
    """Whether `order_by` sorts a listing of Reports."""
    fact = Fact("reports: order_by", "ignored", "never depends on it")
    rows, exchange = survey.rows("reports_ordered", "reports"), survey.exchanges.get("reports_ordered")
    created = _created(rows or [])
    if rows is None or exchange is None or len(set(created)) < 2:
        return fact.not_observed(_reason(survey, "reports_ordered", rows))
    is_sorted = created == sorted(created, reverse=exchange.query.get("order") == "desc")
    return fact.respected("it sorts") if is_sorted else fact.as_assumed()


def probe_filter(survey: Survey) -> Finding:
    """Whether `filter` selects Reports."""
    fact = Fact("reports: filter", "ignored", "never depends on it: each listing is read whole")
    rows, exchange = survey.rows("reports_filtered", "reports"), survey.exchanges.get("reports_filtered")
    if rows is None or exchange is None:
        return fact.not_observed(_reason(survey, "reports_filtered", rows))
    limit = str(exchange.query.get("filter")).partition(".gt.")[2]
    if any(time < limit for time in _created(rows)):
        return fact.as_assumed()
    return fact.respected("it selects")


def _reason(survey: Survey, name: str, rows: object) -> str:
    """Return why rows show nothing: there are none, or too few."""
    return "too few rows" if rows is not None else survey.reason(name, "no listing was read")


def _created(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return [row["created_at"] for row in rows if isinstance(row.get("created_at"), str)]


def probe_collection_filter(survey: Survey) -> Finding:
    """Whether `filter=custom` leaves members' personal Collections out."""
    fact = Fact(
        "spaces: filter", "custom leaves personal Collections out", "reads no Collection whose space_type is private"
    )
    custom = survey.rows("collections", "spaces")
    if custom is None:
        return fact.not_observed(survey.reason("collections", "not requested"))
    if any(row.get("space_type") == "private" for row in custom):
        return fact.respected("custom lists personal Collections")
    everything = survey.rows("collections_all", "spaces") or []
    if any(row.get("space_type") == "private" for row in everything):
        return fact.as_assumed()
    return fact.not_observed("no personal Collection was listed")


def probe_unfiltered(survey: Survey) -> Finding:
    """What a listing of Collections without a filter has."""
    fact = Fact("spaces: without a filter", "Collections", "always sends a filter")
    rows, custom = survey.rows("collections_unfiltered", "spaces"), survey.rows("collections", "spaces")
    if rows is None or not custom:
        return fact.not_observed(_reason(survey, "collections_unfiltered", rows))
    return fact.as_assumed(counted(len(rows), "Collection")) if rows else fact.respected("none")


def probe_collections(survey: Survey) -> Finding:
    """Whether the token sees Collections, and Reports in them."""
    fact = Fact("spaces: visible", "the token sees Collections with Reports")
    rows = survey.rows("collections", "spaces")
    if rows is None:
        return fact.needs_a_person(
            survey.reason("collections", "no response"), "use a token that may list the workspace's Collections"
        )
    if not [row for row in rows if row.get("space_type") != "private"]:
        return fact.needs_a_person("none", "use a Workspace token, or add the member to the Collections that matter")
    if survey.rows("reports", "reports"):
        return fact.as_assumed(f"{counted(len(rows), 'Collection')} on the first page")
    return fact.not_observed("the first Collections list no Report")


def probe_archived_listing(survey: Survey) -> Finding:
    """Whether a workspace-wide list of archived Reports responds."""
    fact = Fact("reports: archived ones", "no list of the whole workspace", "reads `archived` in each listing")
    rows = survey.rows("archived", "reports")
    if rows is None:
        return fact.as_assumed(survey.reason("archived", "not requested"))
    return fact.respected(f"it responds with {counted(len(rows), 'row')}")


def probe_workspace_schedules(survey: Survey) -> Finding:
    """Whether a workspace-wide list of schedules responds."""
    fact = Fact("schedules: whole workspace", "no such list", "lists the schedules of each Report that has some")
    body = survey.body("workspace_schedules")
    if body is None:
        return fact.as_assumed(survey.reason("workspace_schedules", "not requested"))
    return fact.respected("it responds")


def probe_self_links(survey: Survey) -> Finding:
    """Whether listings link to themselves, so that a confused response is noticed."""
    fact = Fact("listings: link to themselves", "present", "a listing without one is not compared with the request")
    bodies = [body for first, _, _ in LISTINGS.values() if (body := survey.body(first)) is not None]
    without = sum(link_of(body, "self") is None for body in bodies)
    if not bodies:
        return fact.not_observed("no listing was read")
    return fact.respected(f"{without} of {len(bodies)} have none") if without else fact.as_assumed()


def probe_members(survey: Survey) -> Finding:
    """Whether `/memberships/lite` lists all members."""
    fact = Fact("members: lite", "the whole list", "counts no owner as having left")
    rows, body = survey.rows("members", "memberships"), survey.body("members")
    if rows is None or body is None:
        return fact.respected(survey.reason("members", "not requested"))
    if is_a_part(body.get("pagination"), len(rows)):
        return fact.respected("it calls itself a part")
    return fact.as_assumed(counted(len(rows), "member"))


def probe_memberships(survey: Survey) -> Finding:
    """Whether the documented `/memberships` responds."""
    fact = Fact("members: documented list", "it may be refused", "reads /memberships/lite")
    rows = survey.rows("memberships", "memberships")
    return fact.as_assumed(survey.reason("memberships", "not requested") if rows is None else "it responds")


def listing_findings(survey: Survey) -> Iterator[Finding]:
    """Yield the findings about listings."""
    yield probe_collections(survey)
    for kind in LISTINGS:
        yield probe_page_size(survey, kind)
    for kind in ("spaces", "reports"):
        yield probe_page_number(survey, kind)
    yield probe_short_page(survey)
    yield probe_order(survey)
    for kind in LISTINGS:
        yield probe_counters(survey, kind)
    for probe in _PROBES:
        yield probe(survey)


_PROBES = (
    probe_end,
    probe_per_page,
    probe_ordering,
    probe_filter,
    probe_collection_filter,
    probe_unfiltered,
    probe_archived_listing,
    probe_workspace_schedules,
    probe_self_links,
    probe_members,
    probe_memberships,
)
